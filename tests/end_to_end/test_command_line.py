"""The real command line on generated scans: the job, bad input, and a run that is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from cass.cli import main
from conftest import write_scans

LINE = [sys.executable, "-c", "from cass.cli import main; main()"]
NETWORKS = ["--cnn", "test_resnet", "--transformer", "test_vit"]
START = [*NETWORKS, "--cnn-weights", "none", "--transformer-weights", "none", "--image-size", "32"]
FAST = [*START, "--epochs", "1", "--batch-size", "8", "--watch-images", "32", "--device", "cpu"]


def cass(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*LINE, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_the_job_in_steps(scans: Path, tmp_path: Path) -> None:
    done = cass("pretrain", scans, "--out", tmp_path / "run", *FAST)
    assert done.returncode == 0, done.stderr
    assert "labelled or not" in done.stderr
    assert "train/loss" in done.stderr
    done = cass(
        *("finetune", tmp_path / "run", "--labels", scans, "--out", tmp_path / "tuned", "--label-fraction", "0.3"),
        *("--epochs", "2", "--branch", "both"),
    )
    assert done.returncode == 0, done.stderr
    done = cass("evaluate", tmp_path / "tuned", "--labels", scans, "--split", "test")
    assert done.returncode == 0, done.stderr
    assert "balanced accuracy" in done.stdout
    assert "mean of both" in done.stdout
    report = json.loads((tmp_path / "tuned" / "evaluation" / "test" / "report.json").read_text())
    assert set(report) == {"cnn", "transformer", "mean of both"}
    assert report["cnn"]["n_groups"] >= 2
    images = scans.parent / "images"
    assert cass("embed", tmp_path / "run", images, "--out", tmp_path / "e.parquet").returncode == 0
    table = pd.read_parquet(tmp_path / "e.parquet")
    assert list(table.columns) == ["image", "cnn", "transformer"]
    assert len(table) == 60
    assert cass("predict", tmp_path / "tuned", images, "--out", tmp_path / "p.csv").returncode == 0
    predictions = pd.read_csv(tmp_path / "p.csv")
    assert predictions.filter(like="probability_").sum(axis=1).round(3).eq(1).all()


def test_a_rival_trains_one_branch_with_small_crops(scans: Path, tmp_path: Path) -> None:
    rival = ("--method", "dino", "--branch", "transformer", "--method-config", "{width: 64}")
    done = cass(
        "compare",
        scans,
        "--out",
        tmp_path / "run",
        *FAST,
        *rival,
        "--label-fractions",
        "0.5",
        "--finetune",
        "{head: linear}",
    )
    assert done.returncode == 0, done.stderr
    assert list(pd.read_csv(tmp_path / "run" / "results.csv")["branch"].unique()) == ["transformer"]
    assert not (tmp_path / "run" / "pretrain" / "checkpoints" / "cnn.safetensors").exists()
    refused = cass("pretrain", scans, "--out", tmp_path / "other", *FAST, "--branch", "cnn")
    assert refused.returncode == 2
    assert "--method cass cannot train --branch cnn. Use --branch both." in refused.stderr


def test_multilabel_from_start_to_end(tmp_path: Path) -> None:
    labels = write_scans(tmp_path / "scans", multilabel=True)
    assert cass("pretrain", labels, "--out", tmp_path / "run", *FAST).returncode == 0
    done = cass(
        *("finetune", tmp_path / "run", "--labels", labels, "--out", tmp_path / "tuned", "--branch", "cnn"),
        *("--epochs", "1"),
    )
    assert done.returncode == 0, done.stderr
    done = cass("evaluate", tmp_path / "tuned", "--labels", labels)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "tuned" / "evaluation" / "test" / "report.json").read_text())
    assert report["cnn"]["task"] == "multilabel"
    assert "bright" in report["cnn"]["classes"]


def test_a_folder_without_labels_trains(tmp_path: Path) -> None:
    images = write_scans(tmp_path / "scans").parent / "images"
    done = cass("pretrain", images, "--out", tmp_path / "run", *FAST)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["branches"]["cnn"]["knn_balanced_accuracy_end"] is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (["no-such-folder"], "no-such-folder"),
        (["empty"], "empty"),
        (["columns.csv"], "image"),
        (["missing.csv"], "gone.png"),
        (["labels.csv", "--cnn", "resnt50"], "resnet50"),
        (["labels.csv", "--transformer", "vit_tiny_patch16_224", "--image-size", "40"], "32 or 48"),
        (["labels.csv", "--out", "taken"], "taken"),
        (["labels.csv", "--epochs", "0"], "epochs"),
        (["labels.csv", "--method", "cas"], "'cass'"),
        (["labels.csv", "--views", "papr"], "'paper'"),
        (["labels.csv", "--config", "wrong.yaml"], "learning_rate"),
        (["labels.csv", "--cnn-weights", "missing.safetensors"], "missing.safetensors"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path,
    change: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_scans(tmp_path / "scans", count=24, unlabelled=2)
    (tmp_path / "scans" / "labels.csv").rename(tmp_path / "labels.csv")
    (tmp_path / "scans" / "images").rename(tmp_path / "images")
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    (tmp_path / "columns.csv").write_text("file,label\na.png,b\n")
    (tmp_path / "missing.csv").write_text("image,label\ngone.png,b\n")
    (tmp_path / "wrong.yaml").write_text("learning_rate: 1\n")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["cass", "pretrain", "--out", "run", *FAST, *change])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error:")]
    assert len(errors) == 1
    assert says in errors[0]
    assert sorted(tmp_path.rglob("*")) == before


def weights(run: Path) -> dict[str, torch.Tensor]:
    return {
        f"{branch}.{name}": value
        for branch in ("cnn", "transformer")
        for name, value in load_file(run / "checkpoints" / f"{branch}.safetensors").items()
    }


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_resumes_to_the_same_weights(scans: Path, tmp_path: Path, how: signal.Signals) -> None:
    line = ["pretrain", str(scans), *FAST, "--epochs", "12"]
    assert cass(*line, "--out", tmp_path / "whole").returncode == 0
    stopped = tmp_path / "stopped"
    process = subprocess.Popen(
        [*LINE, *line, "--out", str(stopped)],
        stderr=subprocess.PIPE,
        text=True,
        # A test runner in the background ignores Ctrl-C, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # type: ignore[arg-type,return-value]
    )
    deadline = time.monotonic() + 120
    while not (stopped / "checkpoints" / "last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130), errors
    assert not (stopped / "summary.json").exists()
    assert "Traceback" not in errors
    done = cass(*line, "--out", stopped, "--resume")
    assert done.returncode == 0, done.stderr
    first, second = weights(tmp_path / "whole"), weights(stopped)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert len(pd.read_csv(stopped / "metrics.csv")) == 12


@pytest.mark.parametrize(("tuning", "expected"), [("{}", "radiology"), ("{views: paper}", "paper")])
def test_one_choice_of_modality_holds_for_both(scans: Path, tmp_path: Path, tuning: str, expected: str) -> None:
    out = tmp_path / "compared"
    told = ("--views", "radiology", "--label-fractions", "1", "--finetune", f"{{epochs: 1, {tuning[1:]}")
    done = cass("compare", scans, "--out", out, *FAST, *told)
    assert done.returncode == 0, done.stderr
    assert "views: radiology\n" in (out / "pretrain" / "config.yaml").read_text()
    tuned = out / "finetune" / "1-with-pretraining"
    assert f"views: {expected}\n" in (tuned / "config.yaml").read_text()
    assert cass("finetune", out / "pretrain", "--labels", scans, "--out", tmp_path / "tuned", "--epochs", 1)
    assert "views: radiology\n" in (tmp_path / "tuned" / "config.yaml").read_text()


def test_few_images_give_no_certainty(scans: Path, tuned: Path, tmp_path: Path) -> None:
    done = cass("evaluate", tuned, "--labels", scans, "--out", tmp_path / "result", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "100.0 [100.0, 100.0]" not in done.stdout
    assert "0.0 [0.0, 0.0]" not in done.stdout
    done = cass("pretrain", scans, "--out", tmp_path / "run", *FAST)
    assert done.returncode == 0, done.stderr
    assert "cnn: TOO FEW IMAGES (" in done.stderr
    assert (
        json.loads((tmp_path / "run" / "summary.json").read_text())["branches"]["cnn"]["verdict"]
        == "TOO FEW IMAGES"
    )
