"""An audit as one HTML page with small pictures, which needs no other file and no internet."""

from __future__ import annotations

import html
from collections import Counter

from cass.auditing.checks import Audit
from cass.auditing.findings import Finding
from cass.auditing.text import audit_tables
from cass.data.manifest.manifest import Manifest
from cass.listing import plural
from cass.reports.webpage import html_cells, image_figure, web_page

MOST_FIGURES = 8


def audit_page(audit: Audit, manifest: Manifest, *, name: str) -> str:
    """Draw an audit as a page.

    Args:
        audit: The audit.
        manifest: The data set, whose pictures are shown.
        name: What to call the set.

    Returns:
        HTML.
    """
    counts = Counter(finding.level for finding in audit.findings)
    counted = [f"{counts['serious']} serious", *(plural(counts[level], level) for level in ("warning", "note"))]
    summary = f"{', '.join(counted)}." if audit.findings else "No problems found."
    parts = [f"<h1>Audit of {html.escape(name)}</h1><p>{summary}</p>"]
    for cells in audit_tables(audit):
        parts.append(f"<section>{html_cells(cells)}</section>")
    parts += [_section(finding, manifest) for finding in audit.findings]
    return web_page(f"Audit of {name}", parts)


def _section(finding: Finding, manifest: Manifest) -> str:
    """Draw a finding with its pictures."""
    topic = f'<h2><span class="level">{finding.level}</span>{html.escape(finding.topic)}</h2>'
    parts = [f'<section class="{finding.level}">{topic}<p>{html.escape(finding.what)}</p>']
    if finding.fix:
        parts.append(f"<p><strong>Fix:</strong> {_html_fix(finding.fix)}</p>")
    captions = finding.captions or [""] * len(finding.images)
    parts += [_figure(manifest, row, more=more) for row, more in zip(finding.images, captions, strict=True)]
    for rows in finding.families[:MOST_FIGURES]:
        parts.append(f'<div class="family">{"".join(_figure(manifest, row) for row in rows[:MOST_FIGURES])}</div>')
    return "".join([*parts, "</section>"])


def _html_fix(fix: str) -> str:
    """Set a command as code, without its comment; anything else is prose."""
    if not fix.startswith("cass "):
        return html.escape(fix)
    command, _, comment = fix.partition("   # ")
    return f"<code>{html.escape(command)}</code>{f' ({html.escape(comment)})' if comment else ''}"


def _figure(manifest: Manifest, row: int, *, more: str = "") -> str:
    """Draw an image with its labels."""
    labels = [label for label, flag in zip(manifest.classes, manifest.targets[row], strict=True) if flag]
    return image_figure(manifest.path(row), name=manifest.images[row], captions=(", ".join(labels), more))
