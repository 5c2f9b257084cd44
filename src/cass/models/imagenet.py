"""The pretrained weights that timm publishes: found on this machine, or downloaded with one short attempt."""

from __future__ import annotations

import logging
import os
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from cass.errors import ModelError
from cass.models.weight_files import weight_file

WEIGHTS_DIR = "CASS_WEIGHTS_DIR"
"""Environment variable: a folder of safetensors files, each named after its timm model."""

PATIENCE = 4.0
"""Seconds within which the server must answer."""

log = logging.getLogger("cass")


def published(name: str, *, option: str) -> Any:
    """Return timm's description of the published weights of a network.

    Args:
        name: A timm model name, with or without the tag of its weights.
        option: Name of the user's option, for messages; "" where the user asked for the weights alone.

    Raises:
        ModelError: timm publishes no weights for it, or only files that would have to be unpickled.
    """
    import timm

    cfg = timm.get_pretrained_cfg(name)
    if cfg is None or not (cfg.hf_hub_id or cfg.url):
        raise ModelError(f"{_of(option)}timm publishes no weights for {name!r}", _instead(option))
    if not cfg.hf_hub_id:
        raise ModelError(
            f"{_of(option)}timm publishes the weights of {name!r} only as a file that cass does not unpickle",
            _instead(option),
        )
    return cfg


def file_name(cfg: Any) -> str:
    """Return the file name of published weights, such as ``resnet50.a1_in1k.safetensors``."""
    return f"{cfg.architecture}{f'.{cfg.tag}' if cfg.tag else ''}.safetensors"


def published_file(name: str, *, option: str) -> Path:
    """Find the published weights of a network: in CASS_WEIGHTS_DIR, in Hugging Face's cache, or by download.

    Args:
        name: A timm model name.
        option: Name of the user's option, for messages.

    Returns:
        A safetensors file.

    Raises:
        ModelError: There are none on this machine, and they cannot be downloaded; the message names the file.
    """
    cfg = published(name, option=option)
    return _in_weights_folder(name, cfg) or _in_hub_cache(cfg) or _downloaded(name, cfg, option=option)


def _in_weights_folder(name: str, cfg: Any) -> Path | None:
    folder = os.environ.get(WEIGHTS_DIR)
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise ModelError(f"{WEIGHTS_DIR}={folder} is not a folder", "Name the folder of the weight files.")
    for stem in (file_name(cfg), f"{name}.safetensors"):
        if (path := Path(folder).expanduser() / stem).is_file():
            return weight_file(path, option=WEIGHTS_DIR)
    return None


def _in_hub_cache(cfg: Any) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(cfg.hf_hub_id, "model.safetensors")
    return Path(found) if isinstance(found, str) else None


def _downloaded(name: str, cfg: Any, *, option: str) -> Path:
    from huggingface_hub import constants, hf_hub_download

    reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else _unreachable(constants.ENDPOINT)
    if not reason:
        log.info("Downloading %s from %s.", file_name(cfg), constants.ENDPOINT)
        try:
            return Path(hf_hub_download(cfg.hf_hub_id, "model.safetensors", etag_timeout=PATIENCE))
        except Exception as error:  # the hub has many
            reason = f"the download failed: {type(error).__name__}"
    raise ModelError(
        f"{_of(option)}the weights {file_name(cfg)} are not on this machine, and {reason}",
        f"Where there is internet, run cass weights {name} --out weights; copy the folder here and set "
        f"{WEIGHTS_DIR} to it. {_instead(option)}",
    )


def _of(option: str) -> str:
    return f"{option}: " if option else ""


def _instead(option: str) -> str:
    if not option:
        return "Or choose another network."
    return f"Or pass {option}-weights FILE.safetensors, or none for random initialisation."


def _unreachable(address: str) -> str:
    """Ask a server once; returns why it cannot be reached, or nothing.

    The question is asked in a thread of its own, since looking up a name may take longer than any time limit.
    """
    answer: list[str] = []

    def ask() -> None:
        request = urllib.request.Request(address, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE):
                answer.append("")
        except urllib.error.HTTPError:
            answer.append("")  # it answers, and that is what was asked
        except (OSError, ValueError):
            answer.append(f"{address} cannot be reached")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE + 1)
    return answer[0] if answer else f"{address} does not answer"
