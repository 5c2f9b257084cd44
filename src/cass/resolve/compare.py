"""What the settings of ``cass compare`` mean."""

from __future__ import annotations

from cass.config.compare import CompareConfig
from cass.data.manifest.manifest import Manifest
from cass.errors import ConfigError
from cass.resolve.finetune import labelled_manifest, resolve_tuning
from cass.resolve.naming import named
from cass.resolve.pretrain import check_training
from cass.runs.folder import CONFIG, check_free, refuse_other_settings
from cass.runs.pretrain_folder import MAY_CHANGE


def resolve_compare(config: CompareConfig) -> Manifest:
    """Check the output folder, the data set, and the settings of the pretraining and of every fine-tuning.

    Args:
        config: Settings of the comparison.

    Returns:
        The data set.

    Raises:
        ConfigError: An unknown word, or a label fraction outside (0, 1].
        DataError: The data set is missing or malformed, or has no labels.
        ModelError: A network cannot be built, or its weights are missing.
        OutputError: The output folder is taken, or was begun with other settings.
    """
    if not config.resume:
        check_free(config.out)
    elif (config.out / CONFIG).is_file():
        refuse_other_settings(config.out, config, changeable=MAY_CHANGE, written_by="cass compare")
    for fraction in config.label_fractions:
        if not 0 < fraction <= 1:
            raise ConfigError(f"--label-fractions {fraction:g} is not a share", "Give numbers in (0, 1].")
    with named("--finetune"):
        resolve_tuning(config.finetune)
    check_training(config)
    return labelled_manifest(config.data, config)
