from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cass.auditing import safe_splits as module
from cass.auditing.safe_splits import joined_groups, safe_splits, split_command
from cass.config.audit import AuditConfig
from cass.data.manifest.manifest import Manifest
from cass.errors import DataError

COUNT = 24


def set_of(groups: list[str]) -> Manifest:
    labels = np.arange(COUNT) % 2
    return Manifest(
        root=Path("scans"),
        images=tuple(f"{number}.png" for number in range(COUNT)),
        targets=np.eye(2, dtype=np.uint8)[labels],
        labelled=np.ones(COUNT, dtype=np.bool_),
        classes=("ill", "well"),
        task="multiclass",
        groups=np.array(groups),
        splits=None,
    )


def splits(
    groups: list[str], digests: list[str], near: list[tuple[int, int]], **settings: Any
) -> tuple[np.ndarray, np.ndarray]:
    pairs = np.array(near, dtype=np.int64).reshape(-1, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "kept_pairs", lambda *_: pairs)
        manifest, facts = set_of(groups), cast("Any", SimpleNamespace(digests=digests))
        usual: dict[str, Any] = {"seed": 0, "ratios": (0.7, 0.1, 0.2)}
        return joined_groups(manifest, facts), safe_splits(manifest, facts, **usual | settings)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["", "p", "q"]), min_size=COUNT, max_size=COUNT),
    st.lists(st.integers(0, 20), min_size=COUNT, max_size=COUNT),
    st.lists(st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1)), max_size=3),
    st.integers(0, 99),
)
def test_what_shows_the_same_is_in_one_split(
    groups: list[str], contents: list[int], near: list[tuple[int, int]], seed: int
) -> None:
    digests = [str(content) for content in contents]
    try:
        joined, found = splits(groups, digests, near, seed=seed)
    except DataError:  # all of them belong together
        return
    for a in range(COUNT):
        for b in range(a):
            together = (groups[a] != "" and groups[a] == groups[b]) or digests[a] == digests[b]
            if together or (a, b) in near or (b, a) in near:
                assert joined[a] == joined[b]
                assert found[a] == found[b]
    assert set(found) == {"train", "val", "test"}


def test_nothing_else_is_joined() -> None:
    joined, found = splits(
        [""] * COUNT, [str(number) for number in range(COUNT)], [(3, 7)], ratios=(0.5, 0.25, 0.25)
    )
    assert len(set(joined.tolist())) == COUNT - 1
    assert joined[3] == joined[7]
    assert [int((found == name).sum()) for name in ("train", "val", "test")] == pytest.approx([12, 6, 6], abs=1)


def test_the_command_can_be_pasted_into_a_shell() -> None:
    config = AuditConfig(data="my scans/labels.csv", group_column="patient no")
    assert split_command(config) == ("cass split 'my scans/labels.csv' --group-column 'patient no' --out safe.csv")
