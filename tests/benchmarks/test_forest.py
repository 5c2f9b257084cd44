"""What benchmarks/forest.py draws."""

from __future__ import annotations

import math
import runpy
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cass.evaluation.bootstrap import Interval

FOREST = Path(__file__).resolve().parents[2] / "benchmarks" / "forest.py"


@pytest.fixture(scope="module")
def forest() -> dict[str, Any]:
    return runpy.run_path(str(FOREST))


def colours(path: Path) -> set[str]:
    pixels = Image.open(path).convert("RGB")
    return {f"#{red:02X}{green:02X}{blue:02X}" for _, (red, green, blue) in pixels.getcolors(1 << 20)}


def test_what_is_shown_what_is_not_and_the_target_can_be_told_apart(
    forest: dict[str, Any], tmp_path: Path
) -> None:
    line, path = forest["Line"], tmp_path / "gain.png"
    good = line("all", Interval(0.05, 0.02, 0.08), shown=True, target=0.04)
    doubtful = line("cells", Interval(0.01, -0.03, 0.05), shown=False)
    forest["draw_forest"](path, {"1%": [good, doubtful], "10%": [good]}, title="A gain")
    assert {forest["SHOWN"], forest["NOT_SHOWN"], forest["COLOURS"][1]} <= colours(path)


def test_what_was_not_measured_is_not_drawn(forest: dict[str, Any], tmp_path: Path) -> None:
    line, path = forest["Line"], tmp_path / "gain.png"
    nothing = Interval(math.nan, math.nan, math.nan)
    certain = Interval(0.05, math.nan, math.nan)  # equal in every resample
    lines = [line("all", nothing, shown=True), line("cells", certain, shown=False)]
    forest["draw_forest"](path, {"1%": lines}, title="A gain")
    assert forest["NOT_SHOWN"] in colours(path)
    assert forest["SHOWN"] not in colours(path)
