"""What the settings of ``cass finetune`` mean."""

from __future__ import annotations

from dataclasses import dataclass

from cass.config.finetune import FinetuneConfig, TuneSettings
from cass.config.pretrain import PretrainConfig
from cass.hardware import accelerator
from cass.resolve.naming import chosen
from cass.runs.folder import check_free, chosen_branches, read_config
from cass.transforms.recipes import RECIPES, ViewRecipe
from cass.types import BranchName


@dataclass(frozen=True)
class ResolvedFinetune:
    """What can be known of a fine-tuning run without its images.

    Attributes:
        pretraining: Settings of the pretraining run.
        names: The branches to fine-tune.
    """

    pretraining: PretrainConfig
    names: tuple[BranchName, ...]


def resolve_finetune(config: FinetuneConfig) -> ResolvedFinetune:
    """Resolve the settings of a fine-tuning run, and check its output folder and its pretraining run.

    Args:
        config: Settings of the run.

    Raises:
        ConfigError: An unknown view recipe or device.
        OutputError: The output folder is taken, or the pretraining run is unfinished or lacks the branch.
    """
    check_free(config.out)
    resolve_tuning(config)
    pretraining = read_config(config.run, PretrainConfig, written_by="cass pretrain")
    return ResolvedFinetune(pretraining, tuple(chosen_branches(config.run, config.branch)))


def resolve_tuning(settings: TuneSettings) -> ViewRecipe:
    """Resolve how a branch is fine-tuned: the view recipe and the device.

    Args:
        settings: Settings of the fine-tuning.

    Raises:
        ConfigError: An unknown view recipe or device.
    """
    accelerator(settings.device)
    return chosen("--views", settings.views, RECIPES)
