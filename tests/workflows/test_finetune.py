from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import load_file

import cass
from cass.errors import CassError, DataError, OutputError

FAST = {"epochs": 1, "batch_size": 8, "device": "cpu"}


def test_each_branch_saves_its_own_network(tuned: Path) -> None:
    for branch, network, extra in (("cnn", "test_resnet", {}), ("transformer", "test_vit", {"img_size": 32})):
        state = load_file(tuned / "checkpoints" / f"{branch}.safetensors")
        timm.create_model(network, num_classes=3, **extra).load_state_dict(state)


def test_fine_tuning_moves_away_from_the_pretrained_weights(pretrained: Path, tuned: Path) -> None:
    before, after = (load_file(run / "checkpoints" / "cnn.safetensors") for run in (pretrained, tuned))
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_the_summary_counts_the_labels(tuned: Path) -> None:
    summary = json.loads((tuned / "summary.json").read_text())
    assert summary["n_labels"] == sum(summary["labels_per_class"].values())
    assert min(summary["labels_per_class"].values()) >= 1
    used = (tuned / "labelled_images.txt").read_text().split()
    splits = pd.read_csv(tuned / "splits.csv").set_index("image").split
    assert len(used) == summary["n_labels"]
    assert set(splits[used]) == {"train"}


def test_smaller_fractions_lie_inside_larger_ones(scans: Path, pretrained: Path, tmp_path: Path) -> None:
    used = []
    for fraction in (0.1, 0.4, 1.0):
        out = tmp_path / f"{fraction}"
        cass.finetune(pretrained, labels=scans, out=out, label_fraction=fraction, branch="cnn", **FAST)
        used.append(set((out / "labelled_images.txt").read_text().split()))
    assert used[0] < used[1] < used[2]


def test_splits_of_the_pretraining_run_are_kept(pretrained: Path, tuned: Path) -> None:
    first, second = (pd.read_csv(run / "splits.csv").set_index("image").split for run in (pretrained, tuned))
    assert first.equals(second)


def test_a_linear_head_leaves_the_backbone_alone(scans: Path, pretrained: Path, tmp_path: Path) -> None:
    cass.finetune(pretrained, labels=scans, out=tmp_path / "linear", head="linear", **FAST)
    for branch in ("cnn", "transformer"):
        before, after = (
            load_file(run / "checkpoints" / f"{branch}.safetensors") for run in (pretrained, tmp_path / "linear")
        )
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert len(after) == len(before) + 2


def test_without_pretraining_starts_where_pretraining_started(
    scans: Path, pretrained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "start"
    cass.finetune(pretrained, labels=scans, out=out, head="linear", without_pretraining=True, **FAST)
    from cass.config import PretrainConfig
    from cass.training.start import start_branch
    from cass.workflows.run_folder import read_config

    config = read_config(pretrained, PretrainConfig, written_by="cass pretrain")
    start = start_branch(config, "transformer").backbone.state_dict()
    saved = load_file(out / "checkpoints" / "transformer.safetensors")
    assert all(torch.equal(saved[name], value) for name, value in start.items())


def test_test_images_that_were_pretrained_on_are_refused(scans: Path, pretrained: Path, tmp_path: Path) -> None:
    table = pd.read_csv(scans, dtype=str)
    splits = pd.read_csv(pretrained / "splits.csv").set_index("image").split
    table["split"] = [{"train": "test", "test": "train", "val": "val"}[splits[image]] for image in table.image]
    table["image"] = [str(scans.parent / image) for image in table.image]
    (tmp_path / "images").symlink_to(scans.parent / "images")
    table["image"] = ["images/" + Path(image).name for image in table.image]
    table.to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(DataError, match="train"):
        cass.finetune(pretrained, labels=tmp_path / "labels.csv", out=tmp_path / "out", **FAST)
    assert not (tmp_path / "out").exists()


def test_bad_input_leaves_nothing_behind(scans: Path, pretrained: Path, tmp_path: Path) -> None:
    with pytest.raises(CassError):
        cass.finetune(pretrained, labels=tmp_path / "no.csv", out=tmp_path / "out", **FAST)
    with pytest.raises(OutputError, match="cass pretrain"):
        cass.finetune(tmp_path, labels=scans, out=tmp_path / "out", **FAST)
    with pytest.raises(CassError, match="label_fraction"):
        cass.finetune(pretrained, labels=scans, out=tmp_path / "out", label_fraction=1.5, **FAST)
    assert list(tmp_path.iterdir()) == []


def test_every_command_shares_the_decoded_images(
    scans: Path, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cass.data import cache
    from cass.workflows import inference, inputs

    decoded: list[Any] = []
    for module, name in ((cache, "decode_each"), (inputs, "decode_images"), (inference, "stream_images")):

        def spy(*given: Any, original: Any = getattr(module, name), **options: Any) -> Any:  # noqa: B008
            decoded.append(given[0])
            return original(*given, **options)

        monkeypatch.setattr(module, name, spy)
    folder = tmp_path / "cache"
    tuned = tmp_path / "tuned"
    cass.finetune(pretrained, labels=scans, out=tuned, cache=str(folder), **FAST)
    kept = cass.evaluate(tuned, labels=scans, cache=str(folder), resamples=100, device="cpu")
    assert [len(paths) for paths in decoded] == [60]
    streamed = cass.evaluate(tuned, labels=scans, cache="off", resamples=100, device="cpu")
    assert len(decoded) == 2
    assert {name: report.to_dict() for name, report in kept.reports.items()} == {
        name: report.to_dict() for name, report in streamed.reports.items()
    }


def test_a_cache_that_cannot_be_written_is_named(scans: Path, pretrained: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match=r"cache: File exists.*--cache off"):
        cass.finetune(pretrained, labels=scans, out=tmp_path / "tuned", cache=str(tmp_path / "cache"), **FAST)
    assert not (tmp_path / "tuned").exists()
