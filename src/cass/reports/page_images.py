"""Parts of a report page with images: the worst errors with heat maps, and the map of the embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.worst import worst_errors
from cass.reports.run_facts import RunFacts
from cass.reports.svg import Series, scatter_chart
from cass.reports.webpage import heat_figure, image_figure, paragraph

ERROR_SIDE = 128


def errors_section(facts: RunFacts) -> list[str]:
    """Show the wrong predictions that were most certain.

    Args:
        facts: The run.

    Returns:
        HTML.
    """
    rows = worst_errors(facts.probabilities, facts.targets, facts.predicted)
    if not rows:
        return [paragraph("No test image was classified wrongly.")]
    figures = []
    for row in rows:
        truth = "|".join(np.array(facts.classes)[facts.targets[row] > 0]) or "none"
        said = "|".join(np.array(facts.classes)[facts.predicted[row] > 0]) or "none"
        captions = (f"label: {truth}", f"predicted: {said} ({100 * facts.probabilities[row].max():.0f}%)")
        name = PurePosixPath(facts.images[row]).name
        if facts.root is None:
            figures.append(paragraph(f"{name}: {'; '.join(captions)}"))
            continue
        path = facts.root / facts.images[row]
        shown = [image_figure(path, name=name, captions=captions, side=ERROR_SIDE)]
        shown += [
            heat_figure(path, heat, caption=f"evidence of the {branch}", side=ERROR_SIDE)
            for branch, heat in facts.heat.get(facts.images[row], {}).items()
        ]
        figures.append(f"<div class='case'>{''.join(shown)}</div>")
    text = "Predictions that were wrong although the probability was high. Some labels may be wrong instead."
    if facts.heat:
        text += " Warm colours: where each network finds evidence for the predicted class."
    return [paragraph(text), f"<div class='errors'>{''.join(figures)}</div>"]


def map_section(facts: RunFacts) -> list[str]:
    """Draw where each branch puts the test images.

    Args:
        facts: The run.

    Returns:
        HTML; nothing where the evaluation made no map.
    """
    text = (
        "Each point is a test image; images near each other look alike to the network (t-SNE: directions and "
        "distances between far points mean nothing). A ring marks a wrong prediction."
    )
    charts = [_map(facts, branch, places) for branch, places in facts.places.items()]
    return [paragraph(text), *charts] if charts else []


def _map(facts: RunFacts, branch: str, places: NDArray[np.float64]) -> str:
    """Draw the map of a branch: a colour for each class."""
    shown = np.isfinite(places[:, 0])
    if facts.summary["task"] == "multilabel":
        kinds = np.where(facts.targets.any(axis=1), facts.targets.argmax(axis=1), len(facts.classes))
        names: Sequence[str] = (*(f"{name} (first label)" for name in facts.classes), "none")
    else:
        kinds, names = facts.targets.argmax(axis=1), facts.classes
    series = [
        Series(name, [(float(x), float(y)) for x, y in places[shown & (kinds == index)]])
        for index, name in enumerate(names)
        if (shown & (kinds == index)).any()
    ]
    rings = [(float(x), float(y)) for x, y in places[shown & facts.wrong]]
    caption = f"{branch}: {int(shown.sum())} of {len(shown)} test images."
    return scatter_chart(series, rings=rings, caption=caption)
