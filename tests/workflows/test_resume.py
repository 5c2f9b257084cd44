"""A stopped fine-tuning or comparison goes on where it stopped, with nothing but its folder."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import cass
from cass.cli import main
from cass.errors import ModelError, OutputError
from cass.training.run_progress import RunProgress
from conftest import TINY

EPOCHS = {"epochs": 4, "patience": 4, "device": "cpu", "precision": "32"}


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Interrupt training after so many epochs, of all branches together; 0 lets it run."""
    original = RunProgress.on_train_start
    left = [0]

    def on_train_start(progress: RunProgress, trainer: object, module: object) -> None:
        def on_epoch(rows: object) -> None:
            left[0] -= 1

        progress.on_epoch = on_epoch
        original(progress, trainer, module)  # type: ignore[arg-type]

    def on_train_epoch_start(progress: RunProgress, trainer: object, module: object) -> None:
        if left[0] == 1:
            left[0] = 0
            raise KeyboardInterrupt
        begun(progress, trainer, module)  # type: ignore[arg-type]

    begun = RunProgress.on_train_epoch_start
    monkeypatch.setattr(RunProgress, "on_train_start", on_train_start)
    monkeypatch.setattr(RunProgress, "on_train_epoch_start", on_train_epoch_start)

    def after(epochs: int) -> None:
        left[0] = epochs + 1

    return after


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr("sys.argv", ["cass", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def figures(run: Path) -> dict[str, object]:
    """What a run found, without the seconds that it took."""
    summary = json.loads((run / "summary.json").read_text())["branches"]
    return {
        name: {key: value for key, value in entry.items() if key != "seconds"} for name, entry in summary.items()
    }


@pytest.mark.parametrize("epochs", [2, 6])
def test_fine_tuning_continues_to_the_same_result(
    epochs: int,
    pretrained: Path,
    scans: Path,
    tmp_path: Path,
    stop: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = cass.finetune(pretrained, labels=scans, out=tmp_path / "whole", **EPOCHS).out
    out = tmp_path / "tuned"
    stop(epochs)
    told = ("--labels", scans, "--epochs", 4, "--patience", 4, "--device", "cpu", "--precision", "32")
    assert command(monkeypatch, "finetune", pretrained, *told, "--out", out) == 130
    assert not out.exists()
    with pytest.raises(OutputError, match=r"was begun and not finished\. Continue it with --resume"):
        cass.finetune(pretrained, labels=scans, out=out, **EPOCHS)
    with pytest.raises(OutputError, match=r"lr = 0\.0001, not 0\.01"):
        cass.finetune(pretrained, labels=scans, out=out, lr=0.01, resume=True, **EPOCHS)
    assert command(monkeypatch, "finetune", "--out", out, "--resume") == 0
    assert figures(out) == figures(whole)
    for name in ("cnn", "transformer"):
        one, other = (load_file(run / "checkpoints" / f"{name}.safetensors") for run in (whole, out))
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["tuned", "whole"]


def test_pretraining_and_comparison_need_only_their_folder(
    scans: Path, tmp_path: Path, stop: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(json.dumps(TINY | {"epochs": 2, "label_fractions": [1.0], "finetune": {"epochs": 2}}))
    out = tmp_path / "compared"
    stop(1)
    assert command(monkeypatch, "compare", scans, "--config", settings, "--out", out) == 130
    stop(2)
    assert command(monkeypatch, "compare", "--out", out, "--resume") == 130
    assert (out / "pretrain" / "summary.json").is_file()
    assert command(monkeypatch, "compare", "--out", out, "--resume", "--seed", "5") == 2
    assert command(monkeypatch, "compare", "--out", out, "--resume") == 0
    assert (out / "results.csv").is_file()
    run = tmp_path / "run"
    (tmp_path / "plain.yaml").write_text(json.dumps(TINY))
    stop(1)
    assert command(monkeypatch, "pretrain", scans, "--config", tmp_path / "plain.yaml", "--out", run) == 130
    assert command(monkeypatch, "pretrain", "--out", run, "--resume") == 0
    assert json.loads((run / "summary.json").read_text())["epochs"] == 2


def test_what_a_run_writes_has_the_permissions_of_new_files(tuned: Path, pretrained: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    for run in (tuned, pretrained):
        for path in run.rglob("*"):
            expected = 0o777 if path.is_dir() else 0o666
            assert stat.S_IMODE(path.stat().st_mode) == expected & ~mask, path


def test_an_error_leaves_nothing_behind(
    pretrained: Path, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ModelError("The embeddings are not finite", "Pretrain again.")

    monkeypatch.setattr("cass.workflows.finetune.tune_branch", fail)
    with pytest.raises(ModelError):
        cass.finetune(pretrained, labels=scans, out=tmp_path / "tuned", **EPOCHS)
    assert list(tmp_path.iterdir()) == []


def test_resuming_a_finished_fine_tuning_does_nothing(
    tuned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # killed after the run folder appeared, while its working folder was being removed
    leftover = tuned.with_name(f".{tuned.name}.unfinished")
    (leftover / "cnn").mkdir(parents=True)
    before = (tuned / "summary.json").read_bytes()
    assert command(monkeypatch, "finetune", "--out", tuned, "--resume") == 0
    assert "is finished: nothing is left to do" in capsys.readouterr().err
    assert not leftover.exists()
    assert (tuned / "summary.json").read_bytes() == before
    assert command(monkeypatch, "finetune", "--out", tuned, "--resume", "--lr", "0.5") == 2
