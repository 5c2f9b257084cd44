"""``cass pretrain``: train the branches without labels."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cass.auditing.guard import guard, guard_pixels
from cass.auditing.kept_pairs import near_families
from cass.config.pretrain import PretrainConfig
from cass.data.manifest.manifest import Manifest
from cass.files import write_json
from cass.methods import Method
from cass.models.checkpoints import save_branch
from cass.resolve.pretrain import ResolvedPretrain, resolve_pretrain
from cass.runs.failure import failure_kept
from cass.runs.folder import CHECKPOINTS, LAST, METRICS, RUN_FORMAT, SUMMARY, claimed, read_metrics, write_metrics
from cass.runs.forecast import forecast_lines, forecast_pretraining
from cass.runs.inputs import Inputs, Plan, decode, make_plan
from cass.runs.pretrain_folder import (
    claim_folder,
    earlier_batch_size,
    earlier_checkpoint,
    earlier_source,
    earlier_splits,
    require_earlier_images,
    write_beginning,
)
from cass.runs.watching import watch_data
from cass.training.averaging import first_averaged_epoch
from cass.training.gradients import gradient_cautions
from cass.training.pretrain_fit import Pretraining, fit_pretraining, prepare_pretraining
from cass.training.ranks import is_main, local_device
from cass.training.run_progress import RunProgress
from cass.training.start import random_start_cautions
from cass.training.watch import CollapseWatch
from cass.types import Caution

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger("cass")


@dataclass(frozen=True)
class PretrainResult:
    """A finished pretraining run.

    Attributes:
        out: The run folder.
        summary: What stands in its summary.json.
    """

    out: Path
    summary: dict[str, Any]

    @property
    def exit_code(self) -> int:
        """Exit code of the command: 1 where a branch has collapsed."""
        return int(bool(self.collapsed))

    def frame(self) -> pd.DataFrame:
        """Return a row for each epoch: loss, speed, and what the collapse watch measured of each branch."""
        return read_metrics(self.out)

    @property
    def collapsed(self) -> list[str]:
        """Names of the branches that have collapsed."""
        return [name for name, entry in self.summary["branches"].items() if entry["collapsed"]]


def run_pretrain(config: PretrainConfig, resolved: ResolvedPretrain | None = None) -> PretrainResult:
    """Train the branches without labels, or continue a run that was stopped.

    Args:
        config: Settings of ``cass pretrain``.
        resolved: What :func:`resolve_pretrain` returned; None calls it.

    Returns:
        The run folder and its summary.

    Raises:
        CassError: A setting, the data set, the networks or the output folder cannot be used.
        Interrupted: The run was stopped; ``resume`` continues it.
    """
    main, out = is_main(config), config.out
    if not main:
        log.setLevel(logging.ERROR)
    resolved = resolved or resolve_pretrain(config)
    plan, inputs, cautions = _images(config, resolved.manifest)
    run = prepare_pretraining(
        config,
        resolved.method.kind,
        resolved.method.names,
        recipe=resolved.method.recipe,
        store=inputs.images,
        rows=inputs.rows("train"),
        earlier_batch_size=earlier_batch_size(config),
    )
    few = random_start_cautions(config, resolved.method.names, images=len(run.images), batch_size=run.batch_size)
    for caution in few:
        log.warning(caution["message"])
    with claimed(out) if main else nullcontext():
        if main:
            claim_folder(config)  # another process may have begun meanwhile
            write_beginning(config, plan, run.resolved | resolved.method.described())
        with failure_kept(out) if main else nullcontext():
            watch, progress = _train_and_watch(config, run, inputs)
        if not main:
            sys.exit(0)  # what follows is written once
        return _finish(
            config,
            plan=plan,
            inputs=inputs,
            method=run.method,
            watch=watch,
            progress=progress,
            cautions=cautions + few,
        )


def _train_and_watch(
    config: PretrainConfig, run: Pretraining, inputs: Inputs
) -> tuple[CollapseWatch, RunProgress]:
    """Train and measure."""
    watched = watch_data(
        inputs,
        make_views=run.watched_views,
        images=config.watch_images,
        neighbours=config.watch_neighbours,
        seed=config.seed,
    )
    watch = CollapseWatch(run.method.branches(), watched, say=log.warning)
    progress = fit_pretraining(
        config,
        run,
        watch=watch,
        last=config.out / CHECKPOINTS / LAST,
        logs=config.out / "tensorboard",
        resume_from=earlier_checkpoint(config),
        on_epoch=lambda rows: write_metrics(config.out / METRICS, rows),
    )
    return watch, progress


def forecast_pretrain(config: PretrainConfig, resolved: ResolvedPretrain) -> Iterator[str]:
    """Yield what the run would do, and what it would take.

    Args:
        config: Settings of ``cass pretrain``.
        resolved: What :func:`resolve_pretrain` returned.

    Raises:
        CassError: The images, the networks or the batch size cannot be used.
    """
    method = resolved.method
    yield from forecast_lines(
        forecast_pretraining(config, resolved.manifest, method.kind, method.names, method.recipe), config
    )


def _images(config: PretrainConfig, manifest: Manifest) -> tuple[Plan, Inputs, list[Caution]]:
    """Settle the splits, decode the training and validation images, and say what is doubtful about them."""
    plan = make_plan(manifest, seed=config.seed, known=earlier_splits(config), families=near_families)
    plan = replace(plan, source=earlier_source(config) or plan.source)
    require_earlier_images(config, plan)
    cautions = guard(plan, source=config.data, allow_leakage=config.allow_leakage)
    inputs = decode(
        plan,
        plan.rows("train", "val"),
        image_size=config.image_size,
        in_chans=config.in_chans,
        purpose="pretraining",
        cache=config.cache,
    )
    cautions += guard_pixels(inputs.images, inputs.rows("train"), source=config.data)
    log.info(
        "Pretraining uses the %d readable training images, labelled or not; the networks never see the %d "
        "test images.",
        len(inputs.rows("train")),
        len(plan.rows("test")),
    )
    return plan, inputs, cautions


def _finish(
    config: PretrainConfig,
    *,
    plan: Plan,
    inputs: Inputs,
    method: Method,
    watch: CollapseWatch,
    progress: RunProgress,
    cautions: list[Caution],
) -> PretrainResult:
    """Save the branches, judge them, draw the plots and write the summary, which marks the run as finished."""
    from cass.reports.plots import plot_pretraining

    out = config.out
    first = first_averaged_epoch(config.averaging_start, config.epochs)
    if first is not None and first < config.epochs - 1:  # else the saved weights are the last epoch's
        method.to(local_device(config))
        watch.measure_final()
    method.to("cpu")
    branches = _save_branches(out, method, watch)
    images_seen = config.epochs * len(inputs.rows("train"))
    summary = {
        "kind": "pretrain",
        "format": RUN_FORMAT,
        "generated_data": plan.manifest.generated,
        "method": config.method,
        "epochs": config.epochs,
        "images_seen": images_seen,
        "seconds": round(progress.seconds, 3),
        "images_per_second": round(images_seen / max(progress.seconds, 1e-9), 2),
        "loss_first_epoch": progress.rows[0].get("train/loss"),
        "loss_last_epoch": progress.rows[-1].get("train/loss"),
        "splits": plan.counts(),
        "splits_source": plan.source,
        "leakage": list(plan.leaks),
        "corrupt_images": len(inputs.unreadable),
        "corrupt_image_names": inputs.unreadable,
        "branches": branches,
        "cautions": cautions
        + gradient_cautions(progress.rows)
        + [
            {"code": entry["verdict"].lower().replace(" ", "-"), "message": f"{name}: {entry['reason']}"}
            for name, entry in branches.items()
            if entry["verdict"] != "no collapse"
        ],
    }
    plot_pretraining(watch.table(progress.rows), out / "plots" / "pretraining.png")
    write_json(out / SUMMARY, summary)
    return PretrainResult(out, summary)


def _save_branches(out: Path, method: Method, watch: CollapseWatch) -> dict[str, Any]:
    """Save each branch and say what became of it; returns the branches' part of the summary."""
    entries: dict[str, Any] = {}
    for name, branch in method.branches().items():
        save_branch(branch, out / CHECKPOINTS / f"{name}.safetensors")
        readings = watch.readings(name)
        judged = watch.verdict(name)
        entry: dict[str, Any] = {}
        for key in readings[0].to_dict():
            entry[f"{key}_start"] = readings[0].to_dict()[key]
            entry[f"{key}_end"] = readings[-1].to_dict()[key]
        entry |= {
            "verdict": judged.state,
            "collapsed": judged.collapsed,
            "reason": judged.reason,
            "advice": judged.advice,
        }
        entry |= {"mean": branch.mean.flatten().tolist(), "std": branch.std.flatten().tolist()}
        entries[name] = entry
        log.warning("%s: %s (%s). %s", name, judged.state, judged.reason, judged.advice)
    return entries
