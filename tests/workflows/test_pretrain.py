from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

import cass
from cass.config.pretrain import PretrainConfig
from cass.data.store.store import ImageStore
from cass.errors import CassError, OutputError


def test_the_run_folder_holds_what_repeats_the_run(pretrained: Path) -> None:
    for name in ("config.yaml", "metrics.csv", "summary.json", "environment.json", "splits.csv"):
        assert (pretrained / name).is_file()
    assert (pretrained / "plots" / "pretraining.png").stat().st_size > 1000
    config = yaml.safe_load((pretrained / "config.yaml").read_text())
    assert sorted(config) == sorted(PretrainConfig.model_fields)
    environment = json.loads((pretrained / "environment.json").read_text())
    assert environment["versions"]["torch"] == torch.__version__.split("+")[0]
    assert len(pd.read_csv(pretrained / "metrics.csv")) == 2


def test_the_summary_tells_what_was_seen_and_measured(pretrained: Path) -> None:
    summary = json.loads((pretrained / "summary.json").read_text())
    splits = summary["splits"]
    assert sum(entry["images"] for entry in splits.values()) == 60
    # every training image counts, labelled or not
    assert splits["train"]["labelled"] < splits["train"]["images"]
    assert summary["images_seen"] == 2 * splits["train"]["images"]
    assert summary["corrupt_images"] == 0
    assert summary["seconds"] > 0
    for branch in ("cnn", "transformer"):
        entry = summary["branches"][branch]
        for measure in ("spread", "effective_rank", "between_image_share", "knn_balanced_accuracy"):
            assert f"{measure}_start" in entry
            assert f"{measure}_end" in entry
        assert isinstance(entry["collapsed"], bool)


def tiny(pretrained: Path) -> dict[str, object]:
    config = yaml.safe_load((pretrained / "config.yaml").read_text())
    return {name: value for name, value in config.items() if name not in ("data", "out", "resume")}


def test_the_configuration_of_a_run_repeats_it(scans: Path, pretrained: Path, tmp_path: Path) -> None:
    again = cass.pretrain(scans, out=tmp_path / "again", config=pretrained / "config.yaml", resume=False).out
    for branch in ("cnn", "transformer"):
        first, second = (load_file(run / "checkpoints" / f"{branch}.safetensors") for run in (pretrained, again))
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_that_lost_its_end_finishes_from_its_last_epoch(
    scans: Path, pretrained: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(pretrained, run)
    (run / "summary.json").unlink()
    for branch in ("cnn", "transformer"):
        (run / "checkpoints" / f"{branch}.safetensors").unlink()
    cass.pretrain(scans, out=run, resume=True, **tiny(pretrained))
    for branch in ("cnn", "transformer"):
        first, second = (load_file(path / "checkpoints" / f"{branch}.safetensors") for path in (pretrained, run))
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_continues_only_with_its_own_settings(scans: Path, pretrained: Path) -> None:
    with pytest.raises(OutputError, match="lr"):
        cass.pretrain(scans, out=pretrained, resume=True, **{**tiny(pretrained), "lr": 0.5})
    with pytest.raises(OutputError, match="has finished"):
        cass.pretrain(scans, out=pretrained, resume=True, **tiny(pretrained))
    with pytest.raises(OutputError, match="not empty"):
        cass.pretrain(scans, out=pretrained, **tiny(pretrained))


def test_test_images_are_never_shown_to_the_networks(
    scans: Path, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_csv(pretrained / "splits.csv")
    hidden = set(table.image[table.split == "test"])
    from cass.runs import inputs

    decoded: list[str] = []

    def spy(paths: list[Path], *, names: list[str], **kwargs: object) -> object:
        decoded.extend(names)
        return original(paths, names=names, **kwargs)

    original = inputs.decode_images
    monkeypatch.setattr(inputs, "decode_images", spy)
    cass.pretrain(scans, out=tmp_path / "run", **{**tiny(pretrained), "epochs": 1, "cache": "off"})
    assert hidden
    assert not hidden & set(decoded)
    assert set(table.image) - hidden == set(decoded)


def test_test_images_in_the_cache_are_never_shown_to_the_networks(
    scans: Path, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pd.read_csv(pretrained / "splits.csv")
    shown: set[int] = set()

    def spy(store: ImageStore, indices: list[int]) -> object:
        assert store.rows is not None
        shown.update(store.rows[indices].tolist())
        return original(store, indices)

    original = ImageStore.pixels
    monkeypatch.setattr(ImageStore, "pixels", spy)
    cass.pretrain(scans, out=tmp_path / "run", **{**tiny(pretrained), "epochs": 1})
    assert set(table.split[sorted(shown)]) == {"train", "val"}
    assert shown == set(table.index[table.split != "test"])


def test_with_and_without_the_cache_the_networks_are_the_same(
    scans: Path, pretrained: Path, tmp_path: Path
) -> None:
    settings = {**tiny(pretrained), "cache": "off"}
    without = cass.pretrain(scans, out=tmp_path / "off", **settings).out
    for branch in ("cnn", "transformer"):
        first, second = (
            load_file(path / "checkpoints" / f"{branch}.safetensors") for path in (pretrained, without)
        )
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_unreadable_image_is_named_skipped_and_counted(scans: Path, pretrained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    shutil.copytree(scans.parent, folder)
    table = pd.read_csv(scans, dtype=str)
    table["split"] = [("train", "train", "test", "val", "train")[index // 4 % 5] for index in range(60)]
    table.to_csv(folder / "labels.csv", index=False)
    path = folder / "images" / "002.png"
    path.write_bytes(path.read_bytes()[:200])
    result = cass.pretrain(folder / "labels.csv", out=tmp_path / "run", **{**tiny(pretrained), "epochs": 1})
    assert result.summary["corrupt_images"] == 1
    assert list(result.summary["corrupt_image_names"]) == ["images/002.png"]
    assert result.summary["images_seen"] == 35

    for name in ("003.png", "004.png", "007.png"):
        (folder / "images" / name).write_bytes(b"broken")
    with pytest.raises(CassError, match=r"images/002\.png"):
        cass.pretrain(folder / "labels.csv", out=tmp_path / "other", **tiny(pretrained))
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_grey_images_of_8_and_16_bit_train(tmp_path: Path, pretrained: Path, mode: str) -> None:
    import numpy as np

    rng = np.random.default_rng(0)
    for index in range(24):
        pixels = rng.integers(0, 200 if mode == "L" else 4000, (20, 28))
        Image.fromarray(pixels.astype(np.uint8 if mode == "L" else np.uint16)).save(tmp_path / f"{index}.png")
    out = tmp_path / "run"
    result = cass.pretrain(tmp_path, out=out, **{**tiny(pretrained), "in_chans": 1, "epochs": 1})
    mean = result.summary["branches"]["cnn"]["mean"]
    assert mean == pytest.approx([100 / 255] if mode == "L" else [2000 / 65535], rel=0.05)


@pytest.mark.parametrize("write", ["write_splits", "write_json"])
def test_a_run_that_is_stopped_between_its_first_files_still_tells_where_its_splits_came_from(
    scans: Path, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    def stop(*_: object) -> None:
        raise OSError("stopped here")

    with monkeypatch.context() as patch:
        patch.setattr(f"cass.runs.pretrain_folder.{write}", stop)
        with pytest.raises((OSError, CassError), match="stopped here"):
            cass.pretrain(scans, out=tmp_path / "run", **tiny(pretrained))
    cass.pretrain(scans, out=tmp_path / "run", resume=True, **tiny(pretrained))
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["splits_source"] == "made"
