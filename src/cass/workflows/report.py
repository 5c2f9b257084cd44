"""``cass report``: what a run can and cannot do, as one page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cass.config.report import ReportConfig
from cass.evaluation.bootstrap import interval
from cass.evaluation.classification import ClassificationReport, classification_report
from cass.files import write_named
from cass.reports.model_card import read_interval
from cass.reports.run_facts import OtherRun, RunFacts
from cass.reports.run_page import compared, run_page
from cass.resolve.report import resolve_report
from cass.runs.outcomes import read_facts

METRIC = "balanced_accuracy"


@dataclass(frozen=True)
class ReportResult:
    """A written report.

    Attributes:
        out: The HTML file.
        sentence: What it opens with.
        compared: A sentence for each other run: what the paired difference shows.
    """

    out: Path
    sentence: str
    compared: tuple[str, ...]


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
    beside = [_beside(first, other) for other in others]
    page, sentence = run_page(first, beside, pictures=config.images, audit=audit)
    write_named(config.out, page)
    return ReportResult(config.out, sentence, tuple(compared(first, other) for other in beside))


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
    yield from result.compared
    yield f"Wrote {result.out} ({result.out.stat().st_size / 1e6:.1f} MB)"
