"""Audit the five sets beside the project, and write what is found into docs/explanation/known-sets.md.

Usage: python benchmarks/known_sets.py [--data ../shared/data]
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import cass
from cass.auditing.findings import Finding

PAGE = Path(__file__).resolve().parents[1] / "docs" / "explanation" / "known-sets.md"
SETS = ("white-blood-cells", "breast-ultrasound", "skin-lesions", "malaria-cells", "brain-tumour-mri")
SHOWN = 3
"""Families or images that are named for each finding."""


def section(name: str, data: Path) -> str:
    """Write the section of one set."""
    result = cass.audit(data / name)
    audit = result.audit
    splits = "given splits" if audit.splits_source == "given" else "splits that cass would make"
    counts = ", ".join(f"{label} {count['images']:,}" for label, count in audit.classes.items())
    lines = [
        f"## {name}",
        f"{len(audit.images):,} images; {splits}; {counts}.",
        f"```bash\ncass audit {name}\n```",
    ]
    rows = ["| | Finding | Images |", "| --- | --- | --- |"]
    for finding in audit.findings:
        what = finding.what[:1].upper() + finding.what[1:]
        rows.append(f"| **{finding.level}** | {finding.topic}: {what} | {images(audit.images, finding)} |")
    return "\n\n".join([*lines, "\n".join(rows)])


def images(names: tuple[str, ...], finding: Finding) -> str:
    """Name some of the images that show a finding."""
    short = [f"`{name.removeprefix('images/')}`" for name in names]
    families = [" = ".join(short[row] for row in rows) for rows in finding.families]
    return "; ".join((families or [short[row] for row in finding.images])[:SHOWN])


def main() -> None:
    """Audit the sets and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    data = parser.parse_args().data
    start, end = "<!-- generated: findings -->", "<!-- end of findings -->"
    text = "\n\n".join(section(name, data) for name in SETS)
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    PAGE.write_text(pattern.sub(lambda _: f"{start}\n\n{text}\n\n{end}", page), encoding="utf-8")
    print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main()
