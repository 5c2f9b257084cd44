from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cass.data.formats.identity import image_digest, image_digests
from cass.errors import DataError
from cass.groups import join_copies


def test_digest_is_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 300_000)
    (tmp_path / "b").write_bytes(b"x" * 300_000)
    (tmp_path / "c").write_bytes(b"y")
    expected = hashlib.blake2b(b"x" * 300_000, digest_size=16).hexdigest()
    digests = image_digests([tmp_path / name for name in "abc"])
    assert digests[0] == digests[1] == expected == image_digest(tmp_path / "a")
    assert digests[2] != expected


def test_a_missing_file_is_named(write_images: Callable[..., Path]) -> None:
    folder = write_images(["a.png"])
    with pytest.raises(DataError, match=r"gone\.png"):
        image_digests([folder / "a.png", folder / "gone.png"])


def test_copies_join_their_groups_transitively() -> None:
    codes = join_copies(np.array([0, 0, 1, 2, 3]), ["p", "q", "q", "p", "r"])
    assert codes.tolist() == [0, 0, 0, 0, 1]
