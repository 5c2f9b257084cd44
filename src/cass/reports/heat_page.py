"""Pictures and page of ``cass explain``."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from cass.reports.webpage import overlay, paragraph, web_page

PANEL = 224
HEAT_STYLE = """.maps{display:flex;flex-wrap:wrap;gap:.6rem}.maps figure{width:224px;max-width:100%;margin:0}
.maps img{width:100%;height:auto}"""
ABOUT_MAPS = (
    "Warm colours: evidence for the named class. CNN: HiResCAM. Transformer: gradient-weighted attention. A heat "
    "map shows what influenced the network, not whether that is medically right; maps of a wrong prediction can "
    "look convincing. Agreement is the correlation of the two maps: 1 where both networks look at the same places."
)


@dataclass(frozen=True)
class Explained:
    """An image with its heat maps.

    Attributes:
        name: Its name.
        label: The class that is explained.
        probability: What both networks give it together, in [0, 1].
        pixels: (S, S, 3) uint8.
        maps: (S, S) in [0, 1] of each branch.
        agreement: Correlation of the two maps in [-1, 1]; NaN with one branch, or a map without evidence.
    """

    name: str
    label: str
    probability: float
    pixels: NDArray[np.uint8]
    maps: dict[str, NDArray[np.float32]]
    agreement: float


def panels(entry: Explained) -> dict[str, bytes]:
    """Draw the image and its overlays as PNG files, by name."""
    from PIL import Image

    drawn = {"image": entry.pixels} | {name: overlay(entry.pixels, heat) for name, heat in entry.maps.items()}
    files = {}
    for name, pixels in drawn.items():
        buffer = io.BytesIO()
        picture = Image.fromarray(pixels)
        if picture.width < PANEL:
            picture = picture.resize((PANEL, PANEL), Image.Resampling.NEAREST)
        picture.save(buffer, "PNG")
        files[name] = buffer.getvalue()
    return files


def heat_page(entries: Sequence[Explained], *, run: str, left_out: int) -> str:
    """Draw all images with their heat maps as one page.

    Args:
        entries: The images.
        run: What to call the run.
        left_out: Images beyond the limit.

    Returns:
        HTML.
    """
    body = [f"<h1>Where {html.escape(run)} looks</h1>", paragraph(ABOUT_MAPS)]
    if left_out:
        body.append(paragraph(f"{left_out} more images are not shown; raise `--limit`."))
    for entry in entries:
        name = PurePosixPath(entry.name).name
        agreement = "" if np.isnan(entry.agreement) else f"; agreement of the maps {entry.agreement:.2f}"
        title = f"{entry.label} {100 * entry.probability:.0f}%{agreement}"
        figures = []
        for panel, data in panels(entry).items():
            text = base64.b64encode(data).decode()
            alt = html.escape(f"{name}, {panel}", quote=True)
            figures.append(
                f"<figure><img src='data:image/png;base64,{text}' alt='{alt}'>"
                f"<figcaption>{html.escape(panel)}</figcaption></figure>"
            )
        maps = f"<div class='maps'>{''.join(figures)}</div>"
        body.append(f"<section><h2>{html.escape(name)}</h2>{paragraph(title)}{maps}</section>")
    return web_page(f"Where {run} looks", body, style=HEAT_STYLE)
