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
from cass.data.manifest.manifest import load_manifest
from cass.data.splits.kept import read_splits
from cass.data.store.dataset import StoredImages
from cass.errors import CassError, DataError, OutputError
from cass.evaluation.calibration import fit_temperature
from cass.evaluation.probabilities import probabilities
from cass.models.checkpoints import load_branch
from cass.runs.inputs import decode, make_plan
from cass.training.stored_embeddings import embed_finite
from conftest import TINY, write_scans

FAST = {"epochs": 1, "batch_size": 8, "device": "cpu"}


def test_each_branch_saves_its_own_network(tuned: Path) -> None:
    for branch, network, extra in (("cnn", "test_resnet", {}), ("transformer", "test_vit", {"img_size": 32})):
        state = load_file(tuned / "checkpoints" / f"{branch}.safetensors")
        timm.create_model(network, num_classes=3, **extra).load_state_dict(state)


def test_fine_tuning_moves_away_from_the_pretrained_weights(
    scans: Path, pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cass.training import finetune_branch

    begin = finetune_branch._start

    def with_a_bad_probe(*given: Any, **named: Any) -> Any:  # on these scans the probe is the best there is
        start = begin(*given, **named)
        start.row["val/loss"] = 10.0
        return start

    monkeypatch.setattr(finetune_branch, "_start", with_a_bad_probe)
    longer = FAST | {"epochs": 4, "lr": 1e-3, "branch": "transformer", "precision": "32", "unlabelled": "off"}
    out = cass.finetune(pretrained, labels=scans, out=tmp_path / "tuned", **longer).out
    assert json.loads((out / "summary.json").read_text())["branches"]["transformer"]["best_epoch"] > 0
    before, after = (load_file(run / "checkpoints" / "transformer.safetensors") for run in (pretrained, out))
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert len(moved) > len(before) / 2


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
    from cass.config.pretrain import PretrainConfig
    from cass.runs.folder import read_config
    from cass.training.start import start_branch

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
    from cass.data.store import cache
    from cass.runs import inference, inputs

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


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CSV of 144 scans with several labels each and given splits: 48 for each."""
    path = write_scans(tmp_path_factory.mktemp("findings"), count=144, multilabel=True, unlabelled=0)
    table = pd.read_csv(path)
    table["split"] = [("train", "val", "test")[index // 4 % 3] for index in range(len(table))]
    table.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def findings_run(findings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cass.pretrain(findings, out=tmp_path_factory.mktemp("run") / "pretrain", **TINY | {"epochs": 1}).out


@pytest.fixture(scope="module")
def findings_tuned(findings: Path, findings_run: Path) -> Path:
    out = findings_run.parent / "tuned"
    return cass.finetune(findings_run, labels=findings, out=out, balance="sampling", **FAST).out


def logits_of(run: Path, labels: Path, branch: str) -> tuple[torch.Tensor, Any]:
    """Logits and labels of the validation images, from the saved branch."""
    plan = make_plan(load_manifest(labels), seed=0, known=read_splits(run / "splits.csv"), announce=False)
    inputs = decode(plan, plan.rows("val"), image_size=32, in_chans=3, purpose="a test", cache="off")
    network = load_branch(run / "checkpoints" / f"{branch}.safetensors")
    images = StoredImages(inputs.images, range(len(inputs.manifest)))
    with torch.no_grad():
        logits = network.head(torch.from_numpy(embed_finite(network, images, device=torch.device("cpu"))))
    return logits, inputs.manifest.targets


def rows_of(run: Path, branch: str) -> pd.DataFrame:
    return pd.read_csv(run / f"{branch}-metrics.csv")


def test_fine_tuning_never_ends_worse_than_its_probe(tuned: Path, findings_tuned: Path) -> None:
    for run in (tuned, findings_tuned):
        for branch, part in json.loads((run / "summary.json").read_text())["branches"].items():
            rows = rows_of(run, branch)
            assert rows.epoch.tolist() == list(range(part["epochs"] + 1))
            assert rows["val/loss"][0] == pytest.approx(part["probe"]["val_loss"])
            assert part["val_loss"] == pytest.approx(rows["val/loss"].min())
            assert part["best_epoch"] == rows.epoch[rows["val/loss"].argmin()]


def test_where_training_only_harms_the_probe_is_saved(scans: Path, pretrained: Path, tmp_path: Path) -> None:
    harm = FAST | {"lr": 10.0, "layer_decay": 1.0, "epochs": 30, "patience": 2, "branch": "transformer"}
    harm |= {"precision": "32"}  # in bf16 gradients may become infinite, which ends the run
    out = cass.finetune(pretrained, labels=scans, out=tmp_path / "harm", **harm).out
    summary = json.loads((out / "summary.json").read_text())["branches"]["transformer"]
    assert summary["best_epoch"] == 0
    assert 2 <= summary["epochs"] < 30
    before, after = (load_file(run / "checkpoints" / "transformer.safetensors") for run in (pretrained, out))
    assert all(torch.equal(before[name], after[name]) for name in before)
    linear = FAST | {"head": "linear", "branch": "transformer"}
    cass.finetune(pretrained, labels=scans, out=tmp_path / "linear", **linear)
    probe = load_file(tmp_path / "linear" / "checkpoints" / "transformer.safetensors")
    assert all(torch.equal(after[name], probe[name]) for name in before)  # the heads are fitted to other labels


def test_the_saved_logits_are_calibrated(findings: Path, findings_tuned: Path) -> None:
    summary = json.loads((findings_tuned / "summary.json").read_text())
    for branch, part in summary["branches"].items():
        assert part["temperature_note"] == ""
        assert part["temperature"] != 1
        logits, targets = logits_of(findings_tuned, findings, branch)
        again = fit_temperature(logits.numpy(), targets, task="multilabel")
        assert again.value == pytest.approx(1, abs=0.02)
        assert again.ece_before == pytest.approx(part["val_ece_after"], abs=0.02)


def test_few_validation_images_give_no_temperature(tuned: Path) -> None:
    for part in json.loads((tuned / "summary.json").read_text())["branches"].values():
        assert part["temperature"] == 1
        assert "20 validation images" in part["temperature_note"]
        assert part["thresholds"] is None


def test_thresholds_are_those_of_the_validation_images_and_are_used(
    findings: Path, findings_tuned: Path, tmp_path: Path
) -> None:
    summary = json.loads((findings_tuned / "summary.json").read_text())
    chosen = {name: part["thresholds"] for name, part in summary["branches"].items()}
    chosen["mean of both"] = summary["thresholds_of_the_mean"]
    assert any(value != 0.5 for value in chosen["mean of both"])
    result = cass.evaluate(findings_tuned, labels=findings, split="val", resamples=100, device="cpu")
    for name, report in result.reports.items():
        assert list(report.thresholds or ()) == chosen[name]
        table = pd.read_csv(result.out / f"predictions-{name.replace(' ', '-')}.csv", keep_default_na=False)
        over = table.filter(like="probability_").to_numpy() >= chosen[name]
        expected = ["|".join(k for k, there in zip(report.classes, row, strict=True) if there) for row in over]
        assert table.prediction.tolist() == expected
        # Better on these images than a half everywhere, by which they were not chosen.
        logits = [logits_of(findings_tuned, findings, branch)[0] for branch in ("cnn", "transformer")]
        if name == "mean of both":
            mean = sum(probabilities(part, task="multilabel") for part in logits).numpy() / 2
            from cass.evaluation.metrics import balanced_accuracy

            targets = logits_of(findings_tuned, findings, "cnn")[1]
            assert report.metrics["balanced_accuracy"].value >= balanced_accuracy(mean, targets, task="multilabel")
    cass.predict(findings_tuned, findings.parent / "images", out=tmp_path / "p.csv", device="cpu")
    table = pd.read_csv(tmp_path / "p.csv", keep_default_na=False)
    over = table.filter(like="probability_").to_numpy() >= chosen["mean of both"]
    expected = ["|".join(k for k, there in zip(summary["classes"], row, strict=True) if there) for row in over]
    assert table.prediction.tolist() == expected


def test_labels_that_occur_together_are_weighted_not_sampled(findings_tuned: Path) -> None:
    summary = json.loads((findings_tuned / "summary.json").read_text())
    assert {part["balance"] for part in summary["branches"].values()} == {"weights"}
