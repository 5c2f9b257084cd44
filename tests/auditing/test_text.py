from __future__ import annotations

from cass.auditing.checks import Audit
from cass.auditing.findings import Finding
from cass.auditing.text import audit_tables, finding_lines

COUNTS = {"sick": {"images": 1200, "train": 900, "val": 100, "test": 200}}


def audit(*findings: Finding, source: str = "given", classes: dict[str, dict[str, int]] | None = None) -> Audit:
    return Audit(
        images=tuple(f"{row}.png" for row in range(9)),
        findings=findings,
        classes=COUNTS if classes is None else classes,
        fractions={"1%": {"sick": 9}, "100%": {"sick": 900}},
        predictions={},
        splits={"train": 6, "val": 1, "test": 2},
        splits_source=source,
        unreadable={},
    )


def test_the_table_counts_each_class() -> None:
    (table,) = audit_tables(audit())
    assert table.title == "9 images"
    assert list(table.head) == ["class", "images", "train", "val", "test", "1% of labels", "100% of labels"]
    assert [list(row) for row in table.rows] == [["sick", "1,200", "900", "100", "200", "9", "900"]]
    (made,) = audit_tables(audit(source="made"))
    assert made.title == "9 images (with the splits that cass would make)"
    assert audit_tables(audit(classes={})) == []


def test_nothing_found() -> None:
    assert list(finding_lines(audit())) == ["", "No problems found."]


def test_each_finding_is_a_paragraph_with_examples() -> None:
    leak = Finding("serious", "leakage", "It leaks.", "cass split", families=((0, 1, 2, 3), (4, 5)))
    broken = Finding("warning", "unreadable", "It is broken.", images=(6, 7), captions=("empty", "truncated"))
    assert list(finding_lines(audit(leak, broken))) == [
        "",
        "SERIOUS, leakage: It leaks.",
        "  Fix: cass split",
        "  Such as: 0.png = 1.png = 2.png; 4.png = 5.png",
        "",
        "WARNING, unreadable: It is broken.",
        "  Such as: 6.png (empty); 7.png (truncated)",
        "",
        "1 serious, 1 warning.",
    ]


def test_few_examples_are_listed() -> None:
    lines = list(finding_lines(audit(Finding("note", "sizes", "They differ.", images=tuple(range(9))))))
    assert lines[2] == "  Such as: 0.png; 1.png; 2.png; 3.png; 4.png"
