"""``cass finetune``: train pretrained branches on a share of the labels."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from numpy.typing import NDArray
from torch import nn

from cass.config import FinetuneConfig, PretrainConfig, build_config
from cass.data.dataset import StoredImages
from cass.data.fractions import label_subset
from cass.data.splits import check_classes, read_splits, write_splits
from cass.errors import DataError, OutputError
from cass.files import write_json, write_text
from cass.models.backbones import Branch
from cass.models.checkpoints import load_branch, save_branch
from cass.seeds import derive_seed
from cass.training.engine import fit
from cass.training.finetune import FinetuneModule
from cass.training.losses import class_weights
from cass.training.progress import RunProgress
from cass.training.start import start_branch
from cass.transforms.recipes import RECIPES
from cass.transforms.views import build_views
from cass.types import BRANCHES, BranchName
from cass.workflows.inputs import Inputs, Plan, decode, make_plan
from cass.workflows.run_folder import (
    CHECKPOINTS,
    METRICS,
    SPLITS,
    SUMMARY,
    branch_files,
    check_free,
    read_config,
    staged,
    write_metrics,
    write_start,
)

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


def finetune(
    run: str | Path, *, labels: str | Path, out: str | Path, config: str | Path | None = None, **settings: Any
) -> FinetuneResult:
    """Train pretrained branches on a share of the labels.

    Args:
        run: Run folder of :func:`cass.pretrain`.
        labels: CSV manifest, folder with one sub-folder a class, or ``generated``.
        out: Run folder to write.
        config: YAML file with further settings.
        settings: Fields of :class:`cass.config.FinetuneConfig` by name.

    Returns:
        The run folder and its summary.

    Raises:
        CassError: For anything that the user can mend, in one line.
        Interrupted: Where the run was stopped; nothing is left behind.
    """
    values = settings | {"run": Path(run), "labels": str(labels), "out": Path(out)}
    return run_finetune(build_config(FinetuneConfig, values, source=Path(config) if config else None))


def run_finetune(config: FinetuneConfig) -> FinetuneResult:
    """Do what :func:`finetune` says, with a configuration that is already checked."""
    check_free(config.out)
    pretraining = read_config(config.run, PretrainConfig, written_by="cass pretrain")
    names = _branch_names(config)
    plan = make_plan(
        config.labels,
        label_columns=config.label_columns,
        seed=config.seed,
        known=read_splits(config.run / SPLITS),
    )
    inputs, train = _labelled_images(config, pretraining, plan)
    manifest = inputs.manifest
    with staged(config.out) as folder:
        write_start(folder, config)
        write_splits(folder / SPLITS, plan.manifest, plan.splits, plan.digests)
        (folder / CHECKPOINTS).mkdir()
        write_text(folder / "labelled_images.txt", "".join(f"{manifest.images[row]}\n" for row in train))
        branches = {
            name: _finetune_branch(config, pretraining, name, inputs=inputs, train=train, folder=folder)
            for name in names
        }
        summary = {
            "kind": "finetune",
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
            "n_labels": len(train),
            "labels_per_class": _count(inputs, train),
            "n_validation_labels": len(inputs.rows("val", labelled=True)),
            "splits": plan.counts(),
            "splits_source": plan.source,
            "corrupt_images": len(inputs.corrupt),
            "corrupt_image_names": inputs.corrupt,
            "branches": branches,
        }
        write_json(folder / SUMMARY, summary)
    return FinetuneResult(config.out, summary)


def _branch_names(config: FinetuneConfig) -> list[BranchName]:
    """Return the branches to fine-tune, checked against what the run holds."""
    there = branch_files(config.run)
    names = [name for name in BRANCHES if config.branch in (name, "both")]
    for name in names:
        if name not in there:
            raise OutputError(
                f"{config.run} holds no {name} branch", f"It holds {', '.join(there)}: pass --branch."
            )
    return names


def _labelled_images(
    config: FinetuneConfig, pretraining: PretrainConfig, plan: Plan
) -> tuple[Inputs, NDArray[np.int64]]:
    """Choose the labelled training images, and decode them and the labelled validation images."""
    manifest = plan.manifest
    if not manifest.classes:
        raise DataError(f"{config.labels} has no labels", "Fill the column 'label', or name --label-columns.")
    check_classes(manifest, plan.splits)
    labelled = np.flatnonzero((plan.splits == "train") & manifest.labelled)
    validation = np.flatnonzero((plan.splits == "val") & manifest.labelled)
    if not len(validation):
        raise DataError(
            f"{config.labels} has no labelled validation image", "Label some images of the split 'val'."
        )
    subset = label_subset(
        manifest.targets,
        candidates=labelled,
        fraction=config.label_fraction,
        groups=manifest.groups,
        seed=config.seed,
    )
    inputs = decode(
        plan,
        np.sort(np.concatenate([subset, validation])),
        image_size=pretraining.image_size,
        in_chans=pretraining.in_chans,
        purpose="fine-tuning",
        cache=config.cache,
    )
    train = inputs.rows("train")
    missing = [name for name, count in _count(inputs, train).items() if not count]
    if missing:
        raise DataError(
            f"Class {missing[0]!r} has no readable training image at label fraction {config.label_fraction:g}",
            "Mend its images, label more, or use a larger fraction.",
        )
    log.info(
        "Fine-tuning on %d of %d labelled training images (%g%%): %s; %d labelled validation images.",
        len(train),
        len(labelled),
        100 * config.label_fraction,
        ", ".join(f"{name} {count}" for name, count in _count(inputs, train).items()),
        len(inputs.rows("val", labelled=True)),
    )
    return inputs, train


def _count(inputs: Inputs, rows: NDArray[np.int64]) -> dict[str, int]:
    counts = inputs.manifest.targets[rows].sum(axis=0)
    return {name: int(count) for name, count in zip(inputs.manifest.classes, counts, strict=True)}


def _starting_branch(config: FinetuneConfig, pretraining: PretrainConfig, name: BranchName) -> Branch:
    """Load the pretrained branch, or rebuild the start that it had; both normalise images alike."""
    branch = load_branch(branch_files(config.run)[name])
    if config.without_pretraining:
        start = start_branch(pretraining, name)
        start.set_normalization(branch.mean.flatten().tolist(), branch.std.flatten().tolist())
        branch = start
    return branch


def _finetune_branch(
    config: FinetuneConfig,
    pretraining: PretrainConfig,
    name: BranchName,
    *,
    inputs: Inputs,
    train: NDArray[np.int64],
    folder: Path,
) -> dict[str, Any]:
    """Fine-tune one branch, save its best epoch, and return its part of the summary."""
    from cass.reports.plots import plot_fine_tuning

    manifest = inputs.manifest
    branch = _starting_branch(config, pretraining, name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "classifier", name))
        branch.head = nn.Linear(branch.num_features, len(manifest.classes))
    weights = None
    if config.class_weights:
        weights = class_weights(torch.from_numpy(manifest.targets[train]), task=manifest.task)
    module = FinetuneModule(
        branch,
        settings=config,
        task=manifest.task,
        weights=weights,
        images=StoredImages(inputs.images, train, targets=manifest.targets),
        validation=StoredImages(inputs.images, inputs.rows("val", labelled=True), targets=manifest.targets),
        make_views=build_views(RECIPES[config.views]),
    )
    work = folder / f".{name}"
    best = ModelCheckpoint(dirpath=work, filename="best", monitor="val/loss", save_weights_only=True)
    progress = RunProgress(f"Fine-tuning the {name} branch on {len(train)} labels", images_per_epoch=len(train))
    fit(
        module,
        settings=config,
        epochs=config.epochs,
        callbacks=[EarlyStopping("val/loss", patience=config.patience), progress, best],
        logs=folder / f"tensorboard-{name}",
    )
    saved = torch.load(best.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
    module.load_state_dict(saved)
    shutil.rmtree(work)
    save_branch(branch.to("cpu"), folder / CHECKPOINTS / f"{name}.safetensors")
    write_metrics(folder / f"{name}-{METRICS}", progress.rows)
    plot_fine_tuning(_frame(progress.rows), folder / "plots" / f"{name}.png")
    chosen = min(progress.rows, key=lambda row: row["val/loss"])
    log.info(
        "%s: best epoch %d of %d, validation balanced accuracy %.3f.",
        name,
        chosen["epoch"],
        len(progress.rows),
        chosen["val/balanced_accuracy"],
    )
    return {
        "best_epoch": chosen["epoch"],
        "epochs": len(progress.rows),
        "seconds": round(progress.seconds, 3),
        "val_loss": chosen["val/loss"],
        "val_balanced_accuracy": chosen["val/balanced_accuracy"],
        "class_weights": None if weights is None else [round(float(weight), 6) for weight in weights],
    }


def _frame(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd

    return pd.DataFrame(rows)
