from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cass.auditing.facts import gather_facts, take


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    (tmp_path / "cut.png").write_bytes(save(tmp_path / "a.png", noise).read_bytes()[:500])
    (tmp_path / "empty.jpg").write_bytes(b"")
    ramp = np.repeat(np.linspace(0, 65535, 64).astype(np.uint16)[None], 48, axis=0)
    turned = Image.fromarray(noise)
    exif = turned.getexif()
    exif[274], exif[271] = 6, "Maker"
    turned.save(tmp_path / "turned.jpg", exif=exif)
    return [
        tmp_path / "a.png",
        tmp_path / "cut.png",
        tmp_path / "empty.jpg",
        save(tmp_path / "even.png", np.full((20, 20), 255, dtype=np.uint8)),
        save(tmp_path / "deep.png", ramp),
        tmp_path / "turned.jpg",
    ]


def test_facts_of_each_file(paths: list[Path]) -> None:
    done: list[int] = []
    facts = gather_facts(paths, on_progress=done.append)
    assert done[-1] == len(facts) == 6
    assert set(facts.errors) == {1, 2}
    assert "empty" in facts.errors[2]
    assert facts.readable.tolist() == [True, False, False, True, True, True]
    assert facts.constant.tolist() == [False, False, False, True, False, False]
    headers = [facts.headers[row] for row in (0, 4, 5)]
    assert [(header.width, header.height, header.mode, header.bits) for header in headers if header] == [
        (60, 40, "RGB", 8),
        (64, 48, "I;16", 16),
        (60, 40, "RGB", 8),
    ]
    turned = facts.headers[5]
    assert turned is not None
    assert (turned.orientation, turned.make, turned.format) == (6, "Maker", "JPEG")
    assert facts.mean[[3, 4]] == pytest.approx([1, 0.5], abs=0.01)
    assert facts.border_even[3] == 1
    assert facts.saturated[3] == 1
    assert (np.diff(facts.thumbnails[4].astype(int), axis=1) >= 0).all()  # a ramp that rises to the right
    assert facts.thumbnails[4, 0, -1] > 240
    kept = take(facts, np.array([5, 2]))
    assert kept.errors == {1: facts.errors[2]}
    assert kept.digests == [facts.digests[5], facts.digests[2]]
    assert np.array_equal(kept.thumbnails, facts.thumbnails[[5, 2]])
