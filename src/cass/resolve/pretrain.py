"""What the settings of ``cass pretrain`` mean."""

from __future__ import annotations

from dataclasses import dataclass

from cass.config.base import build_config
from cass.config.pretrain import PretrainConfig
from cass.hardware import accelerator
from cass.methods.base import METHODS, Method, MethodConfig, branch_names
from cass.models.backbones import BackboneSpec, check_network
from cass.resolve.naming import chosen, named
from cass.training.ranks import world_size
from cass.training.start import starting_spec
from cass.transforms.recipes import RECIPES, ViewRecipe, fit_recipe
from cass.types import BranchName


@dataclass(frozen=True)
class ResolvedPretrain:
    """What can be known of a pretraining run without its images.

    Attributes:
        kind: The method.
        settings: The settings of the method.
        names: The branches to train.
        recipe: The views of an image, as many as the method takes.
    """

    kind: type[Method]
    settings: MethodConfig
    names: tuple[BranchName, ...]
    recipe: ViewRecipe

    def networks(self, config: PretrainConfig) -> list[BackboneSpec]:
        """Return what the branches are built from."""
        several_sizes = self.recipe.num_small > 0
        return [starting_spec(config, name, several_sizes=several_sizes) for name in self.names]


def resolve_pretrain(config: PretrainConfig) -> ResolvedPretrain:
    """Resolve the settings of a pretraining run, and check its networks, weights and device.

    Args:
        config: Settings of the run.

    Raises:
        ConfigError: An unknown method, objective, setting, view recipe or device.
        ModelError: An unknown network, weights that are missing, or an image size that does not fit.
    """
    resolved = resolve_method(config)
    accelerator(config.device)
    world_size(config)
    for spec in resolved.networks(config):
        check_network(spec)
    return resolved


def resolve_method(config: PretrainConfig) -> ResolvedPretrain:
    """Resolve the method, its settings and its views.

    Args:
        config: Settings of the run.

    Raises:
        ConfigError: An unknown method, objective, setting or view recipe, or one that the method cannot take.
    """
    chosen("--method", config.method, METHODS)
    kind = METHODS.find(config.method, config.objective)
    names = branch_names(kind, config.method, config.branch)
    with named("--method-config"):
        settings = build_config(kind.Config, config.method_config)
    recipe = chosen("--views", config.views or kind.default_views, RECIPES)
    return ResolvedPretrain(
        kind, settings, names, fit_recipe(recipe, num_views=kind.num_views, takes_small=kind.takes_small)
    )
