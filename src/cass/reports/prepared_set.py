"""What a public data set holds, beside what it should hold."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from cass.config.shared import LabelSettings
from cass.config.wording import column_options
from cass.data.prepare.prepared import Prepared
from cass.reports.tables import Cells


def counts_table(prepared: Prepared) -> Cells:
    """Set out the images of each class.

    Args:
        prepared: A data set.

    Returns:
        A row for each class of each split, marked where the copy is not whole.
    """
    found = prepared.found
    with_split = any(split for split, _ in found)
    rows = []
    for (split, name), count in found.items():
        cells = ([split] if with_split else []) + [name, f"{count:,}"]
        if prepared.expected:
            wanted = prepared.expected.get((split, name), 0)
            cells += [f"{wanted:,}", "" if count == wanted else "differs"]
        rows.append(cells)
    header = (["split"] if with_split else []) + ["class", "images"]
    if prepared.expected:
        header += ["expected", ""]
    title = f"{len(prepared.manifest):,} images"
    if prepared.expected:
        total = sum(prepared.expected.values())
        title += " as expected" if found == dict(prepared.expected) else f", {total:,} expected: this copy differs"
    return Cells(title, header, rows)


def next_step(out: Path, label_columns: Sequence[str]) -> str:
    """Say which command comes next.

    Args:
        out: The CSV that was written.
        label_columns: Its 0/1 columns.
    """
    columns = column_options(LabelSettings(label_columns=tuple(label_columns)))
    return f"Next: {shlex.join(['cass', 'audit', str(out), *columns])}"
