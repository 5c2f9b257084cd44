"""What the tests share: tiny images, tiny networks, and one pretrained and one fine-tuned run."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cass.logs import LOGGER

os.environ.setdefault("HF_HUB_OFFLINE", "1")

TINY = {
    "cnn": "test_resnet",
    "transformer": "test_vit",
    "cnn_weights": "none",
    "transformer_weights": "none",
    "image_size": 32,
    "epochs": 2,
    "batch_size": 8,
    "watch_images": 32,
    "method_config": {"width": 32},
    "device": "cpu",
}
SHARED = Path(__file__).resolve().parents[2] / "shared"


def draw(kind: int, *, rng: np.random.Generator, size: int = 32) -> np.ndarray:
    """Draw stripes (0), a disc (1) or a cross (2) in noise."""
    y, x = np.mgrid[:size, :size]
    shape = [
        (x // 4) % 2,
        (x - size / 2) ** 2 + (y - size / 2) ** 2 < 60,
        (abs(x - y) < 3) | (abs(x + y - size) < 3),
    ]
    grey = 60 + 120 * shape[kind] + rng.normal(0, 20, (size, size))
    return np.clip(np.stack([grey, grey * 0.8, grey * 0.9], axis=2), 0, 255).astype(np.uint8)


def write_scans(folder: Path, *, count: int = 60, multilabel: bool = False, unlabelled: int = 6) -> Path:
    """Write PNG scans with classes, patients and a few unlabelled rows; returns the CSV."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    names = ("stripes", "disc", "cross")
    rows = []
    for index in range(count):
        kind = index % 3
        Image.fromarray(draw(kind, rng=rng)).save(folder / "images" / f"{index:03d}.png")
        label = names[kind]
        if multilabel and index % 2:
            label += "|bright"
        label = "" if index >= count - unlabelled else label
        rows.append({"image": f"images/{index:03d}.png", "label": label, "group": f"patient{index // 4}"})
    path = folder / "labels.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["image", "label", "group"])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what the tests draw and decode out of the user's cache; parallel workers share one."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    os.environ["CASS_CACHE_DIR"] = str(base / "cass-cache")


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 60 scans in three classes, 15 patients, 6 scans unlabelled."""
    return write_scans(tmp_path_factory.mktemp("scans"))


@pytest.fixture(scope="session")
def pretrained(scans: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pretraining run of two epochs on the scans."""
    import cass

    return cass.pretrain(scans, out=tmp_path_factory.mktemp("runs") / "pretrain", **TINY).out


@pytest.fixture(scope="session")
def tuned(scans: Path, pretrained: Path) -> Path:
    """Both branches of that run, fine-tuned on half of the labels."""
    import cass

    out = pretrained.parent / "tuned"
    return cass.finetune(
        pretrained, labels=scans, out=out, label_fraction=0.5, epochs=2, batch_size=8, device="cpu"
    ).out


@pytest.fixture(autouse=True)
def unchanged_logging() -> Iterator[None]:
    """The command line sets the logger up; the next test starts as this one did."""
    before = LOGGER.handlers, LOGGER.propagate, LOGGER.level
    yield
    LOGGER.handlers, LOGGER.propagate = before[:2]
    LOGGER.setLevel(before[2])
