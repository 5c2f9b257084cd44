"""Files that are written whole or not at all. Layer 0."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it.

    Args:
        path: The file; its folder must exist.
        text: What to write.
    """
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def write_json(path: Path, content: Any) -> None:
    """Write JSON that every parser reads: NaN and infinities become null.

    Args:
        path: The file; its folder must exist.
        content: Plain values, mappings and sequences.
    """
    write_text(path, json.dumps(_plain(content), indent=2, ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def cache_folder() -> Path:
    """Return the folder that cass keeps what it can make again in: CASS_CACHE_DIR, else the user's cache."""
    import platformdirs

    return Path(os.environ.get("CASS_CACHE_DIR") or platformdirs.user_cache_dir("cass"))
