from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cass.auditing.facts import ImageFacts
from cass.auditing.findings import Finding
from cass.auditing.leads import check_leads
from cass.data.formats.header import Header
from cass.data.manifest.manifest import Manifest

COUNT = 80
SICK = np.arange(COUNT) % 2 == 0
HEADER = Header(width=40, height=30, format="PNG", mode="L", bits=8, orientation=1, make="", size=900)


def set_of(**columns: np.ndarray) -> Manifest:
    """Eighty labelled images, half of them sick, with further columns."""
    return Manifest(
        root=Path(),
        images=tuple(f"{row}.png" for row in range(COUNT)),
        classes=("sick", "well"),
        targets=np.stack([SICK, ~SICK], axis=1).astype(np.uint8),
        labelled=np.ones(COUNT, dtype=np.bool_),
        groups=None,
        splits=None,
        task="multiclass",
        metadata={name: cells.astype(object) for name, cells in columns.items()},
    )


def facts_of(**numbers: np.ndarray) -> ImageFacts:
    random = np.random.default_rng(0)
    names = ("mean", "spread", "border_mean", "border_even", "saturated")
    return ImageFacts(
        digests=[str(row) for row in range(COUNT)],
        headers=[HEADER] * COUNT,
        errors={},
        constant=np.zeros(COUNT, dtype=np.bool_),
        thumbnails=np.zeros((COUNT, 32, 32), dtype=np.uint8),
        **({name: random.random(COUNT) for name in names} | numbers),
    )


def found(manifest: Manifest, facts: ImageFacts) -> dict[str, Finding]:
    return {finding.topic: finding for finding in check_leads(manifest, facts, seed=0)[0]}


def test_nothing_leads_to_the_label() -> None:
    findings, predictions = check_leads(set_of(), facts_of(), seed=0)
    assert findings == []
    assert list(predictions) == ["label from brightness and border"]  # all files are alike


def test_files_that_tell_the_label_are_a_warning() -> None:
    facts = facts_of()
    wide = [replace(HEADER, width=64) if sick else HEADER for sick in SICK]
    finding = found(set_of(), replace(facts, headers=wide))["shortcut"]
    assert finding.level == "warning"
    assert "balanced accuracy of 100% (chance: 50%); the strongest are width (100%)" in finding.what


def test_brightness_that_tells_the_label_is_a_note() -> None:
    finding = found(set_of(), facts_of(mean=np.where(SICK, 0.3, 0.6)))["look"]
    assert finding.level == "note"
    assert "mean intensity (100%)" in finding.what


def test_a_site_that_tells_the_label_and_can_be_seen_is_a_warning() -> None:
    site = np.where(SICK ^ (np.arange(COUNT) % 20 == 0), "north", "south")
    seen = facts_of(border_mean=np.where(site == "north", 0.1, 0.2))
    assert found(set_of(site=site), seen)["site"].level == "warning"
    unseen = found(set_of(site=site), facts_of())["site"]
    assert unseen.level == "note"
    assert "correlated with the label (balanced accuracy 9" in unseen.what
    assert "appearance" not in unseen.what


def test_columns_of_one_value_or_of_many_are_not_kinds() -> None:
    columns = {"one": np.full(COUNT, "x"), "many": np.arange(COUNT).astype(str)}
    _, predictions = check_leads(set_of(**columns), facts_of(), seed=0)
    assert not [name for name in predictions if "one" in name or "many" in name]


def test_multi_label_sets_are_left_out() -> None:
    assert check_leads(replace(set_of(), task="multilabel"), facts_of(), seed=0) == ([], {})
