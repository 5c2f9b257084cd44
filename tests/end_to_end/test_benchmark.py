"""The tiny benchmark through the real command line: killed in the middle, run again, run a third time."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

LINE = [sys.executable, "-c", "from cass.cli import main; main()", "benchmark"]
TINY = Path(__file__).resolve().parents[2] / "benchmarks" / "tiny.yaml"
FILES = ("runs.csv", "pretraining.csv", "tables.md", "tables.tex", "claims.md", "plots/time-tiny-full.png")
MEASURED_TIME = ["pretraining_seconds"]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LINE, *map(str, arguments)], capture_output=True, text=True, check=False)


def finished(out: Path) -> dict[Path, int]:
    """When each finished step was finished."""
    steps = [*out.glob("cells/*/pretrain/summary.json"), *out.glob("cells/*/*/evaluation/test/report.json")]
    return {path: path.stat().st_mtime_ns for path in steps}


@pytest.mark.slow
def test_a_killed_benchmark_goes_on_and_finds_the_same(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = run(TINY, "--out", whole)
    assert done.returncode == 0, done.stderr
    assert "left" in done.stderr  # of the time

    process = subprocess.Popen([*LINE, str(TINY), "--out", str(killed), "--jobs", "1"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len(finished(killed)) < 3 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)  # into the middle of the next step
    process.kill()
    process.wait()
    before = finished(killed)
    assert 3 <= len(before) < len(finished(whole))

    plan = run(TINY, "--out", killed, "--plan")
    assert f"{len(before)} of 16 steps done" in plan.stdout
    assert "unknown" not in plan.stdout
    done = run(TINY, "--out", killed)
    assert done.returncode == 0, done.stderr
    after = finished(killed)
    assert {path: after[path] for path in before} == before
    assert len(after) == len(finished(whole)) == 16
    first, second = (pd.read_csv(out / "runs.csv").drop(columns=MEASURED_TIME) for out in (whole, killed))
    pd.testing.assert_frame_equal(first, second)

    content = {name: (killed / name).read_bytes() for name in FILES}
    started = time.monotonic()
    done = run(TINY, "--out", killed)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 60
    assert "All 16 steps are finished" in done.stderr
    assert {name: (killed / name).read_bytes() for name in FILES} == content
    assert finished(killed) == after


def test_mistakes_in_a_benchmark_are_one_line(tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(TINY.read_text().replace("label_fractions: [0.1, 1.0]", "label_fracions: [0.1, 1.0]", 1))
    done = run(spec, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("Error: Unknown key 'label_fracions'")
    assert "Did you mean 'label_fractions'?" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_result_ends_with_code_1(tmp_path: Path) -> None:
    spec = yaml.safe_load(TINY.read_text())
    spec["pretraining"]["accumulate"] = 64  # more parts than a batch has images
    del spec["grids"]
    path = tmp_path / "spec.yaml"
    path.write_text(yaml.safe_dump(spec | {"seeds": [0], "methods": {"cass": {}}}))
    done = run(path, "--out", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    assert "results are missing" in done.stderr
    assert "cannot be split into" in (tmp_path / "out" / "tables.md").read_text()
