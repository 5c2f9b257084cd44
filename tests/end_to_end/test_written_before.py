"""What cass 0.1 wrote before its modules were rearranged still opens: runs, caches, shards, benchmark cells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

FIXTURES = Path(__file__).parents[1] / "fixtures" / "written_by_0_1"
LINE = [sys.executable, "-c", "from cass.cli import main; main()"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy to work in; its runs name their data by relative paths."""
    copy = tmp_path_factory.mktemp("before") / "copy"
    shutil.copytree(FIXTURES, copy)
    return copy


def cass(folder: Path, *arguments: str) -> str:
    """Run a command in the folder and return what it printed and logged."""
    done = subprocess.run(
        [*LINE, *arguments],
        cwd=folder,
        env=os.environ | {"CASS_CACHE_DIR": str(folder / "user-cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_pretrained_run_is_fine_tuned_with_the_cached_images(folder: Path) -> None:
    said = cass(
        folder,
        *["finetune", "pretrained", "--labels", "scans", "--out", "new", "--head", "linear", "--cache", "cache"],
        "--device",
        "cpu",
    )
    assert "36 decoded images of 32 px from the cache cache" in said
    assert (folder / "new" / "summary.json").is_file()


def test_a_fine_tuned_run_is_evaluated_and_predicts_as_before(folder: Path) -> None:
    cass(folder, *["evaluate", "tuned", "--labels", "scans", "--cache", "off", "--precision", "32"])
    cass(folder, *["predict", "tuned", "scans", "--out", "again.csv", "--precision", "32"])
    before, now = (pd.read_csv(folder / name) for name in ("predictions.csv", "again.csv"))
    assert set(before.columns) < set(now.columns)  # what tells how far a prediction can be trusted has been added
    pd.testing.assert_frame_equal(before, now[before.columns], atol=1e-3)


def test_finished_shards_are_taken_over(folder: Path) -> None:
    before = (folder / "embeddings" / "part-00000.parquet").stat().st_mtime_ns
    assert "36 images" in cass(folder, *["embed", "pretrained", "scans", "--out", "embeddings", "--resume"])
    assert (folder / "embeddings" / "part-00000.parquet").stat().st_mtime_ns == before


def test_a_stopped_run_continues_to_the_weights_of_one_that_was_not(folder: Path) -> None:
    cass(folder, *["pretrain", "--config", "stopped/config.yaml", "--out", "stopped", "--resume"])
    for name in ("cnn", "transformer"):
        expected, found = (
            load_file(folder / run / path / f"{name}.safetensors")
            for run, path in (("uninterrupted", ""), ("stopped", "checkpoints"))
        )
        assert set(expected) == set(found)
        for key, value in expected.items():
            assert float((value.float() - found[key].float()).abs().max()) < 1e-3, key


def test_the_cells_of_a_benchmark_are_kept_and_not_mixed_with_new_ones(folder: Path) -> None:
    cells = folder / "benchmarked" / "cells"
    before = {path: path.stat().st_mtime_ns for path in cells.rglob("*.json")}
    line = ["benchmark", "bench.yaml", "--out", "benchmarked", "--jobs", "1"]
    assert "6 of 6 steps done" in cass(folder, *line)  # the same settings give other results since revision 2
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list(cells.iterdir())) == 2 * len({path.relative_to(cells).parts[0] for path in before})
    assert "All 6 steps are finished" in cass(folder, *line)


def test_a_cell_whose_evaluation_is_gone_builds_on_its_pretraining(folder: Path) -> None:
    cells = (folder / "benchmarked" / "cells").glob("shapes-tiny-published-*")
    cell = max(cells, key=lambda path: (path / "pretrain" / "summary.json").stat().st_mtime_ns)
    shutil.rmtree(next(cell.glob("probe-*")))
    before = (cell / "pretrain" / "summary.json").stat().st_mtime_ns
    assert "steps done" in cass(folder, "benchmark", "bench.yaml", "--out", "benchmarked", "--jobs", "1")
    assert (cell / "pretrain" / "summary.json").stat().st_mtime_ns == before
