from __future__ import annotations

from pathlib import Path

import pytest

from cass.config.audit import AuditConfig
from cass.config.embed import EmbedConfig
from cass.config.evaluate import EvaluateConfig
from cass.config.predict import PredictConfig
from cass.errors import ConfigError, DataError, OutputError
from cass.resolve.trained import resolve_audit, resolve_embed, resolve_evaluate, resolve_predict


def test_evaluate_reads_the_run_and_the_labels(tuned: Path, scans: Path) -> None:
    summary, manifest = resolve_evaluate(EvaluateConfig(run=tuned, labels=str(scans), device="cpu"))
    assert summary["classes"] == ["cross", "disc", "stripes"]
    assert len(manifest) == 60


def test_rows_are_listed_before_a_network_is_loaded(tuned: Path, scans: Path, tmp_path: Path) -> None:
    rows = resolve_embed(EmbedConfig(run=tuned, data=str(scans), out=tmp_path / "a.parquet", device="cpu"))
    assert rows.target.is_file
    assert (rows.root, len(rows.images)) == (scans.parent, 60)
    predicted = resolve_predict(PredictConfig(run=tuned, data=str(scans), out=tmp_path / "shards", device="cpu"))
    assert not predicted.target.is_file
    assert predicted.summary["task"] == "multiclass"
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="No images"):
        resolve_predict(
            PredictConfig(run=tuned, data=str(tmp_path / "empty"), out=tmp_path / "a.csv", device="cpu")
        )


def test_only_a_fine_tuned_run_predicts(pretrained: Path, scans: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cass finetune"):
        resolve_predict(PredictConfig(run=pretrained, data=str(scans), out=tmp_path / "a.csv", device="cpu"))


def test_audit_finds_the_branches_of_a_run(pretrained: Path, scans: Path) -> None:
    assert resolve_audit(AuditConfig(data=str(scans))) == {}
    assert sorted(resolve_audit(AuditConfig(data=str(scans), run=pretrained))) == ["cnn", "transformer"]


def test_the_device_is_checked(scans: Path) -> None:
    with pytest.raises(ConfigError, match="--device gpu"):
        resolve_audit(AuditConfig(data=str(scans), device="gpu"))
