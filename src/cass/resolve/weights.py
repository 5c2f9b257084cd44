"""What the settings of ``cass weights`` mean."""

from __future__ import annotations

from typing import Any

import timm

from cass.config.weights import WeightsConfig
from cass.errors import ModelError, OutputError, did_you_mean
from cass.models.imagenet import published
from cass.runs.folder import check_free


def resolve_weights(config: WeightsConfig) -> dict[str, Any]:
    """Check the folder and the networks.

    Returns:
        timm's description of the published weights by network.

    Raises:
        ModelError: A network is unknown, or has no published weights.
        OutputError: The folder cannot be written.
    """
    if config.out.is_file():
        raise OutputError(f"--out {config.out} is a file", "Name a folder.")
    if not config.out.is_dir():
        check_free(config.out)
    found = {}
    for name in config.networks:
        if name.split(".")[0] not in timm.list_models():
            known = did_you_mean(name, timm.list_models())
            raise ModelError(f"timm has no model {name!r}", known or "See timm.list_models().")
        found[name] = published(name, option="")
    return found
