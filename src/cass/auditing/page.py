"""An audit as one HTML page with small pictures, which needs no other file and no internet."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

from cass.auditing.checks import Audit
from cass.auditing.text import audit_tables
from cass.data.manifest.manifest import Manifest
from cass.errors import DataError

FIGURE_SIDE = 96
MOST_FIGURES = 8
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}section{border-left:5px solid #999;padding-left:1em;margin:1.5em 0}
section.serious{border-color:#c62828}section.warning{border-color:#ef8f00}figure{display:inline-block;margin:.3em}
figcaption{font-size:11px;max-width:96px;overflow-wrap:anywhere}code{background:#f2f2f2;padding:.1em .3em}
.family{border:1px solid #ddd;display:inline-block;margin:.3em;padding:.2em}"""


def audit_page(audit: Audit, manifest: Manifest, *, name: str) -> str:
    """Draw an audit as a page.

    Args:
        audit: The audit.
        manifest: The data set, whose pictures are shown.
        name: What to call the set.

    Returns:
        HTML.
    """
    parts = [f"<h1>Audit of {html.escape(name)}</h1>"]
    for cells in audit_tables(audit):
        parts.append(f"<p>{html.escape(cells.title)}</p>{_html_table(cells.head, cells.rows)}")
    for finding in audit.findings:
        parts.append(f'<section class="{finding.level}"><h2>{finding.level}: {html.escape(finding.topic)}</h2>')
        parts.append(f"<p>{html.escape(finding.what)}</p>")
        if finding.fix:
            parts.append(f"<p>Fix: <code>{html.escape(finding.fix)}</code></p>")
        captions = finding.captions or [""] * len(finding.images)
        shown = zip(finding.images, captions, strict=True)
        parts += [_figure(manifest, row, more=caption) for row, caption in shown]
        for rows in finding.families[:MOST_FIGURES]:
            parts.append(
                f'<div class="family">{"".join(_figure(manifest, row) for row in rows[:MOST_FIGURES])}</div>'
            )
        parts.append("</section>")
    if not audit.findings:
        parts.append("<p>No problems found.</p>")
    head = f"<meta charset='utf-8'><title>Audit of {html.escape(name)}</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"


def _figure(manifest: Manifest, row: int, *, more: str = "") -> str:
    """Draw an image as a small JPEG inside the page; one that cannot be read is an empty frame."""
    from PIL import Image

    from cass.data.store.store import read_square

    caption = html.escape(manifest.images[row])
    labels = [label for label, flag in zip(manifest.classes, manifest.targets[row], strict=True) if flag]
    if labels:
        caption += f"<br>{html.escape(', '.join(labels))}"
    if more:
        caption += f"<br>{html.escape(more)}"
    try:
        pixels = read_square(manifest.path(row), FIGURE_SIDE)
    except DataError:
        empty = f"<svg width='{FIGURE_SIDE}' height='{FIGURE_SIDE}'></svg>"
        return f"<figure>{empty}<figcaption>{caption}</figcaption></figure>"
    eight = pixels if pixels.dtype.itemsize == 1 else (pixels // 257).astype("uint8")
    shown = eight[..., 0] if eight.shape[2] not in (3,) else eight
    buffer = io.BytesIO()
    Image.fromarray(shown).save(buffer, "JPEG", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"<figure><img src='data:image/jpeg;base64,{data}' alt=''><figcaption>{caption}</figcaption></figure>"
