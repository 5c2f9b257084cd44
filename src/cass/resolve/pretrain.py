"""What the settings of ``cass pretrain`` mean."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cass.config.base import build_config
from cass.config.pretrain import PretrainConfig
from cass.data.manifest.manifest import Manifest, load_manifest
from cass.errors import ConfigError
from cass.methods.base import METHODS, Method, MethodConfig, branch_names
from cass.models.backbones import BackboneSpec, Branch, check_network
from cass.resolve.naming import chosen, named
from cass.runs.pretrain_folder import claim_folder, earlier_objective
from cass.training.ranks import is_main, world_size
from cass.training.start import starting_spec
from cass.transforms.recipes import RECIPES, ViewRecipe, fit_recipe
from cass.types import BranchName

log = logging.getLogger("cass")


@dataclass(frozen=True)
class ResolvedMethod:
    """What a pretraining run trains, and on which views.

    Attributes:
        kind: The method.
        objective: Name of its objective; None where it has only one.
        settings: The settings of the method.
        names: The branches to train.
        recipe: The augmentations; one view for each that the method needs.
    """

    kind: type[Method]
    objective: str | None
    settings: MethodConfig
    names: tuple[BranchName, ...]
    recipe: ViewRecipe

    def networks(self, config: PretrainConfig) -> list[BackboneSpec]:
        """Return what the branches are built from."""
        several_sizes = self.recipe.num_small > 0
        return [starting_spec(config, name, several_sizes=several_sizes) for name in self.names]

    def described(self) -> dict[str, Any]:
        """Return what a run keeps of the method: its objective and all settings, defaults included."""
        return {"objective": self.objective, "method_config": self.settings.model_dump(mode="json")}


@dataclass(frozen=True)
class ResolvedPretrain:
    """What can be known of a pretraining run without decoding images.

    Attributes:
        method: The method, its branches and its views.
        manifest: The data set.
    """

    method: ResolvedMethod
    manifest: Manifest


def resolve_pretrain(config: PretrainConfig) -> ResolvedPretrain:
    """Resolve the settings of a pretraining run: output folder, method, device, networks, weights, data set.

    Args:
        config: Settings of the run.

    Raises:
        ConfigError: An unknown method, objective, setting, view recipe or device.
        DataError: The data set is missing or malformed.
        ModelError: An unknown network, weights that are missing, or an image size that does not fit.
        OutputError: The output folder is taken, or holds another run.
    """
    if is_main(config):
        claim_folder(config)
    method = check_training(config)
    return ResolvedPretrain(method, load_manifest(config.data, config))


def check_training(config: PretrainConfig) -> ResolvedMethod:
    """Resolve the method, and check the device, the networks and their weights.

    Args:
        config: Settings of the run.

    Raises:
        ConfigError: An unknown method, objective, setting, view recipe or device; or a CNN and a Transformer in
            each other's place.
        ModelError: An unknown network, weights that are missing, or an image size that does not fit.
    """
    method = resolve_method(config)
    world_size(config)
    _check_kinds([check_network(spec) for spec in method.networks(config)])
    return method


def _check_kinds(branches: Sequence[Branch]) -> None:
    """Refuse a CNN and a Transformer in each other's place, and warn of two networks of one kind."""
    if len(branches) < 2:
        return
    cnn, transformer = branches
    if cnn.is_transformer and not transformer.is_transformer:
        raise ConfigError(
            f"--cnn {cnn.spec.name!r} is a vision Transformer, and --transformer {transformer.spec.name!r} is not",
            "Swap them.",
        )
    if cnn.is_transformer == transformer.is_transformer:
        kind = "vision Transformers" if cnn.is_transformer else "CNNs"
        log.warning(
            "%r and %r are both %s: cass gains from pairing a CNN with a vision Transformer.",
            cnn.spec.name,
            transformer.spec.name,
            kind,
        )


def resolve_method(config: PretrainConfig) -> ResolvedMethod:
    """Resolve the method, its settings and its views.

    Args:
        config: Settings of the run.

    Raises:
        ConfigError: An unknown method, objective, setting or view recipe, or one that the method cannot take.
    """
    chosen("--method", config.method, METHODS)
    objective = config.objective or earlier_objective(config) or METHODS.objective(config.method)
    kind = METHODS.find(config.method, objective)
    names = branch_names(kind, config.method, config.branch)
    with named("--method-config"):
        settings = build_config(kind.Config, config.method_config)
    recipe = chosen("--views", config.views or kind.default_views, RECIPES)
    views = fit_recipe(recipe, num_views=kind.num_views, takes_small=kind.takes_small)
    return ResolvedMethod(kind, objective, settings, names, views)
