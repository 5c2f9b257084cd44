"""``cass report``: what a run can and cannot do, as one page."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cass.config.report import ReportConfig
from cass.errors import ModelError
from cass.evaluation.bootstrap import interval
from cass.evaluation.classification import ClassificationReport, classification_report
from cass.files import write_text
from cass.reports.model_card import read_interval
from cass.reports.page_images import worst_errors
from cass.reports.run_facts import OtherRun, RunFacts
from cass.reports.run_page import Extras, run_page
from cass.resolve.report import resolve_report
from cass.runs.outcomes import read_facts

log = logging.getLogger("cass")

METRIC = "balanced_accuracy"


@dataclass(frozen=True)
class ReportResult:
    """A written report.

    Attributes:
        out: The HTML file.
        sentence: What it opens with.
    """

    out: Path
    sentence: str


def run_report(config: ReportConfig, resolved: dict[str, Any] | None = None) -> ReportResult:
    """Write what a fine-tuned run can and cannot do as one HTML page, which needs no other file.

    Args:
        config: Settings of ``cass report``.
        resolved: What :func:`resolve_report` returned; None calls it.

    Returns:
        The page.

    Raises:
        CassError: A run or the output cannot be used.
    """
    audit = resolved or resolve_report(config)
    first, *others = (read_facts(run) for run in config.runs)
    extras = Extras(config.images, _heat(config.runs[0], first) if config.images else {}, audit)
    page, sentence = run_page(first, [_beside(first, other) for other in others], extras)
    write_text(config.out, page)
    return ReportResult(config.out, sentence)


def _heat(run: Path, facts: RunFacts) -> dict[str, dict[str, NDArray[np.uint8]]]:
    """Draw heat maps over the worst errors; none where the images are gone, or a network cannot be explained."""
    if facts.root is None or not facts.wrong.any():
        return {}
    from cass.reports.heat_page import overlay
    from cass.runs.heat import explain_images
    from cass.runs.inference import load_branches

    names = [facts.images[row] for row in worst_errors(facts)]
    try:
        found = explain_images(
            facts.root,
            names,
            load_branches(run, "both"),
            classes=facts.classes,
            task=facts.summary["task"],
            label=None,
            device=torch.device("cpu"),
            unreadable={},
        )
    except ModelError as error:
        log.warning("No heat maps: %s", error)
        return {}
    return {
        entry.name: {name: overlay(entry.pixels, heat) for name, heat in entry.maps.items()} for entry in found
    }


def _beside(first: RunFacts, other: RunFacts) -> OtherRun:
    """Compare another run with the first, paired by image where both saw the same ones."""
    own = read_interval(other.report[other.branch]["metrics"][METRIC])
    if set(first.images) != set(other.images) or first.classes != other.classes:
        return OtherRun(other.name, other.summary, own, None)
    one, two = (_measured(facts, first) for facts in (first, other))
    difference = two.metrics[METRIC].value - one.metrics[METRIC].value
    drawn = interval(difference, two.draws[METRIC] - one.draws[METRIC])
    return OtherRun(other.name, other.summary, own, drawn)


def _measured(facts: RunFacts, order: RunFacts) -> ClassificationReport:
    """Measure a run on the images of another, in its order, so that the same resamples are drawn."""
    row_of = {name: row for row, name in enumerate(facts.images)}
    rows = np.array([row_of[name] for name in order.images])
    groups = np.array([order.groups.get(name, "") for name in order.images]) if order.groups else None
    return classification_report(
        facts.probabilities[rows],
        facts.targets[rows],
        classes=facts.classes,
        task=facts.summary["task"],
        groups=groups,
        thresholds=facts.report[facts.branch].get("thresholds"),
    )


def show(result: ReportResult, config: ReportConfig) -> Iterator[str]:
    """Yield what the command prints."""
    yield result.sentence
    yield f"Wrote {result.out} ({result.out.stat().st_size / 1e6:.1f} MB)"
