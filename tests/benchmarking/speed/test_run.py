from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cass.benchmarking.speed import run as benchmark_speed
from cass.benchmarking.speed.contestants import Timing
from cass.benchmarking.speed.run import ONE_BRANCH, PAIRED, run_benchmark_speed
from cass.benchmarking.speed.speed_table import ratios_table, speed_table
from cass.config.speed import SpeedConfig
from cass.errors import DataError

SECONDS = {"cass": 1.1, "bare": 1.0, "published": 3.3, "dino": 2.2, "simsiam": 1.1, "byol": 1.65}


class FakeWorker:
    """A contestant that takes as long as told for each step, and twice as long in one odd round."""

    def __init__(
        self, kind: str, config: SpeedConfig, *, paths: list[Path], images: object, branch: str | None = None
    ) -> None:
        self.kind, self.batch, self.calls = kind, config.batch_size, 0
        self.facts: dict[str, Any] = {"formats": {"cnn": "channels last"}, "flops": 1e9} if kind == "bare" else {}

    def run(self, steps: int) -> Timing:
        self.calls += 1
        odd = 2.0 if self.calls == 3 and self.kind == "cass" else 1.0
        seconds = SECONDS[self.kind] * steps * odd
        return Timing(self.batch * steps, seconds, 0.02 * seconds)

    def peak_memory(self) -> int:
        return {"cass": 210, "bare": 200}.get(self.kind, 400)

    def close(self) -> None:
        pass


def test_ratios_are_medians_of_rounds_and_both_branches_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(benchmark_speed, "Worker", FakeWorker)
    monkeypatch.setattr(benchmark_speed, "SETTLE", 0)
    monkeypatch.setattr(benchmark_speed, "cache_share", lambda *a, **k: 0.95)
    monkeypatch.setattr(benchmark_speed, "draw_photographs", lambda folder: [])
    path = tmp_path / "speed.json"
    result = run_benchmark_speed(SpeedConfig(device="cpu", json_file=path))
    expected = {
        "of_bare_limit": 1.0 / 1.1,
        "over_published_loop": 3.0,
        "time_of_dino": 1.1 / 4.4,
        "time_of_simsiam": 0.5,
        "data_wait_share": 0.02,
        "memory_of_bare_limit": 1.05,
        "cache_build_of_decoding": 0.95,
    }
    written = json.loads(path.read_text())
    for name, value in expected.items():
        assert result.ratios[name] == pytest.approx(value)
        assert written["ratios"][name] == pytest.approx(value)
    assert len(result.rows) == len(PAIRED) + len(ONE_BRANCH)
    assert written["conditions"]["environment"]["versions"]["torch"]
    table = speed_table(result.rows, result.conditions)
    assert table.rows[0][0] == "cass pretraining"
    verdicts = {line[0]: line[-1] for line in ratios_table(result.ratios).rows}
    assert verdicts["speed beside the bare networks"] == "met"
    assert verdicts["time beside DINO, both branches"] == "met"


def test_too_few_images_are_told(scans: Path) -> None:
    with pytest.raises(DataError, match="at least 64"):
        run_benchmark_speed(SpeedConfig(data=str(scans), device="cpu", batch_size=32))
