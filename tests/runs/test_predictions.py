from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cass.errors import OutputError
from cass.runs.folder import finetuned_summary
from cass.runs.predictions import prediction_table, thresholds_of


def test_only_a_fine_tuned_run_predicts(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(json.dumps({"kind": "pretrain"}))
    with pytest.raises(OutputError, match="is not a run of cass finetune"):
        finetuned_summary(tmp_path)
    (tmp_path / "summary.json").write_text(json.dumps({"kind": "finetune", "classes": ["a"]}))
    assert finetuned_summary(tmp_path)["classes"] == ["a"]


def test_each_branch_and_their_mean_have_thresholds_of_their_own() -> None:
    summary = {"branches": {"cnn": {"thresholds": [0.2]}, "transformer": {}}, "thresholds_of_the_mean": [0.4]}
    assert thresholds_of(summary, "cnn") == [0.2]
    assert thresholds_of(summary, "transformer") is None
    assert thresholds_of(summary, "cnn", "transformer") == [0.4]


def test_a_class_is_the_likeliest_and_labels_are_those_over_their_threshold() -> None:
    probability = np.array([[0.6, 0.4], [0.1, 0.35]], dtype=np.float32)
    table = prediction_table(["x", "y"], probability, classes=("a", "b"), task="multiclass")
    assert table.prediction.tolist() == ["a", "b"]
    assert list(table) == ["image", "prediction", "probability_a", "probability_b"]
    table = prediction_table(["x", "y"], probability, classes=("a", "b"), task="multilabel", thresholds=[0.5, 0.3])
    assert table.prediction.tolist() == ["a|b", "b"]
    table = prediction_table(["x", "y"], probability, classes=("a", "b"), task="multilabel")
    assert table.prediction.tolist() == ["a", ""]
