"""Sets and settings that break the numbers end in one line, or are named in summary.json with a code."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from cass.cli import main
from cass.evaluation.collapse import CollapseVerdict
from cass.methods.cass_neighbours import CASSNeighbours
from cass.runs.folder import unfinished_folder
from cass.training.gradients import FIRST_STEPS
from cass.training.losses import classification_loss
from cass.training.watch import CollapseWatch
from cass.types import StepOutput, Views
from conftest import TINY

SMALL = [
    word for name, value in TINY.items() for word in (f"--{name.replace('_', '-')}", str(value).replace("'", ""))
]
ONE = [*SMALL, "--epochs", "1"]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Call the command line; returns its exit code."""

    def call(*words: object) -> int:
        monkeypatch.setattr("sys.argv", ["cass", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0)

    return call


def write_set(folder: Path, count: int, *, classes: int = 2, splits: dict[str, int] | None = None) -> Path:
    """Write noise with labels, and with so many images of each split."""
    random = np.random.default_rng(count)
    (folder / "images").mkdir(parents=True)
    named = [split for split, images in (splits or {}).items() for _ in range(images)]
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "label", *(["split"] if splits else [])])
        for index in range(count):
            pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"images/{index}.png")
            writer.writerow([f"images/{index}.png", f"class{index % classes}", *named[index : index + 1]])
    return folder / "labels.csv"


def training(verb: str, data: Path, pretrained: Path, *, epochs: int = 1) -> list[Any]:
    """The words of a training command, but for its output."""
    if verb == "pretrain":
        return ["pretrain", data, *SMALL, "--epochs", epochs]
    return ["finetune", pretrained, "--labels", data, "--epochs", epochs, "--device", "cpu"]


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    return printed.strip().splitlines()[-1]


def codes(run: Path) -> list[str]:
    return [caution["code"] for caution in json.loads((run / "summary.json").read_text())["cautions"]]


def test_one_class_is_refused(
    pretrained: Path, tmp_path: Path, say: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    labels = write_set(tmp_path / "set", 30, classes=1)
    assert say("finetune", pretrained, "--labels", labels, "--out", tmp_path / "run") == 2
    assert "are of one class, 'class0'" in last_line(capsys)
    assert say("compare", labels, "--out", tmp_path / "run", *ONE) == 2
    assert "are of one class, 'class0'" in last_line(capsys)
    assert not (tmp_path / "run").exists()


def test_two_images_are_refused(
    tmp_path: Path, say: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    labels = write_set(tmp_path / "set", 2)
    assert say("pretrain", labels, "--out", tmp_path / "run", *ONE) == 2
    assert last_line(capsys).startswith("Error: 2 images in 2 groups cannot be split into 3 parts.")


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_images_of_a_single_colour(
    verb: str, pretrained: Path, tmp_path: Path, say: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    labels = write_set(tmp_path / "set", 60)
    words = training(verb, labels, pretrained)
    for index in range(60):
        if index % 4:
            Image.new("RGB", (32, 32), (index, 90, 200)).save(tmp_path / f"set/images/{index}.png")
    assert say(*words, "--out", tmp_path / "run") == 0
    assert "constant-images" in codes(tmp_path / "run")
    for index in range(0, 60, 4):
        Image.new("L", (32 + index, 32), 40).save(tmp_path / f"set/images/{index}.png")
    assert say(*words, "--out", tmp_path / "other") == 2
    assert "training images looked at are of a single colour. Check the files" in last_line(capsys)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("objective", ["neighbours", "joint", "cosine"])
def test_no_validation_split_and_a_last_batch_of_one(
    objective: str, tmp_path: Path, say: Callable[..., int]
) -> None:
    # An eighth of the training images becomes validation images: 38 become 33, four batches of 8 and one of 1.
    labels = write_set(tmp_path / "set", 48, splits={"train": 38, "test": 10})
    run, tuned = tmp_path / "run", tmp_path / "tuned"
    options = [word for word in ONE if word not in ("--method-config", "{width: 32}")]
    assert say("pretrain", labels, "--out", run, *options, "--objective", objective) == 0
    assert json.loads((run / "summary.json").read_text())["splits"]["train"]["images"] % 8 == 1
    assert "too-few-images" in codes(run)
    assert say("finetune", run, "--labels", labels, "--out", tuned, "--epochs", "1", "--device", "cpu") == 0
    assert "not-calibrated" in codes(tuned)


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_exploding_gradients_are_said_and_kept(
    verb: str,
    scans: Path,
    pretrained: Path,
    tmp_path: Path,
    say: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = count()
    forward = CASSNeighbours.forward

    def times(loss: torch.Tensor) -> torch.Tensor:
        return loss * (1e4 if next(steps) == FIRST_STEPS + 2 else 1)

    def exploding(self: CASSNeighbours, views: Views, positions: torch.Tensor) -> StepOutput:
        return StepOutput(times(forward(self, views, positions).loss))

    monkeypatch.setattr(CASSNeighbours, "forward", exploding)
    monkeypatch.setattr(
        "cass.training.finetune_module.classification_loss",
        lambda *given, **named: times(classification_loss(*given, **named)),
    )
    more = {"pretrain": ["--batch-size", 4], "finetune": ["--branch", "cnn"]}
    words = [*training(verb, scans, pretrained, epochs=4), *more[verb]]
    assert say(*words, "--out", tmp_path / "run") == 0
    assert codes(tmp_path / "run").count("exploding-gradients") == 1
    assert capsys.readouterr().err.count("The gradients grew to") == 1


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_a_loss_that_is_not_finite_stops_the_run_at_once(
    verb: str,
    scans: Path,
    pretrained: Path,
    tmp_path: Path,
    say: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = torch.tensor(float("inf"), requires_grad=True)
    monkeypatch.setattr(CASSNeighbours, "forward", lambda *given: StepOutput(1 * broken))
    monkeypatch.setattr("cass.training.finetune_module.classification_loss", lambda *given, **named: 1 * broken)
    words = training(verb, scans, pretrained)
    assert say(*words, "--out", tmp_path / "run") == 3
    message = "The loss is inf at step 0. Lower --lr, or use --precision 32."
    assert last_line(capsys) == f"Error: {message}"
    assert not (tmp_path / "run" / "summary.json").exists()
    folder = tmp_path / "run" if verb == "pretrain" else unfinished_folder(tmp_path / "run")
    assert json.loads((folder / "failure.json").read_text()) == {"code": "not-finite", "message": message}
    monkeypatch.undo()
    again = ["--resume"] if verb == "pretrain" else []  # without a finished epoch there is nothing to continue
    assert say(*words, "--out", tmp_path / "run", *again) == 0
    assert not list(tmp_path.rglob("failure.json"))


def test_weights_that_are_not_finite_are_refused(
    scans: Path, pretrained: Path, tmp_path: Path, say: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    import timm

    state = timm.create_model("test_resnet", num_classes=0).state_dict()
    state["conv1.0.weight" if "conv1.0.weight" in state else next(iter(state))].fill_(float("nan"))
    save_file(state, tmp_path / "nan.safetensors")
    words = [word if word != "none" else str(tmp_path / "nan.safetensors") for word in ONE]
    words[words.index("--transformer-weights") + 1] = "none"
    assert say("pretrain", scans, "--out", tmp_path / "run", *words) == 2
    assert "not finite" in last_line(capsys)


def test_a_collapsed_branch_is_told_to_scripts(
    scans: Path, tmp_path: Path, say: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts = {
        "cnn": CollapseVerdict("COLLAPSED", "all embeddings are equal", ""),
        "transformer": CollapseVerdict("no collapse", "", ""),
    }
    monkeypatch.setattr(CollapseWatch, "verdict", lambda watch, name: verdicts[name])
    assert say("pretrain", scans, "--out", tmp_path / "run", *ONE) == 1
    assert "collapsed" in codes(tmp_path / "run")
    assert (tmp_path / "run/checkpoints/cnn.safetensors").is_file()
