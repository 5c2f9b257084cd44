"""``cass weights``: pretrained weights as files, to carry to a machine without internet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cass.config.weights import WeightsConfig
from cass.errors import OutputError
from cass.files import whole_file
from cass.models.imagenet import WEIGHTS_DIR, file_name, published_file
from cass.resolve.weights import resolve_weights


@dataclass(frozen=True)
class WeightsResult:
    """Weight files.

    Attributes:
        out: The folder.
        files: File by network.
    """

    out: Path
    files: dict[str, Path]


def run_weights(config: WeightsConfig, resolved: dict[str, Any] | None = None) -> WeightsResult:
    """Write the published weights of networks into a folder.

    Args:
        config: Settings of ``cass weights``.
        resolved: What :func:`resolve_weights` returned; None calls it.

    Returns:
        The files.

    Raises:
        CassError: A network is unknown, its weights cannot be downloaded, or the folder cannot be written.
    """
    files: dict[str, Path] = {}
    for name, cfg in (resolved or resolve_weights(config)).items():
        files[name] = config.out / file_name(cfg)
        if files[name].is_file():
            continue
        source = published_file(name, option="")
        try:
            config.out.mkdir(parents=True, exist_ok=True)
            with whole_file(files[name]) as partial:
                shutil.copyfile(source, partial)
        except OSError as error:
            raise OutputError(
                f"{files[name]} cannot be written ({error.strerror})", "Name another --out."
            ) from None
    return WeightsResult(config.out, files)


def show(result: WeightsResult, config: WeightsConfig) -> Iterator[str]:
    """Yield what the command prints."""
    for path in result.files.values():
        yield f"{path}: {path.stat().st_size / 1e6:.1f} MB"
    yield f"On the machine without internet: copy {result.out}, and set {WEIGHTS_DIR} to the folder."
