from __future__ import annotations

import pytest
import torch
from scipy.special import expit, softmax

from cass.evaluation.probabilities import probabilities


def test_logits_become_probabilities_in_full_precision() -> None:
    logits = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]], dtype=torch.bfloat16)
    for task, function in (("multiclass", lambda values: softmax(values, axis=1)), ("multilabel", expit)):
        found = probabilities(logits, task=task)
        assert found.dtype == torch.float32
        assert found.numpy() == pytest.approx(function(logits.double().numpy()), abs=1e-6)
