from __future__ import annotations

import pickle
from pathlib import Path

import pandas as pd
import pytest
import torch

import cass


def test_the_logits_are_those_of_predict(tuned: Path, scans: Path, tmp_path: Path) -> None:
    cass.predict(tuned, scans.parent / "images", out=tmp_path / "p.csv", device="cpu", precision="32")
    written = pd.read_csv(tmp_path / "p.csv").set_index("image")
    probabilities = []
    for name in ("cnn", "transformer"):
        model, transform, classes = cass.load(tuned, name)
        image = transform(scans.parent / "images" / "004.png")
        assert image.shape == (3, 32, 32)
        assert 0 <= float(image.min()) < float(image.max()) <= 1
        assert not model.training
        with torch.no_grad():
            probabilities.append(model(image.unsqueeze(0)).softmax(dim=1)[0])
        assert classes == ("cross", "disc", "stripes")
    mean = torch.stack(probabilities).mean(dim=0)
    expected = written.loc["004.png", [f"probability_{name}" for name in classes]].to_numpy(float)
    assert mean.tolist() == pytest.approx(expected.tolist(), abs=2e-4)


def test_a_pretraining_run_gives_embeddings(pretrained: Path, scans: Path) -> None:
    model, transform, classes = cass.load(pretrained, "transformer")
    assert classes == ()
    with torch.no_grad():
        embedding = model(transform(scans.parent / "images" / "004.png").unsqueeze(0))
    assert embedding.shape == (1, model.num_features)
    assert pickle.loads(pickle.dumps(transform)) == transform  # for the workers of a DataLoader


def test_what_cannot_be_loaded_is_one_line(tuned: Path, scans: Path, tmp_path: Path) -> None:
    with pytest.raises(cass.CassError, match="no branch 'resnet'"):
        cass.load(tuned, "resnet")  # type: ignore[arg-type]
    with pytest.raises(cass.CassError, match="holds no finished branches"):
        cass.load(tmp_path, "cnn")
    _, transform, _ = cass.load(tuned, "cnn")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(cass.CassError, match=r"broken\.png cannot be read"):
        transform(tmp_path / "broken.png")


def test_results_are_data_frames(pretrained: Path, tuned: Path, scans: Path) -> None:
    from cass.workflows.finetune import FinetuneResult
    from cass.workflows.pretrain import PretrainResult

    assert PretrainResult(pretrained, {}).frame()["epoch"].tolist() == [1, 2]
    epochs = FinetuneResult(tuned, {}).frame()
    assert set(epochs["branch"]) == {"cnn", "transformer"}
    assert {"epoch", "val/loss"} <= set(epochs)
    evaluated = cass.evaluate(tuned, labels=scans, device="cpu").frame()
    overall = evaluated[(evaluated["class"] == "") & (evaluated["metric"] == "balanced_accuracy")]
    assert set(overall["branch"]) == {"cnn", "transformer", "mean of both"}
    assert (overall["low"] <= overall["value"]).all()
    found = cass.audit(scans).frame()
    assert list(found) == ["level", "topic", "what", "fix", "images"]
