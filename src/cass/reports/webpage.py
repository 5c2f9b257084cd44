"""HTML pages of one file, which need no other file, no script and no internet."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.unreadable import Pixels
from cass.data.store.store import read_square
from cass.errors import DataError
from cass.reports.tables import Cells

FIGURE_SIDE = 96
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
border-left:.3rem solid var(--warning)}.table{overflow-x:auto;
background:linear-gradient(90deg,var(--card) 30%,transparent) 0 0/3rem 100% no-repeat local,
linear-gradient(270deg,var(--card) 30%,transparent) 100% 0/3rem 100% no-repeat local,
linear-gradient(90deg,var(--line),transparent) 0 0/1rem 100% no-repeat,
linear-gradient(270deg,var(--line),transparent) 100% 0/1rem 100% no-repeat}thead th{white-space:normal;
vertical-align:bottom}table{border-collapse:collapse;
font-variant-numeric:tabular-nums}td,th{padding:.2rem .8rem;text-align:right;
border-bottom:1px solid var(--line);white-space:nowrap}td:first-child,th:first-child{text-align:left;
padding-left:0}code{background:var(--code);padding:.1rem .3rem;border-radius:.2rem;overflow-wrap:anywhere}
figure{display:inline-block;vertical-align:top;margin:.3rem;width:96px}figure img,figure svg{display:block;
border-radius:.2rem}figcaption{font-size:.72rem;line-height:1.3;color:var(--soft);overflow-wrap:anywhere}
.family{border:1px solid var(--line);border-radius:.3rem;display:inline-block;margin:.3rem .3rem 0 0;
max-width:100%}"""
"""Colours follow the device's light or dark mode; wide tables scroll within themselves."""


def web_page(title: str, body: Sequence[str], *, style: str = "") -> str:
    """Put a page together.

    Args:
        title: Its title, as plain text.
        body: HTML of its parts.
        style: Rules beside the common ones.

    Returns:
        HTML.
    """
    head = (
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width,initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}{style}</style>"
    )
    return f"<!doctype html><html lang='en'><head>{head}</head><body><main>{''.join(body)}</main></body></html>\n"


def paragraph(text: str) -> str:
    """Set a plain text as a paragraph; what stands between backticks is code."""
    parts = html.escape(text).split("`")
    return (
        "<p>"
        + "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
        + "</p>"
    )


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a table of plain texts; where it is too wide, it scrolls, also by keyboard."""

    def line(cells: Sequence[str], tag: str) -> str:
        scope = " scope='col'" if tag == "th" else ""
        return "<tr>" + "".join(f"<{tag}{scope}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    inner = f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"
    name = html.escape(f"Table: {', '.join(head)}", quote=True)
    return f"<div class='table' tabindex='0' role='region' aria-label='{name}'>{inner}</div>"


def html_cells(cells: Cells) -> str:
    """Draw a table with its title."""
    title = f"<p>{html.escape(cells.title)}</p>" if cells.title else ""
    return title + html_table(cells.head, cells.rows)


def image_figure(path: Path, *, name: str, captions: Sequence[str], side: int = FIGURE_SIDE) -> str:
    """Draw an image as a small JPEG inside the page; one that cannot be read is an empty frame.

    Args:
        path: The file.
        name: What to call it, as plain text.
        captions: Further lines below, as plain text.
        side: Side in pixels.

    Returns:
        HTML.
    """
    caption = "<br>".join(html.escape(line) for line in (name, *captions) if line)
    try:
        eight = _eight_bits(read_square(path, side))
    except DataError:
        return f"<figure><svg width='{side}' height='{side}'></svg><figcaption>{caption}</figcaption></figure>"
    shown: NDArray[np.uint8] = eight[..., 0] if eight.shape[2] not in (3,) else eight
    return _inline_figure(shown, caption=caption, alt=PurePosixPath(name).name)


def heat_figure(path: Path, heat: NDArray[np.uint8], *, caption: str, side: int = FIGURE_SIDE) -> str:
    """Draw an image under a heat map as a small JPEG inside the page; nothing where it cannot be read.

    Args:
        path: The file.
        heat: (S, S), 255 where there is most evidence.
        caption: The line below, as plain text.
        side: Side in pixels.

    Returns:
        HTML.
    """
    from PIL import Image

    try:
        pixels = _eight_bits(read_square(path, side))
    except DataError:
        return ""
    colours = np.repeat(pixels[..., :1], 3, axis=2) if pixels.shape[2] != 3 else pixels
    fitted = np.asarray(Image.fromarray(heat).resize((side, side))).astype(np.float32) / np.float32(255)
    return _inline_figure(overlay(colours, fitted), caption=html.escape(caption), alt=caption)


def overlay(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay a heat map over an image.

    Args:
        pixels: (S, S, 3) uint8.
        heat: (S, S) in [0, 1].

    Returns:
        (S, S, 3) uint8: the image where there is no evidence, warm colours where there is.
    """
    from matplotlib import colormaps

    colours = colormaps["inferno"](heat)[..., :3] * 255
    share = (0.65 * heat)[..., None]
    mixed: NDArray[np.uint8] = ((1 - share) * pixels + share * colours).round().astype(np.uint8)
    return mixed


def _eight_bits(pixels: Pixels) -> NDArray[np.uint8]:
    """Return pixels of 8 or 16 bits with 8."""
    return pixels.astype(np.uint8) if pixels.dtype.itemsize == 1 else (pixels // 257).astype(np.uint8)


def _inline_figure(pixels: NDArray[np.uint8], *, caption: str, alt: str) -> str:
    """Draw pixels (H, W) or (H, W, 3) with a caption of HTML."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=80)
    source = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    image = f"<img src='{source}' alt='{html.escape(alt, quote=True)}'>"
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"
