from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cass.auditing import embeddings as module
from cass.auditing.embeddings import run_findings
from cass.auditing.findings import Finding
from cass.config.audit import AuditConfig
from cass.data.manifest.manifest import Manifest

COUNT = 60
LABELS = np.arange(COUNT) % 2


def embedded(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Two well separated classes, seen by two networks."""
    return {
        name: (4 * np.eye(8)[LABELS] + rng.normal(size=(COUNT, 8))).astype(np.float32)
        for name in ("cnn", "transformer")
    }


def findings(
    monkeypatch: pytest.MonkeyPatch,
    parts: dict[str, np.ndarray],
    *,
    labels: np.ndarray = LABELS,
    splits: np.ndarray | None = None,
    labelled: bool = True,
) -> list[Finding]:
    monkeypatch.setattr(module, "_embed_readable", lambda *_: (np.arange(COUNT), parts))
    manifest = Manifest(
        root=Path("scans"),
        images=tuple(f"{number}.png" for number in range(COUNT)),
        classes=("ill", "well"),
        targets=np.eye(2, dtype=np.uint8)[labels] * np.uint8(labelled),
        labelled=np.full(COUNT, labelled),
        groups=None,
        splits=None,
        task="multiclass",
    )
    config = AuditConfig(data="scans", run=Path("runs/mine"))
    chosen = np.full(COUNT, "train") if splits is None else splits
    return run_findings(config, manifest, np.ones(COUNT, dtype=np.bool_), chosen)


def test_a_good_set_has_no_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = embedded(np.random.default_rng(0))
    assert findings(monkeypatch, parts) == []
    assert findings(monkeypatch, parts, labelled=False) == []


def test_images_that_both_networks_see_alike_are_named_where_splits_part_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = embedded(np.random.default_rng(0))
    for values in parts.values():
        values[7] = values[5]
        values[11] = values[9]
    parts["cnn"][15] = parts["cnn"][13]  # alike for one network alone
    splits = np.full(COUNT, "train")
    splits[[5, 13]] = "test"
    (found,) = findings(monkeypatch, parts, splits=splits)
    assert (found.level, found.families) == ("warning", ((5, 7),))
    assert found.what == (
        "1 family of near-duplicates by embedding (networks of runs/mine) lie in more than one split (2 images)."
    )


def test_a_wrong_label_is_named_with_the_likely_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = LABELS.copy()
    wrong[8] = 1
    (found,) = findings(monkeypatch, embedded(np.random.default_rng(0)), labels=wrong)
    assert (found.level, found.topic, found.images) == ("warning", "label quality", (8,))
    assert found.what.startswith("1 of 60 labels are doubtful")
    assert found.captions[0].startswith(("more likely ill (9", "more likely ill (100"))
