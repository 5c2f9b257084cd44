from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def write_images(tmp_path: Path) -> Callable[..., Path]:
    """Write small, pairwise different PNG files under a folder and return the folder."""

    def write(names: Iterable[str], folder: Path = tmp_path) -> Path:
        for i, name in enumerate(names):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 4), i % 256, dtype=np.uint8)).save(path, format="PNG")
        return folder

    return write


@pytest.fixture
def write_csv(tmp_path: Path, write_images: Callable[..., Path]) -> Callable[..., Path]:
    """Write a CSV and, unless told otherwise, the images of its first column."""

    def write(text: str, *, images: bool = True, name: str = "list.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        if images:
            cells = [line.split(",")[0].strip() for line in text.splitlines()[1:] if line]
            write_images([cell.replace("\\", "/") for cell in cells if cell])
        return path

    return write
