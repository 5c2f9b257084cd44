"""What the settings of ``cass benchmark speed`` mean."""

from __future__ import annotations

from cass.config.speed import SpeedConfig
from cass.hardware import accelerator
from cass.models.backbones import BackboneSpec, check_network
from cass.runs.folder import check_free


def resolve_speed(config: SpeedConfig) -> list[BackboneSpec]:
    """Check the output, the device and the networks, and return the networks.

    Raises:
        ConfigError: The device is not there.
        ModelError: A network is unknown, or does not take images of this size.
        OutputError: The output exists.
    """
    if config.json_file is not None:
        check_free(config.json_file, option="--json")
    accelerator(config.device)
    networks = [
        BackboneSpec(config.cnn, image_size=config.image_size, args=config.cnn_args, option="--cnn"),
        BackboneSpec(
            config.transformer,
            image_size=config.image_size,
            args=config.transformer_args,
            option="--transformer",
        ),
    ]
    for network in networks:
        check_network(network)
    return networks
