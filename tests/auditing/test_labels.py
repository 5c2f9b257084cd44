from __future__ import annotations

import warnings

import numpy as np
import pytest

from cass.auditing.labels import cross_validated, doubted


def blobs(*, per_group: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two well separated clouds of 40 images in groups; images 3 and 50 carry the other's label."""
    rng = np.random.default_rng(0)
    kinds = np.repeat([0, 1], 40)
    embeddings = rng.normal(size=(80, 5)) + 6 * kinds[:, None]
    labels = kinds.copy()
    labels[[3, 50]] ^= 1
    return embeddings, np.eye(2, dtype=np.uint8)[labels], np.arange(80) // per_group


def test_wrong_labels_are_found_and_no_others() -> None:
    embeddings, targets, codes = blobs()
    found = cross_validated(embeddings, targets, codes=codes, task="multiclass", seed=0)
    assert found.sum(axis=1) == pytest.approx(1)
    assert set(doubted(found, targets, task="multiclass", least=0.8).tolist()) == {3, 50}


def test_wrong_flags_are_found_in_multi_label_sets() -> None:
    embeddings, targets, codes = blobs()
    flags = targets[:, :1]
    found = cross_validated(embeddings, flags, codes=codes, task="multilabel", seed=0)
    assert set(doubted(found, flags, task="multilabel", least=0.8).tolist()) == {3, 50}


def test_an_image_is_never_predicted_by_its_own_group() -> None:
    # Embeddings tell the group and nothing else: only a probe that has seen the group could know its label.
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(20), 4)
    embeddings = 50 * np.eye(20)[codes] + rng.normal(size=(80, 20))
    targets = np.eye(2, dtype=np.uint8)[rng.integers(0, 2, 20)[codes]]
    found = cross_validated(embeddings, targets, codes=codes, task="multiclass", seed=0)
    right = (found.argmax(axis=1) == targets.argmax(axis=1)).mean()
    assert right < 0.8


def test_few_groups_and_rare_classes() -> None:
    embeddings, targets, _ = blobs()
    few = cross_validated(embeddings, targets, codes=np.arange(80) // 40, task="multiclass", seed=0)
    assert np.isnan(few).all()
    assert not len(doubted(few, targets, task="multiclass", least=0.5))
    rare = np.concatenate([targets, np.zeros((80, 1), dtype=np.uint8)], axis=1)
    rare[0] = [0, 0, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cross_validated(embeddings, rare, codes=np.arange(80), task="multiclass", seed=0)
    assert np.isfinite(found).all()
