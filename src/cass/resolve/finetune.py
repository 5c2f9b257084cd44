"""What the settings of ``cass finetune`` mean."""

from __future__ import annotations

from dataclasses import dataclass

from cass.config.finetune import FinetuneConfig, TuneSettings
from cass.config.pretrain import PretrainConfig
from cass.config.shared import LabelSettings
from cass.data.manifest.manifest import Manifest, load_manifest
from cass.errors import DataError
from cass.hardware import accelerator
from cass.resolve.naming import chosen
from cass.runs.finetune_folder import claim_tuning, confirm_finished, has_finished
from cass.runs.folder import check_free, chosen_branches, read_config
from cass.transforms.recipes import RECIPES, tuning_views
from cass.types import BranchName


@dataclass(frozen=True)
class ResolvedFinetune:
    """What can be known of a fine-tuning run without decoding images.

    Attributes:
        config: Settings of the run, complete.
        pretraining: Settings of the pretraining run.
        names: The branches to fine-tune.
        manifest: The data set.
    """

    config: FinetuneConfig
    pretraining: PretrainConfig
    names: tuple[BranchName, ...]
    manifest: Manifest


def resolve_finetune(config: FinetuneConfig) -> ResolvedFinetune:
    """Resolve the settings of a fine-tuning run, and check its output folder and its pretraining run.

    Args:
        config: Settings of the run.

    Raises:
        ConfigError: An unknown view recipe or device.
        DataError: The data set is missing or malformed, or has no labels.
        OutputError: The output folder is taken or was begun otherwise, or the pretraining run is unfinished or
            lacks the branch.
    """
    if not has_finished(config):
        check_free(config.out)
    resolve_tuning(config)
    pretraining = read_config(config.run, PretrainConfig, written_by="cass pretrain")
    config = config.model_copy(update={"views": config.views or tuning_views(pretraining.views)})
    if has_finished(config):
        confirm_finished(config)
    claim_tuning(config)
    names = tuple(chosen_branches(config.run, config.branch))
    return ResolvedFinetune(config, pretraining, names, labelled_manifest(config.labels, config))


def labelled_manifest(data: str, settings: LabelSettings) -> Manifest:
    """Read a data set that must have labels, and something to tell apart.

    Args:
        data: Folder, CSV, or ``generated``.
        settings: How its labels are read.

    Raises:
        DataError: It is missing or malformed, or has no labels, or only one class.
    """
    manifest = load_manifest(data, settings)
    if not manifest.classes:
        raise DataError(
            f"{data} has no labels",
            "Fill the column 'label', or name yours with --label-column or --label-columns.",
        )
    if manifest.task == "multiclass" and len(manifest.classes) == 1:
        raise DataError(
            f"All labelled images of {data} are of one class, {manifest.classes[0]!r}",
            "Add labelled images of another class, with which this one is to be told apart.",
        )
    return manifest


def resolve_tuning(settings: TuneSettings) -> None:
    """Check how a branch is fine-tuned: the view recipe and the device.

    Args:
        settings: Settings of the fine-tuning.

    Raises:
        ConfigError: An unknown view recipe or device.
    """
    accelerator(settings.device)
    if settings.views is not None:
        chosen("--views", settings.views, RECIPES)
