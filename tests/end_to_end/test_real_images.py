"""The published recipe on real images and pretrained weights, where they lie beside the project."""

from __future__ import annotations

from pathlib import Path

import pytest

import cass

SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared images and weights are not beside the project")
def test_the_published_recipe_collapses_the_transformer_and_is_told_so(tmp_path: Path) -> None:
    weights = SHARED / "weights"
    result = cass.pretrain(
        SHARED / "data" / "white-blood-cells" / "labels.csv",
        out=tmp_path / "run",
        cnn="efficientnet_lite0",
        cnn_weights=str(weights / "efficientnet_lite0.safetensors"),
        transformer="vit_small_patch14_dinov2",
        transformer_weights=str(weights / "vit_small_patch14_dinov2.safetensors"),
        image_size=98,
        objective="cosine",
        views="paper",
        epochs=1,
        lr=1e-3,
        batch_norm="live",
        layer_decay=1,
        cnn_rate=1,
    )
    transformer = result.summary["branches"]["transformer"]
    assert transformer["spread_end"] < 0.1 * transformer["spread_start"]
    assert result.collapsed == ["transformer"]
    assert result.summary["splits"]["test"]["images"] == 80
    assert result.summary["images_seen"] == 279
