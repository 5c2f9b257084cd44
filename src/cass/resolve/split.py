"""What the settings of ``cass split`` mean."""

from __future__ import annotations

from cass.config.split import SplitConfig
from cass.data.manifest.manifest import Manifest, load_manifest
from cass.resolve.naming import check_new_csv


def resolve_split(config: SplitConfig) -> Manifest:
    """Check the CSV to write, and read the data set.

    Raises:
        ConfigError: The output is no .csv file.
        DataError: The data set is missing or malformed.
        OutputError: The output exists, or cannot be written.
    """
    check_new_csv(config.out)
    return load_manifest(config.data, config)
