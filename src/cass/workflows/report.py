"""``cass report``: what a run can and cannot do, as one page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cass.config.report import ReportConfig
from cass.evaluation.bootstrap import Interval, interval
from cass.evaluation.classification import ClassificationReport, classification_report
from cass.files import write_text
from cass.reports.run_page import OtherRun, RunFacts, run_page
from cass.resolve.report import resolve_report
from cass.runs.outcomes import RunOutcome, read_outcome

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


def run_report(config: ReportConfig, resolved: None = None) -> ReportResult:
    """Write what a fine-tuned run can and cannot do as one HTML page, which needs no other file.

    Args:
        config: Settings of ``cass report``.
        resolved: Nothing; the settings are checked in any case.

    Returns:
        The page.

    Raises:
        CassError: A run or the output cannot be used.
    """
    resolve_report(config)
    first, *others = (read_outcome(run) for run in config.runs)
    facts = _facts(first)
    page, sentence = run_page(facts, [_beside(first, other) for other in others], pictures=config.images)
    write_text(config.out, page)
    return ReportResult(config.out, sentence)


def _facts(outcome: RunOutcome) -> RunFacts:
    """Take over what the page shows."""
    main = outcome.main
    return RunFacts(
        name=outcome.run.resolve().name,
        config=outcome.config,
        summary=outcome.summary,
        report=outcome.report,
        branch=main.branch,
        images=main.images,
        probabilities=main.probabilities,
        branch_probabilities={
            name: part.probabilities for name, part in outcome.predictions.items() if name != main.branch
        },
        targets=main.targets,
        predicted=main.predicted,
        tuning=outcome.tuning,
        pretraining=outcome.pretraining,
        pretraining_metrics=outcome.pretraining_metrics,
        root=outcome.root,
        groups=outcome.groups,
    )


def _beside(first: RunOutcome, other: RunOutcome) -> OtherRun:
    """Compare another run with the first, paired by image where both saw the same ones."""
    entry = other.report[other.main.branch]["metrics"][METRIC]
    own = Interval(*(np.nan if entry[key] is None else entry[key] for key in ("value", "low", "high")))
    same = set(first.main.images) == set(other.main.images)
    if not same or first.summary["classes"] != other.summary["classes"]:
        return OtherRun(other.run.resolve().name, other.summary, own, None)
    one, two = (_measured(outcome, first) for outcome in (first, other))
    difference = two.metrics[METRIC].value - one.metrics[METRIC].value
    drawn = interval(difference, two.draws[METRIC] - one.draws[METRIC])
    return OtherRun(other.run.resolve().name, other.summary, own, drawn)


def _measured(outcome: RunOutcome, order: RunOutcome) -> ClassificationReport:
    """Measure a run on the images of another, in its order, so that the same resamples are drawn."""
    row_of = {name: row for row, name in enumerate(outcome.main.images)}
    rows = np.array([row_of[name] for name in order.main.images])
    groups = np.array([order.groups.get(name, "") for name in order.main.images]) if order.groups else None
    report = outcome.report[outcome.main.branch]
    return classification_report(
        outcome.main.probabilities[rows],
        outcome.main.targets[rows],
        classes=tuple(outcome.summary["classes"]),
        task=outcome.summary["task"],
        groups=groups,
        thresholds=report.get("thresholds"),
    )


def show(result: ReportResult, config: ReportConfig) -> Iterator[str]:
    """Yield what the command prints."""
    yield result.sentence
    yield f"Wrote {result.out} ({result.out.stat().st_size / 1e6:.1f} MB)"
