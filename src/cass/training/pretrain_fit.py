"""One pretraining: the branches at their start, what is settled before the first step, and the fit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from numpy.typing import NDArray

from cass.config.pretrain import PretrainConfig
from cass.data.store.dataset import StoredImages
from cass.data.store.statistics import channel_statistics
from cass.data.store.store import ImageStore
from cass.methods.base import Method, build_method
from cass.models.backbones import Branch, tile_of
from cass.progress import ImageProgress
from cass.seeds import derive_seed
from cass.training.averaging import EpochAveraging, first_averaged_epoch
from cass.training.batch_size import settle_batch_size
from cass.training.engine import fit
from cass.training.gradients import GradientWatch
from cass.training.modules import PretrainModule, optimization
from cass.training.protection import adapt_batch_norms
from cass.training.ranks import devices_of, local_device, nodes_of, world_size
from cass.training.run_progress import RunProgress
from cass.training.start import describe_start, start_branch, uses_image_statistics
from cass.training.stored_embeddings import describe_stored, embed_finite
from cass.training.watch import CollapseWatch
from cass.transforms.recipes import RECIPES, ViewRecipe
from cass.transforms.views import MakeViews, build_views
from cass.types import BranchName

log = logging.getLogger("cass")

_GENTLE = (
    "Few steps or small batches: the learning rate is lowered from %.2g to %.2g, to protect the pretrained "
    "weights. Training for more --epochs gives better features."
)


@dataclass(frozen=True)
class Pretraining:
    """A pretraining that is ready for its first step.

    Attributes:
        method: What is trained, with its branches at their start.
        images: The training images.
        make_views: The augmentation.
        watched_views: The augmentation that the collapse watch uses.
        batch_size: Images per step, over all processes.
        resolved: What the settings left open, resolved: batch size, processes, optimiser and rates.
    """

    method: Method
    images: StoredImages
    make_views: MakeViews
    watched_views: MakeViews
    batch_size: int
    resolved: dict[str, Any]


def prepare_pretraining(
    config: PretrainConfig,
    kind: type[Method],
    names: Sequence[BranchName],
    *,
    recipe: ViewRecipe,
    store: ImageStore,
    rows: NDArray[np.int64],
    earlier_batch_size: int | None,
) -> Pretraining:
    """Build the method and settle all that the settings leave open.

    Args:
        config: Settings of the run.
        kind: The method.
        names: The branches to train.
        recipe: The augmented views of each image that the method asks for.
        store: Decoded images.
        rows: Rows of the N training images.
        earlier_batch_size: What the run that continues has settled on; None for a new run.

    Returns:
        What :func:`fit_pretraining` takes.

    Raises:
        ConfigError: A step is too small to be shared.
        ModelError: A network or its weights are not available or do not fit.
        CassError: Not even 8 images fit into the GPU's memory.
    """
    images = StoredImages(store, rows)
    method = _method_at_start(config, kind, names, store=store, rows=rows, several_sizes=recipe.num_small > 0)
    log.info("%s: %s.", config.method, describe_start(config, names))
    if note := method.start_note():
        log.warning(note)
    if method.uses_start:
        _show_start(method, images, device=local_device(config))
    batch_size = settle_batch_size(
        config, method, num_views=recipe.num_views, images=len(images), earlier=earlier_batch_size
    )
    how = optimization(config, method, batch_size=batch_size, images=len(images))
    if how.lr < method.optimization.lr and config.lr is None:
        log.info(_GENTLE, method.optimization.lr, how.lr)
    make_views = build_views(recipe, tile=tile_of(method))
    return Pretraining(
        method=method,
        images=images,
        make_views=make_views,
        # Strong augmentation would hide whether embeddings still depend on the image.
        watched_views=make_views if kind.num_views == 1 else build_views(RECIPES["paper"]),
        batch_size=batch_size,
        resolved={"batch_size": batch_size, "processes": world_size(config), **asdict(how)},
    )


def fit_pretraining(
    config: PretrainConfig,
    run: Pretraining,
    *,
    watch: CollapseWatch,
    last: Path,
    logs: Path,
    resume_from: Path | None,
    on_epoch: Callable[[list[dict[str, Any]]], None],
) -> RunProgress:
    """Train from the start, or from a checkpoint, to the last epoch.

    Args:
        config: Settings of the run.
        run: What is trained; its method holds the averaged weights afterwards, where they are averaged.
        watch: The collapse watch.
        last: Checkpoint to write after each epoch.
        logs: Folder of the TensorBoard logs.
        resume_from: Checkpoint to continue from; None starts anew.
        on_epoch: Called with all epochs' rows after each epoch.

    Returns:
        The rows of the epochs and the seconds that they took.

    Raises:
        Interrupted: The user stopped the run.
        CassError: Memory runs out, the loss or its gradients are not finite, or another process of the run ended.
    """
    module = PretrainModule(
        run.method, config=config, images=run.images, make_views=run.make_views, batch_size=run.batch_size
    )
    progress = RunProgress(
        "Pretraining", images_per_epoch=len(run.images), on_epoch=on_epoch, describe=watch.describe
    )
    first = first_averaged_epoch(config.averaging_start, config.epochs)
    averaging = None if first is None else EpochAveraging(first)
    saving = ModelCheckpoint(
        dirpath=last.parent,
        filename=last.stem,
        save_top_k=1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    fit(
        module,
        settings=config,
        epochs=config.epochs,
        # In this order: what measures, what averages, what shows, what saves.
        callbacks=[watch, GradientWatch(), *([] if averaging is None else [averaging]), progress, saving],
        logs=logs,
        devices=devices_of(config),
        nodes=nodes_of(config),
        resume_from=resume_from,
    )
    if averaging is not None:
        averaging.apply(module)
    return progress


def _method_at_start(
    config: PretrainConfig,
    kind: type[Method],
    names: Sequence[BranchName],
    *,
    store: ImageStore,
    rows: NDArray[np.int64],
    several_sizes: bool,
) -> Method:
    """Build the method with its branches at their start."""
    branches: dict[str, Branch] = {name: start_branch(config, name, several_sizes=several_sizes) for name in names}
    bits = 8 * store.array.dtype.itemsize
    for name in names:
        if uses_image_statistics(config, name, bits=bits):
            branches[name].set_normalization(*channel_statistics(store, rows))
    if config.batch_norm == "adapted":
        _adapt(config, branches, StoredImages(store, rows))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(config.seed, "heads"))
        method = build_method(kind, config.method_config, branches)
    method.keeps_statistics = config.batch_norm != "live"
    return method


def _adapt(config: PretrainConfig, branches: dict[str, Branch], images: StoredImages) -> None:
    """Estimate the batch-norm statistics of pretrained branches on the training images."""
    pretrained = [branch for branch in branches.values() if branch.spec.weights != "none"]
    with ImageProgress("Estimating batch-norm statistics", total=len(pretrained) * len(images)) as progress:
        for branch in pretrained:
            adapt_batch_norms(
                branch,
                images,
                device=local_device(config),
                seed=derive_seed(config.seed, "batch norm"),
                advance=progress.advance,
            )
            branch.to("cpu")


def _show_start(method: Method, images: StoredImages, *, device: torch.device) -> None:
    """Give the method its branches' embeddings of the training images before the first step."""
    branches = method.branches()
    with ImageProgress("Embedding the training images", total=len(branches) * len(images)) as progress:
        embeddings = {
            name: torch.from_numpy(embed_finite(branch, images, device=device, advance=progress.advance))
            for name, branch in branches.items()
        }
    method.to("cpu").begin(embeddings, lambda: describe_stored(images, device=device))
