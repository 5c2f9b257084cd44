"""Benchmarks on a few scans with tiny networks: what is kept, what fails, and who does the work."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

import cass
from cass.benchmarking import steps as work
from cass.benchmarking.run import BenchmarkResult
from cass.config.pretrain import PretrainConfig
from cass.errors import CassError, OutputError
from cass.workflows import pretrain
from conftest import TINY, write_scans

SPEC: dict[str, Any] = {
    "name": "few",
    "claim": "cass",
    "data": {"scans": {"source": "scans/labels.csv"}},
    "networks": {
        "tiny": {
            key: TINY[key] for key in ("cnn", "transformer", "cnn_weights", "transformer_weights", "image_size")
        }
    },
    "methods": {"cass": {"method_config": {"width": 32}}, "none": {"pretraining": False}},
    "pretraining": {"watch_images": 32, "device": "cpu"},
    "tuning": {"full": {"epochs": 1, "batch_size": 8}},
    "label_fractions": [0.5],
    "seeds": [0],
    "batch_sizes": [8],
    "epochs": [2],
}


def benchmark(spec: Path, **settings: Any) -> BenchmarkResult:
    return cass.benchmark(spec, **{"jobs": 1} | settings)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    write_scans(folder / "scans")
    return folder


def write(place: Path, **change: Any) -> Path:
    path = place / "spec.yaml"
    path.write_text(yaml.safe_dump(SPEC | change))
    return path


def whole(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def finished(place: Path) -> Path:
    result = benchmark(write(place), out=place / "out")
    assert result.complete
    assert result.outcome is not None
    assert not result.outcome.missing
    return result.out


def test_while_choosing_it_reports_the_validation_images(place: Path) -> None:
    few = {"methods": {"none": {"pretraining": False}}, "claim": "none", "tuning": {"probe": {"head": "linear"}}}
    result = benchmark(write(place, **few, split="val"), out=place / "chosen")
    assert result.complete
    assert "on the validation images" in (result.out / "tables.md").read_text()
    assert not list(result.out.glob("cells/*/*/evaluation/test"))
    again = benchmark(write(place, **few), out=place / "chosen")  # its fine-tuned weights are gone
    assert again.complete
    assert "on the test images" in (again.out / "tables.md").read_text()
    assert list(again.out.glob("cells/*/*/evaluation/test/report.json"))


def test_what_a_finished_benchmark_holds(finished: Path) -> None:
    runs = pd.read_parquet(finished / "runs.parquet")
    assert set(runs["branch"]) == {"cnn", "transformer", "mean"}
    assert set(runs["method"]) == {"cass", "none"}
    assert runs["value"].between(0, 1).all()
    assert len(runs) == 2 * 3 * runs["metric"].nunique()
    assert len(runs) == len(pd.read_csv(finished / "runs.csv"))
    trained = pd.read_csv(finished / "pretraining.csv")
    assert list(trained["branch"]) == ["cnn", "transformer"]
    assert (trained["seconds"] > 0).all()
    assert trained["spread_end"].notna().all()
    for name in ("tables.md", "tables.tex", "claims.md", "benchmark.yaml"):
        assert (finished / name).stat().st_size
    assert "one seed: no claim" in (finished / "claims.md").read_text()
    assert list((finished / "plots").glob("label-efficiency-*.png"))


def test_only_the_pretrained_branches_stay_on_disk(finished: Path) -> None:
    large = {path.parent.parent.name for path in finished.rglob("*.safetensors")}
    assert large == {"pretrain"}
    assert not list(finished.rglob("*.ckpt"))
    assert not list(finished.rglob("tensorboard*"))


def test_the_start_is_the_one_that_pretraining_has(finished: Path, place: Path, tmp_path: Path) -> None:
    (trained,) = (finished / "cells").glob("*-cass-*/pretrain")
    (start,) = (finished / "cells").glob("*-none-*/pretrain")
    tuned = [
        cass.finetune(
            run,
            labels=place / "scans" / "labels.csv",
            out=tmp_path / run.parent.name,
            without_pretraining=True,
            epochs=1,
            batch_size=8,
            device="cpu",
        ).out
        for run in (trained, start)
    ]
    for branch in ("cnn", "transformer"):
        first, second = (load_file(run / "checkpoints" / f"{branch}.safetensors") for run in tuned)
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_second_run_changes_nothing_and_another_seed_computes_only_itself(
    finished: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = whole(finished)
    monkeypatch.setattr(work, "_try", lambda step: pytest.fail(f"{step.name} was computed again"))
    assert benchmark(write(place), out=finished).complete
    assert whole(finished) == before
    plan = benchmark(write(place, seeds=[0, 1]), out=finished, plan=True)
    assert plan.outcome is None
    assert [(line.method, line.steps, line.done) for line in plan.plan] == [("cass", 4, 2), ("none", 4, 2)]
    assert plan.seconds_left is not None
    assert plan.seconds_left > 0
    assert whole(finished) == before


def test_a_cell_without_networks_is_pretrained_again_only_for_new_results(
    finished: Path, place: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "out")
    for networks in tmp_path.glob("out/cells/*/pretrain/checkpoints"):
        shutil.rmtree(networks)
    assert benchmark(write(place), out=tmp_path / "out").complete
    assert not list(tmp_path.glob("out/cells/*/pretrain/checkpoints"))
    for report in tmp_path.glob("out/cells/*/*/evaluation/*/report.json"):
        (report.parent / "of-the-networks-that-are-gone").touch()
    more = benchmark(write(place, label_fractions=[0.5, 1.0]), out=tmp_path / "out")
    assert more.complete
    assert len(list(tmp_path.glob("out/cells/*/pretrain/checkpoints"))) == 2
    (kept,) = tmp_path.glob("out/cells/*/*/evaluation/*/of-the-networks-that-are-gone")
    assert "-none-" in str(kept)  # starting weights are the same again


def test_a_cell_that_fails_is_reported_and_the_rest_goes_on(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = SPEC["networks"] | {"odd": SPEC["networks"]["tiny"] | {"image_size": 48}}
    spec = write(place, networks=networks, methods={"cass": SPEC["methods"]["cass"]})
    real = pretrain.run_pretrain

    def fail_on_odd(config: PretrainConfig) -> object:
        if config.image_size == 48:
            raise CassError("the memory is full")
        return real(config)

    monkeypatch.setattr(pretrain, "run_pretrain", fail_on_odd)
    result = benchmark(spec, out=tmp_path / "out", jobs=1)
    assert not result.complete
    assert result.outcome is not None
    (missing,) = result.outcome.missing
    assert missing.place.network == "odd"
    assert "memory is full" in missing.reason
    assert "memory is full" in (tmp_path / "out" / "tables.md").read_text()
    assert set(result.outcome.runs["network"]) == {"tiny"}


def test_ctrl_c_reports_what_there_is(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = work._try
    done = []

    def stop_after_two(step: work.Step) -> bool:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(step.name)
        return real(step)

    monkeypatch.setattr(work, "_try", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        benchmark(write(place), out=tmp_path / "out")
    assert set(pd.read_csv(tmp_path / "out" / "runs.csv")["method"]) == {"cass"}
    assert "not done" in (tmp_path / "out" / "tables.md").read_text()


def test_the_plan_writes_nothing(place: Path, tmp_path: Path) -> None:
    result = benchmark(write(place), out=tmp_path / "out", plan=True)
    assert [(line.method, line.cells, line.steps, line.done) for line in result.plan] == [
        ("cass", 1, 2, 0),
        ("none", 1, 2, 0),
    ]
    assert result.seconds_left is None
    assert not (tmp_path / "out").exists()


def test_a_method_with_one_branch_has_no_rows_for_the_other(finished: Path, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    for path in out.glob("cells/*-cass-*/pretrain/checkpoints/cnn.safetensors"):
        path.unlink()  # as a method leaves it that trains the Transformer alone
    grids = {"both": {"label_fractions": [0.7]}, "cnn": {"label_fractions": [0.8], "branches": ["cnn"]}}
    result = benchmark(write(place, methods={"cass": SPEC["methods"]["cass"]}, grids=grids), out=out)
    assert result.complete
    assert result.outcome is not None
    assert not result.outcome.missing
    assert set(zip(result.outcome.runs["label_fraction"], result.outcome.runs["branch"], strict=True)) == {
        (0.7, "transformer")
    }


def test_a_folder_of_something_else_is_left_alone(place: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(OutputError, match="folder of a benchmark"):
        benchmark(write(place), out=tmp_path)


def same_results(first: Path, second: Path) -> None:
    tables = [pd.read_csv(out / "runs.csv").drop(columns="pretraining_seconds") for out in (first, second)]
    keys = ["method", "seed", "branch", "metric"]
    first_rows, second_rows = (table.sort_values(keys, ignore_index=True) for table in tables)
    pd.testing.assert_frame_equal(first_rows, second_rows, check_exact=False, atol=1e-6)


@pytest.mark.slow
def test_processes_side_by_side_find_the_same(finished: Path, place: Path, tmp_path: Path) -> None:
    result = benchmark(write(place), out=tmp_path / "out", jobs=2)
    assert result.complete
    same_results(finished, result.out)
    assert "Pretraining" in next((result.out / "cells").glob("*-cass-*/log.txt")).read_text()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed")
def test_jobs_through_submitit_find_the_same(
    finished: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(cass.__file__).parents[1]))  # as where cass is installed
    result = benchmark(
        write(place), out=tmp_path / "out", slurm=True, slurm_args={"cluster": "local", "timeout_min": 10}
    )
    assert result.complete
    same_results(finished, result.out)
    assert list((result.out / "slurm").glob("*_log.err"))


@pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is not installed")
def test_slurm_arguments_that_submitit_refuses(place: Path, tmp_path: Path) -> None:
    with pytest.raises(CassError, match="partitoin"):
        benchmark(
            write(place), out=tmp_path / "out", slurm=True, slurm_args={"cluster": "local", "partitoin": "gpu"}
        )


def test_without_submitit_it_says_how_to_get_it(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "submitit", None)
    with pytest.raises(CassError, match=r"pip install submitit"):
        benchmark(write(place), out=tmp_path / "out", slurm=True)
