"""The page of ``cass report``: one sentence and one picture first, then everything behind them."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from cass.listing import plural
from cass.reports.model_card import LIMITS, read_interval
from cass.reports.page_curves import (
    calibration_section,
    doubt_section,
    operating_section,
    ranking_section,
    training_charts,
)
from cass.reports.page_data import data_section, groups_section
from cass.reports.page_images import ERROR_SIDE, errors_section, map_section
from cass.reports.run_facts import OtherRun, RunFacts
from cass.reports.svg import CHART_STYLE, Axis, interval_chart
from cass.reports.tables import METRIC_NAMES, Cells, percent
from cass.reports.webpage import html_cells, paragraph, web_page

CLASS_METRICS = {"f1": "F1", "auroc": "AUROC", "average_precision": "average precision"}
PAGE_STYLE = f"""{CHART_STYLE}
.lead{{font-size:1.25rem;line-height:1.4}}figure{{margin:.3rem .6rem .3rem 0}}
.errors{{display:flex;flex-wrap:wrap;gap:.6rem}}.errors figure{{width:{ERROR_SIDE}px;min-width:0;margin:0}}
.case{{display:flex;gap:.3rem;border:1px solid var(--line);border-radius:.3rem;padding:.3rem;max-width:100%}}
.errors img{{width:100%;height:auto}}
td.hit{{background:color-mix(in srgb,var(--c1) var(--share),transparent)}}
@media print{{body{{max-width:none}}section{{break-inside:avoid}}}}"""


def run_page(
    facts: RunFacts, others: Sequence[OtherRun], *, pictures: bool, audit: Mapping[str, Any] | None
) -> tuple[str, str]:
    """Draw the page of a run.

    Args:
        facts: The run.
        others: Other runs to compare with it.
        pictures: Whether to show images that were classified wrongly.
        audit: What ``cass audit --json`` wrote, or None.

    Returns:
        HTML, and the sentence that it opens with.
    """
    sentence = _sentence(facts)
    sections: list[tuple[str, Callable[[], list[str]]]] = [
        ("Runs side by side", lambda: _side_by_side(facts, others)),
        ("Data", lambda: data_section(facts, audit)),
        ("Training", lambda: _training_section(facts)),
        ("Results on the test images", lambda: _results_section(facts)),
        ("Confusion matrix", lambda: _confusion_section(facts)),
        (
            "Sensitivity and specificity",
            lambda: ranking_section(facts.probabilities, facts.targets, facts.classes) + operating_section(facts),
        ),
        ("Calibration", lambda: calibration_section(facts.probabilities, facts.targets, facts.summary)),
        ("Groups and sites", lambda: groups_section(facts)),
        (
            "Errors against coverage",
            lambda: doubt_section(facts.probabilities, facts.branch_probabilities, facts.wrong, facts.summary),
        ),
        ("The worst errors", lambda: errors_section(facts) if pictures else []),
        ("Map of the embeddings", lambda: map_section(facts)),
        ("Limits of use", lambda: [paragraph(LIMITS)]),
    ]
    body = [f"<h1>Report of {html.escape(facts.name)}</h1>", f"<p class='lead'>{html.escape(sentence)}</p>"]
    body.append(f"<section>{_lead_chart(facts)}</section>")
    for title, draw in sections:
        parts = draw()
        if parts:
            body.append(f"<section><h2>{html.escape(title)}</h2>{''.join(parts)}</section>")
    return web_page(f"Report of {facts.name}", body, style=PAGE_STYLE), sentence


def _sentence(facts: RunFacts) -> str:
    """Say in one sentence how good it is."""
    report = facts.report[facts.branch]
    right = int((~facts.wrong).sum())
    unit = f" of {report['n_groups']} patients or groups" if report.get("n_groups") else ""
    accuracy = percent(read_interval(report["metrics"]["balanced_accuracy"]))
    kind = ", all labels of an image counted together" if facts.summary["task"] == "multilabel" else ""
    return (
        f"Of {len(facts.images)} test images{unit}, {right} ({100 * right / max(len(facts.images), 1):.0f}%) were "
        f"classified correctly{kind}. Balanced accuracy, the mean over the classes, is {accuracy}% (95% interval)."
    )


def _lead_chart(facts: RunFacts) -> str:
    """Draw how many images of each class are found."""
    per_class = facts.report[facts.branch]["per_class"]
    entries = [(name, read_interval(entry["recall"])) for name, entry in per_class.items()]
    caption = "Of the images of each class, how many were recognised (recall), with 95% intervals."
    return interval_chart(entries, x=Axis("recognised", 0.0, 1.0), caption=caption)


def _side_by_side(facts: RunFacts, others: Sequence[OtherRun]) -> list[str]:
    """Compare runs, and say in words what the intervals show."""
    if not others:
        return []
    own = read_interval(facts.report[facts.branch]["metrics"]["balanced_accuracy"])
    rows = [[facts.name, str(facts.summary["n_labels"]), percent(own), "-"]]
    sentences = []
    for other in others:
        shown = "-" if other.difference is None else percent(other.difference, sign="+")
        rows.append([other.name, str(other.summary["n_labels"]), percent(other.value), shown])
        sentences.append(paragraph(compared(facts, other)))
    head = ["run", "labels", "balanced accuracy, % [95% interval]", "difference, points"]
    note = "One run each: a difference between two runs may also come from their seeds. Compare several seeds."
    return [html_cells(Cells("", head, rows)), *sentences, paragraph(note)]


def compared(facts: RunFacts, other: OtherRun) -> str:
    """Say what the paired difference of another run shows.

    Args:
        facts: The run.
        other: The other run.

    Returns:
        A sentence.
    """
    if other.difference is None:
        return f"{other.name} was evaluated on other images or classes: no comparison."
    low, high = other.difference.low, other.difference.high
    if not (low > 0 or high < 0):
        return f"On the same images, no difference between {other.name} and {facts.name} is shown."
    word = "better" if low > 0 else "worse"
    points = percent(other.difference, sign="+")
    return f"On the same images, {other.name} is {word} than {facts.name} ({points} points of balanced accuracy)."


def _training_section(facts: RunFacts) -> list[str]:
    """Say what was trained and how to repeat it, with the curves."""
    summary, config = facts.summary, facts.config
    started = summary["pretraining"]
    text = "Fine-tuned from the initial weights, without pretraining."
    if summary["start"] == "pretraining":
        epochs = plural(started["epochs"], "epoch")
        text = f"Pretrained without labels by {started['method']} for {epochs}, then fine-tuned."
    budget = (
        f"Label budget: {summary['n_labels']} training and {summary.get('n_validation_labels', 'unknown')} "
        f"validation labels ({100 * summary['label_fraction']:g}% of those there are)."
    )
    parts = [paragraph(text), paragraph(budget)]
    reason = summary.get("teaching", {}).get("reason")
    if reason:
        parts.append(paragraph(reason))
    rows = []
    for name, entry in ((facts.pretraining or {}).get("branches") or {}).items():
        state = entry.get("verdict") or ("collapsed" if entry.get("collapsed") else "no collapse")
        rows.append([name, state, entry.get("reason", "")])
    if rows and summary["start"] == "pretraining":
        parts.append(html_cells(Cells("Collapse watch of pretraining", ["branch", "verdict", "measured"], rows)))
    metrics = facts.pretraining_metrics if summary["start"] == "pretraining" else None
    parts += training_charts(facts.tuning, metrics)
    command = f"cass finetune {config.run} --config {facts.name}/config.yaml --out again"
    again = f"To repeat it: <code>{html.escape(command)}</code>"
    return [*parts, f"<p>{again} (seed {config.seed}; versions in environment.json).</p>"]


def _results_section(facts: RunFacts) -> list[str]:
    """Lay out every metric of every branch, then those of the classes."""
    names = list(facts.report[facts.branch]["metrics"])
    rows = [
        [branch, *(percent(read_interval(entry["metrics"][name])) for name in names)]
        for branch, entry in facts.report.items()
    ]
    head = ["branch", *(METRIC_NAMES.get(name, name) for name in names)]
    per_class = facts.report[facts.branch]["per_class"]
    metrics = list(next(iter(per_class.values())))
    lines = [
        [name, *(percent(read_interval(entry[metric])) for metric in metrics)] for name, entry in per_class.items()
    ]
    labels = ["class", *(CLASS_METRICS.get(name, name) for name in metrics)]
    return [
        html_cells(Cells("% [95% interval]; patients are resampled where they are known", head, rows)),
        html_cells(Cells(f"Each class, {facts.branch}", labels, lines)),
    ]


def _confusion_section(facts: RunFacts) -> list[str]:
    """Draw the confusion matrix, shaded by the share of the true class."""
    counts = np.array(facts.report[facts.branch]["confusion"])
    if facts.summary["task"] == "multilabel":
        rows = [
            [name, *map(str, (cell[1, 1], cell[1, 0], cell[0, 1], cell[0, 0]))]
            for name, cell in zip(facts.classes, counts, strict=True)
        ]
        head = ["label", "true positives", "false negatives", "false positives", "true negatives"]
        return [html_cells(Cells("", head, rows))]
    lines = []
    for name, row in zip(facts.classes, counts, strict=True):
        cells = "".join(
            f"<td class='hit' style='--share:{round(60 * count / max(row.sum(), 1))}%'>{count}</td>"
            for count in row
        )
        lines.append(f"<tr><th scope='row'>{html.escape(name)}</th>{cells}</tr>")
    names = "".join(f"<th scope='col'>{html.escape(name)}</th>" for name in facts.classes)
    head_row = f"<thead><tr><th>truth \\ prediction</th>{names}</tr></thead>"
    table = f"<table>{head_row}<tbody>{''.join(lines)}</tbody></table>"
    return [f"<div class='table' tabindex='0' role='region' aria-label='Confusion matrix'>{table}</div>"]
