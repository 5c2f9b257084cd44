"""``cass finetune``: train pretrained branches on a share of the labels."""

from __future__ import annotations

import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cass.auditing.guard import guard, guard_pixels
from cass.auditing.kept_pairs import near_families
from cass.config.finetune import FinetuneConfig
from cass.config.pretrain import PretrainConfig
from cass.data.splits.kept import read_splits, write_splits
from cass.evaluation.calibration import summary_of
from cass.evaluation.conformal import Safeguards, fit_safeguards
from cass.evaluation.ensemble import ensemble, fit_ensemble
from cass.evaluation.operating import HeldOut
from cass.evaluation.selection import doubt_of
from cass.files import write_json, write_text
from cass.models.backbones import Branch
from cass.models.checkpoints import load_branch, save_branch
from cass.resolve.finetune import ResolvedFinetune, resolve_finetune
from cass.runs.finetune_folder import has_finished, require_earlier_data, working_folder
from cass.runs.folder import (
    CHECKPOINTS,
    METRICS,
    RUN_FORMAT,
    SPLITS_FILE,
    SUMMARY,
    branch_files,
    read_metrics,
    read_summary,
    staged,
    write_metrics,
    write_start,
)
from cass.runs.held_out import write_held_out
from cass.runs.inputs import Inputs, Plan, make_plan
from cass.runs.label_budget import LabelBudget, labelled_data, labelled_images, labels_per_class
from cass.training.balance import Balance, choose_balance
from cass.training.finetune_branch import PROBE, TunedBranch, choose_thresholds, tune_branch
from cass.training.finetune_fit import LOGS
from cass.training.gradients import gradient_cautions
from cass.training.labelled import LabelledImages
from cass.training.probing import probe_branch
from cass.training.start import branch_spec, start_branch
from cass.training.teaching import Teaching, teach_branches
from cass.types import BranchName, Caution, Task

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("cass")


@dataclass(frozen=True)
class FinetuneResult:
    """Fine-tuned branches.

    Attributes:
        out: The run folder.
        summary: What stands in its summary.json.
    """

    out: Path
    summary: dict[str, Any]

    def frame(self) -> pd.DataFrame:
        """Return a row for each branch and epoch: losses, validation metric and speed; epoch 0 is the probe."""
        return read_metrics(self.out)


def run_finetune(config: FinetuneConfig, resolved: ResolvedFinetune | None = None) -> FinetuneResult:
    """Train pretrained branches on a fraction of the labels.

    Args:
        config: Settings of ``cass finetune``.
        resolved: What :func:`resolve_finetune` returned; None calls it.

    Returns:
        The run folder and its summary.

    Raises:
        CassError: A setting, the data set, the pretraining run or the output folder cannot be used.
        Interrupted: The run was stopped; ``resume`` continues it.
    """
    resolved = resolved or resolve_finetune(config)
    config, pretraining = resolved.config, resolved.pretraining
    if has_finished(config):
        log.info("%s is finished: nothing is left to do.", config.out)
        return FinetuneResult(config.out, read_summary(config.out, written_by="cass finetune"))
    plan = make_plan(
        resolved.manifest, seed=config.seed, known=read_splits(config.run / SPLITS_FILE), families=near_families
    )
    inputs, labelled, cautions = _guarded_images(config, pretraining, plan)
    with working_folder(config) as work, staged(config.out) as folder:
        require_earlier_data(work, plan)
        write_start(folder, config)
        write_splits(folder / SPLITS_FILE, plan.manifest, plan.splits, plan.digests)
        (folder / CHECKPOINTS).mkdir()
        names_used = "".join(f"{inputs.manifest.images[row]}\n" for row in labelled.train)
        write_text(folder / "labelled_images.txt", names_used)
        data = labelled_data(inputs, labelled)
        balance = choose_balance(config, data.train.labels, task=data.task)
        teaching = _taught_branches(resolved, data, balance)
        tuned: dict[BranchName, TunedBranch] = {}
        for name in resolved.names:
            tuned[name] = tune_branch(
                config,
                teaching.probed[name],
                name,
                data=data,
                balance=balance,
                pseudo=teaching.pseudo.get(name),
                fresh=branch_spec(pretraining, name).weights == "none",
                work=work / name,
            )
            _keep_logs(work / name, folder / f"tensorboard-{name}")
            _save_branch(folder, name, tuned[name])
        mean = fit_ensemble(_held_by_branch(tuned), next(iter(tuned.values())).held_labels, task=data.task)
        held = _answers_held_out(tuned, task=data.task, temperature=mean.value)
        write_held_out(folder, held, inputs.manifest.classes)
        summary = _summary(config, pretraining, plan=plan, inputs=inputs, labelled=labelled) | {
            "teaching": teaching.summary,
            "branches": {name: branch.summary for name, branch in tuned.items()},
            "mean_of_both": summary_of(mean),
            "thresholds_of_the_mean": choose_thresholds(held.probabilities, held.labels, task=data.task),
            "safeguards": asdict(_safeguards(tuned, held, task=data.task)),
            "cautions": cautions + _cautions(tuned),
        }
        write_json(folder / SUMMARY, summary)
    return FinetuneResult(config.out, summary)


def _guarded_images(
    config: FinetuneConfig, pretraining: PretrainConfig, plan: Plan
) -> tuple[Inputs, LabelBudget, list[Caution]]:
    """Choose the labels and decode their images, and say what is doubtful about them."""
    cautions = guard(plan, source=config.labels, allow_leakage=config.allow_leakage)
    inputs, labelled = labelled_images(config, pretraining, plan)
    return inputs, labelled, cautions + guard_pixels(inputs.images, labelled.train, source=config.labels)


def _taught_branches(resolved: ResolvedFinetune, data: LabelledImages, balance: Balance) -> Teaching:
    """Probe every branch that is fine-tuned or teaches, and let them label images for each other."""
    config, names = resolved.config, resolved.names
    if config.unlabelled != "off" and len(data.unlabelled):
        names = tuple(branch_files(config.run))  # a branch that is not fine-tuned teaches the one that is
    if balance.kind != config.balance:
        log.info("Labels that occur together cannot be drawn equally often: classes are weighted instead.")
    branches = {name: _starting_branch(config, resolved.pretraining, name) for name in names}
    probed = {name: probe_branch(config, each, data=data) for name, each in branches.items()}
    return teach_branches(config, probed, data=data)


def _keep_logs(work: Path, logs: Path) -> None:
    """Copy the TensorBoard logs of a branch from the working folder, where there are any."""
    if (work / LOGS).is_dir():
        shutil.copytree(work / LOGS, logs)


def _save_branch(folder: Path, name: BranchName, tuned: TunedBranch) -> None:
    """Write the network, the metrics of its epochs and their plot."""
    import pandas as pd

    from cass.reports.plots import plot_fine_tuning

    save_branch(tuned.branch, folder / CHECKPOINTS / f"{name}.safetensors")
    write_metrics(folder / f"{name}-{METRICS}", tuned.rows)
    plot_fine_tuning(pd.DataFrame(tuned.rows), folder / "plots" / f"{name}.png")


def _held_by_branch(tuned: dict[BranchName, TunedBranch]) -> dict[str, NDArray[np.float32]]:
    """Return the probabilities of each branch on the held-out labelled images."""
    return {name: branch.held for name, branch in tuned.items()}


def _answers_held_out(tuned: dict[BranchName, TunedBranch], *, task: Task, temperature: float) -> HeldOut:
    """Return what ``cass predict`` would answer on the held-out labelled images."""
    first, *_ = tuned.values()
    mean = ensemble(_held_by_branch(tuned), task=task, temperature=temperature)
    return HeldOut(mean, first.held_labels, first.held_codes)


def _safeguards(tuned: dict[BranchName, TunedBranch], held: HeldOut, *, task: Task) -> Safeguards:
    """Choose the prediction sets and the doubt of what ``cass predict`` answers, on held-out labels."""
    doubt = doubt_of(_held_by_branch(tuned), task=task)
    return fit_safeguards(held.probabilities, held.labels, held.codes, doubt, task=task)


def _cautions(tuned: dict[BranchName, TunedBranch]) -> list[Caution]:
    """Say what fine-tuning did not do for a branch."""
    found: list[Caution] = []
    for name, branch in tuned.items():
        if branch.summary["best_epoch"] == PROBE and branch.summary["epochs"]:
            message = f"{name}: full fine-tuning did not improve on the linear probe."
            found.append({"code": "probe-kept", "message": message})
        found += gradient_cautions(branch.rows, prefix=f"{name}: ")
        if note := branch.summary["temperature_note"]:
            found.append({"code": "not-calibrated", "message": f"{name}: no temperature ({note})."})
    return found


def _summary(
    config: FinetuneConfig, pretraining: PretrainConfig, *, plan: Plan, inputs: Inputs, labelled: LabelBudget
) -> dict[str, Any]:
    """Sum up the run but for its branches."""
    manifest = inputs.manifest
    return {
        "kind": "finetune",
        "format": RUN_FORMAT,
        "generated_data": manifest.generated,
        "start": "no pretraining" if config.without_pretraining else "pretraining",
        "pretraining": {
            "method": pretraining.method,
            "epochs": pretraining.epochs,
            "seed": pretraining.seed,
        },
        "task": manifest.task,
        "classes": list(manifest.classes),
        "label_fraction": config.label_fraction,
        "n_labels": len(labelled.train),
        "labels_per_class": labels_per_class(inputs, labelled.train),
        "n_validation_labels": len(labelled.validation),
        "splits": plan.counts(),
        "splits_source": plan.source,
        "leakage": list(plan.leaks),
        "corrupt_images": len(inputs.unreadable),
        "corrupt_image_names": inputs.unreadable,
        "head": config.head,
    }


def _starting_branch(config: FinetuneConfig, pretraining: PretrainConfig, name: BranchName) -> Branch:
    """Load the pretrained branch, or rebuild the start that it had; both normalise images alike."""
    branch = load_branch(branch_files(config.run)[name])
    if config.without_pretraining:
        start = start_branch(pretraining, name)
        start.set_normalization(branch.mean.flatten().tolist(), branch.std.flatten().tolist())
        branch = start
    return branch
