"""An audit as tables and sentences for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from cass.auditing.checks import Audit
from cass.listing import plural
from cass.reports.tables import Cells

LISTED = 5


def audit_tables(audit: Audit) -> list[Cells]:
    """Lay out how many images there are of each class, by split and at each label fraction.

    Args:
        audit: The audit.

    Returns:
        One table; none where nothing is labelled.
    """
    if not audit.classes:
        return []
    shares = list(audit.fractions)
    made = "" if audit.splits_source == "given" else " (with the splits that cass would make)"
    head = ["class", "images", "train", "val", "test", *(f"{share} of labels" for share in shares)]
    rows = [
        [
            name,
            *(f"{count[key]:,}" for key in head[1:5]),
            *(f"{audit.fractions[share][name]:,}" for share in shares),
        ]
        for name, count in audit.classes.items()
    ]
    return [Cells(f"{len(audit.images):,} images{made}", head, rows)]


def finding_lines(audit: Audit) -> Iterator[str]:
    """Say what was found, a paragraph each, the serious first.

    Args:
        audit: The audit.

    Yields:
        Lines.
    """
    for finding in audit.findings:
        yield ""
        yield f"{finding.level.upper()}, {finding.topic}: {finding.what}"
        if finding.fix:
            yield f"  Fix: {finding.fix}"
        captions = [f" ({caption})" for caption in finding.captions] or [""] * len(finding.images)
        named = zip(finding.images[:LISTED], captions, strict=False)
        names = [f"{audit.images[row]}{caption}" for row, caption in named]
        names += [" = ".join(audit.images[row] for row in rows[:3]) for rows in finding.families[:LISTED]]
        if names:
            yield f"  Such as: {'; '.join(names[:LISTED])}"
    counts = {level: sum(finding.level == level for finding in audit.findings) for level in ("serious", "warning")}
    yield ""
    yield (
        f"{counts['serious']} serious, {plural(counts['warning'], 'warning')}."
        if audit.findings
        else "No problems found."
    )
