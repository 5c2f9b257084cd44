from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import cass
from cass.errors import ConfigError, OutputError


def test_every_image_has_a_map_of_each_network(tuned: Path, scans: Path, tmp_path: Path) -> None:
    result = cass.explain(tuned, scans, out=tmp_path / "maps", limit=5, device="cpu")
    assert len(result.table) == 5
    files = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert files[0].startswith("0000-000-")
    for panel in ("image", "cnn", "transformer"):
        assert sum(name.endswith(f"-{panel}.png") for name in files) == 5
    assert Image.open(tmp_path / "maps" / files[0]).size == (224, 224)
    table = pd.read_csv(tmp_path / "maps" / "explanations.csv")
    places = table.filter(regex="_[xy]$").to_numpy()
    assert ((places > 0) & (places < 1)).all()
    assert table["agreement"].dropna().between(-1, 1).all()
    page = (tmp_path / "maps" / "index.html").read_text()
    assert page.count("<img src='data:image/png;base64,") == 15
    assert "http" not in page
    assert "55 more images are not shown" in page


def test_a_class_can_be_chosen(tuned: Path, scans: Path, tmp_path: Path) -> None:
    result = cass.explain(tuned, scans, out=tmp_path / "maps", limit=3, label="disc", device="cpu")
    assert set(result.table["label"]) == {"disc"}
    with pytest.raises(ConfigError, match="--label dsc"):
        cass.explain(tuned, scans, out=tmp_path / "other", label="dsc", device="cpu")


def test_what_cannot_be_explained_is_said(pretrained: Path, tuned: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(folder / "good.png")
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    result = cass.explain(tuned, folder, out=tmp_path / "maps", device="cpu")
    assert list(result.unreadable) == ["bad.png"]
    with pytest.raises(OutputError, match="cass finetune"):
        cass.explain(pretrained, folder, out=tmp_path / "other", device="cpu")
    assert not (tmp_path / "other").exists()
