"""``cass pretrain``: train the branches without labels."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

from cass.auditing.guard import guard
from cass.config.base import build_config
from cass.config.pretrain import PretrainConfig
from cass.data.splits.resolve import read_splits, write_splits
from cass.data.store.dataset import StoredImages
from cass.data.store.statistics import channel_statistics
from cass.errors import ConfigError, OutputError
from cass.files import write_json
from cass.methods import Method
from cass.methods.base import branch_names, build_method, find_method
from cass.models.backbones import Branch, tile_of
from cass.models.checkpoints import save_branch
from cass.progress import ImageProgress
from cass.runs.folder import (
    CHECKPOINTS,
    CONFIG,
    LAST,
    METRICS,
    RESOLVED,
    SPLITS_FILE,
    SUMMARY,
    check_free,
    read_config,
    write_metrics,
    write_start,
)
from cass.runs.inputs import Inputs, Plan, decode, make_plan
from cass.runs.watching import watch_data
from cass.seeds import derive_seed
from cass.training.averaging import EpochAveraging, first_averaged_epoch
from cass.training.batch_size import largest_batch
from cass.training.engine import fit
from cass.training.pretrain import PretrainModule, optimization
from cass.training.probing import describe_stored, embed_stored
from cass.training.ranks import devices_of, is_main, local_device, nodes_of, world_size
from cass.training.run_progress import RunProgress
from cass.training.start import branch_spec, describe_start, start_branch, uses_image_statistics
from cass.training.watch import CollapseWatch
from cass.transforms.recipes import RECIPES, fit_recipe
from cass.transforms.views import build_views
from cass.types import BranchName

log = logging.getLogger("cass")
# A run may continue elsewhere: what it computes does not depend on how many processes share a step.
_MAY_CHANGE = {"resume", "out", "devices", "nodes", "num_workers", "cache"}
_GENTLE = (
    "Few steps or small batches: the learning rate is lowered to %.2g, from %.2g, so as not to damage the start. "
    "More --epochs learn more."
)
_UNTAUGHT = (
    "Both branches start from random numbers, so they learn from edges and textures instead of from what a "
    "pretrained network sees. Pretrained weights, if only of photographs, are a better start: --cnn-weights, "
    "--transformer-weights."
)


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
    def collapsed(self) -> list[str]:
        """Names of the branches that have collapsed."""
        return [name for name, entry in self.summary["branches"].items() if entry["collapsed"]]


def pretrain(
    data: str | Path, *, out: str | Path, config: str | Path | None = None, **settings: Any
) -> PretrainResult:
    """Train a CNN and a Transformer together on images without labels.

    Args:
        data: Folder of images, CSV manifest, or ``generated``.
        out: Run folder to write.
        config: YAML file with further settings.
        settings: Fields of :class:`cass.config.pretrain.PretrainConfig` by name.

    Returns:
        The run folder and its summary.

    Raises:
        CassError: For anything that the user can mend, in one line.
        Interrupted: Where the run was stopped; ``resume=True`` continues it.
    """
    values = settings | {"data": str(data), "out": Path(out)}
    return run_pretrain(build_config(PretrainConfig, values, source=Path(config) if config else None))


def run_pretrain(config: PretrainConfig) -> PretrainResult:
    """Do what :func:`pretrain` says, with a configuration that is already checked."""
    main = is_main(config)
    if main:
        _check_output(config)
    else:
        log.setLevel(logging.ERROR)
    kind = find_method(config.method, config.objective)
    names = branch_names(kind, config.method, config.branch)
    out = config.out
    known = read_splits(out / SPLITS_FILE) if (out / SPLITS_FILE).is_file() else None
    plan = make_plan(config.data, label_columns=config.label_columns, seed=config.seed, known=known)
    guard(plan, source=config.data, allow_leakage=config.allow_leakage)
    rows = plan.rows("train", "val")
    inputs = decode(
        plan,
        rows,
        image_size=config.image_size,
        in_chans=config.in_chans,
        purpose="pretraining",
        cache=config.cache,
    )
    train = inputs.rows("train")
    log.info(
        "Pretraining uses the %d readable training images, labelled or not; the networks never see the %d "
        "test images.",
        len(train),
        len(plan.rows("test")),
    )
    recipe = fit_recipe(
        RECIPES[config.views or kind.default_views], views=kind.views, takes_small=kind.takes_small
    )
    method = _build(config, kind, names, inputs, several_sizes=recipe.small > 0)
    log.info("%s: %s.", config.method, describe_start(config, names))
    images = StoredImages(inputs.images, train)
    if method.uses_start:
        if all(branch_spec(config, name).weights == "none" for name in names):
            log.warning(_UNTAUGHT)
        _show_start(method, images, device=local_device(config))
    batch_size = _batch_size(config, method, views=recipe.views, images=len(train))
    if main:
        out.mkdir(parents=True, exist_ok=True)
        write_start(out, config)
        write_splits(out / SPLITS_FILE, plan.manifest, plan.splits, plan.digests)
        how = optimization(config, method, batch_size=batch_size, images=len(train))
        if how.lr < method.optimization.lr and config.lr is None:
            log.info(_GENTLE, how.lr, method.optimization.lr)
        settled = dataclasses.asdict(how)
        write_json(out / RESOLVED, {"batch_size": batch_size, "processes": world_size(config), **settled})
    make_views = build_views(recipe, tile=tile_of(method))
    watch = CollapseWatch(
        method.branches(),
        watch_data(
            inputs,
            # Views that are made to be hard would hide what is left of an image.
            make_views=make_views if kind.views == 1 else build_views(RECIPES["paper"]),
            images=config.watch_images,
            neighbours=config.watch_neighbours,
            seed=config.seed,
        ),
        say=log.warning,
    )
    module = PretrainModule(
        method,
        config=config,
        images=images,
        make_views=make_views,
        batch_size=batch_size,
    )
    progress = RunProgress(
        "Pretraining",
        images_per_epoch=len(train),
        on_epoch=lambda rows: write_metrics(out / METRICS, rows),
        describe=watch.describe,
    )
    last = out / CHECKPOINTS / LAST
    first = first_averaged_epoch(config.averaging_start, config.epochs)
    averaging = None if first is None else EpochAveraging(first)
    fit(
        module,
        settings=config,
        epochs=config.epochs,
        callbacks=_callbacks(config, watch, averaging, progress),
        logs=out / "tensorboard",
        devices=devices_of(config),
        nodes=nodes_of(config),
        resume_from=last if config.resume and last.is_file() else None,
    )
    if not main:
        sys.exit(0)  # what follows is written once
    if averaging is not None:
        averaging.apply(module)
    return _finish(config, plan=plan, inputs=inputs, method=method, watch=watch, progress=progress)


def _batch_size(config: PretrainConfig, method: Method, *, views: int, images: int) -> int:
    """Settle the images a step, or take what the run that continues has settled."""
    world = world_size(config)
    smallest = 2 * world * config.accumulate
    before = config.out / RESOLVED
    if config.batch_size != "auto":
        size = config.batch_size
    elif config.resume and before.is_file():
        size = int(json.loads(before.read_text(encoding="utf-8"))["batch_size"])
    else:
        size = largest_batch(method, config, views=views, images=images, world_size=world)
        log.info("Batch size: %d images a step.", size)
    if min(size, images) < smallest:
        raise ConfigError(
            f"A step of {min(size, images)} images cannot be shared by {world} processes in {config.accumulate} "
            "parts of two or more",
            f"Use at least --batch-size {smallest} and as many training images, or fewer --devices.",
        )
    return size


def _check_output(config: PretrainConfig) -> None:
    """Claim the output folder, or check that it holds the run to continue."""
    out = config.out
    if not config.resume or not out.exists():
        check_free(out)
        return
    if not (out / CONFIG).is_file():
        if any(out.iterdir()):
            raise OutputError(
                f"{out} holds no run to continue (no {CONFIG})", "Drop --resume and choose a new --out."
            )
        return
    before = read_config(out, PretrainConfig, written_by="cass pretrain").model_dump(exclude=_MAY_CHANGE)
    now = config.model_dump(exclude=_MAY_CHANGE)
    changed = [key for key, value in now.items() if value != before[key]]
    if changed:
        key = changed[0]
        raise OutputError(
            f"{out} was started with {key} = {before[key]!r}, not {now[key]!r}",
            f"Continue with the run's own settings: --config {out / CONFIG} --resume.",
        )
    if (out / SUMMARY).is_file():
        raise OutputError(f"The run in {out} has finished", "Use it, or choose a new --out.")


def _build(
    config: PretrainConfig,
    kind: type[Method],
    names: Sequence[BranchName],
    inputs: Inputs,
    *,
    several_sizes: bool,
) -> Method:
    """Build the method with its branches at their start."""
    branches: dict[str, Branch] = {name: start_branch(config, name, several_sizes=several_sizes) for name in names}
    bits = 8 * inputs.images.array.dtype.itemsize
    for name in names:
        if uses_image_statistics(config, name, bits=bits):
            branches[name].set_normalization(*channel_statistics(inputs.images, inputs.rows("train")))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "heads"))
        return build_method(kind, config.method_config, branches)


def _show_start(method: Method, images: StoredImages, *, device: torch.device) -> None:
    """Let the method know how its branches see the training images before the first step."""
    branches = method.branches()
    with ImageProgress("Embedding the start", total=len(branches) * len(images)) as progress:
        embeddings = {
            name: torch.from_numpy(embed_stored(branch, images, device=device, advance=progress.advance))
            for name, branch in branches.items()
        }
    method.to("cpu").begin(embeddings, lambda: describe_stored(images, device=device))


def _callbacks(
    config: PretrainConfig, watch: CollapseWatch, averaging: EpochAveraging | None, progress: RunProgress
) -> list[Callback]:
    """Order the callbacks: what measures, what averages, what shows, what saves."""
    saving = ModelCheckpoint(
        dirpath=config.out / CHECKPOINTS,
        filename=Path(LAST).stem,
        save_top_k=1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    return [watch, *([] if averaging is None else [averaging]), progress, saving]


def _finish(
    config: PretrainConfig,
    *,
    plan: Plan,
    inputs: Inputs,
    method: Method,
    watch: CollapseWatch,
    progress: RunProgress,
) -> PretrainResult:
    """Save the branches, judge them, draw the plots and write the summary, which marks the run as finished."""
    from cass.reports.plots import plot_pretraining

    out = config.out
    method.to(local_device(config))
    watch.measure_final()
    method.to("cpu")
    branches: dict[str, Any] = {}
    for name, branch in method.branches().items():
        save_branch(branch, out / CHECKPOINTS / f"{name}.safetensors")
        readings = watch.readings(name)
        judged = watch.verdict(name)
        entry: dict[str, Any] = {}
        for key in readings[0].to_dict():
            entry[f"{key}_start"] = readings[0].to_dict()[key]
            entry[f"{key}_end"] = readings[-1].to_dict()[key]
        entry |= {"collapsed": judged.collapsed, "reason": judged.reason, "advice": judged.advice}
        entry |= {"mean": branch.mean.flatten().tolist(), "std": branch.std.flatten().tolist()}
        branches[name] = entry
        state = "COLLAPSED" if judged.collapsed else "no collapse"
        log.warning("%s: %s (%s). %s", name, state, judged.reason, judged.advice)
    images_seen = config.epochs * len(inputs.rows("train"))
    summary = {
        "kind": "pretrain",
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
        "corrupt_images": len(inputs.corrupt),
        "corrupt_image_names": inputs.corrupt,
        "branches": branches,
    }
    plot_pretraining(watch.table(progress.rows), out / "plots" / "pretraining.png")
    write_json(out / SUMMARY, summary)
    return PretrainResult(out, summary)
