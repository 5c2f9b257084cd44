"""An audit as one HTML page with small pictures, which needs no other file and no internet."""

from __future__ import annotations

import base64
import html
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from cass.auditing.checks import Audit
from cass.auditing.findings import Finding
from cass.auditing.text import audit_tables
from cass.data.manifest.manifest import Manifest
from cass.errors import DataError
from cass.listing import plural

FIGURE_SIDE = 96
MOST_FIGURES = 8
STYLE = """:root{color-scheme:light dark;--line:#d9dcdf;--text:#1f2328;--soft:#59636e;--code:#f0f2f4;
--card:#fff;--page:#f6f8fa;--serious:#b3261e;--warning:#9a6700;--note:#57606a}
@media (prefers-color-scheme:dark){:root{--line:#3a4149;--text:#e6edf3;--soft:#9aa5b1;--code:#262c33;
--card:#161b22;--page:#0d1117;--serious:#ff8a80;--warning:#e3b341;--note:#9aa5b1}}*{box-sizing:border-box}body{
font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1rem;color:var(--text);
background:var(--page)}h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:0 0 .4rem}p{
margin:.4rem 0}.level{display:inline-block;padding:0 .5rem;border:1px solid;border-radius:1rem;font-size:.8rem;
margin-right:.4rem}.serious .level{color:var(--serious)}.warning .level{color:var(--warning)}.note .level{
color:var(--note)}section{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:1rem;
margin:1rem 0}section.serious{border-left:.3rem solid var(--serious)}section.warning{
border-left:.3rem solid var(--warning)}.table{overflow-x:auto}table{border-collapse:collapse;
font-variant-numeric:tabular-nums}td,th{padding:.2rem .8rem;text-align:right;
border-bottom:1px solid var(--line);white-space:nowrap}td:first-child,th:first-child{text-align:left;
padding-left:0}code{background:var(--code);padding:.1rem .3rem;border-radius:.2rem;overflow-wrap:anywhere}
figure{display:inline-block;vertical-align:top;margin:.3rem;width:96px}figure img,figure svg{display:block;
border-radius:.2rem}figcaption{font-size:.72rem;line-height:1.3;color:var(--soft);overflow-wrap:anywhere}
.family{border:1px solid var(--line);border-radius:.3rem;display:inline-block;margin:.3rem .3rem 0 0;
max-width:100%}"""


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
        parts.append(f"<section><p>{html.escape(cells.title)}</p>{_html_table(cells.head, cells.rows)}</section>")
    parts += [_section(finding, manifest) for finding in audit.findings]
    head = (
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>Audit of {html.escape(name)}</title><style>{STYLE}</style>"
    )
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>\n"


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


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<div class='table'><table>{line(head, 'th')}{body}</table></div>"


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
    alt = html.escape(PurePosixPath(manifest.images[row]).name)
    return (
        f"<figure><img src='data:image/jpeg;base64,{data}' alt='{alt}'><figcaption>{caption}</figcaption></figure>"
    )
