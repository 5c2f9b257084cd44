"""Parts of a report page on the data: splits, classes, the audit, patients, sites."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cass.evaluation.shares import FEW_TEST_IMAGES, wilson
from cass.reports.run_facts import RunFacts
from cass.reports.tables import Cells, percent
from cass.reports.webpage import html_cells, paragraph


def data_section(facts: RunFacts, audit: Mapping[str, Any] | None) -> list[str]:
    """Describe the data and what is wrong with them.

    Args:
        facts: The run.
        audit: What ``cass audit --json`` wrote, or None.

    Returns:
        HTML.
    """
    summary = facts.summary
    rows = [[name, str(part["images"]), str(part["labelled"])] for name, part in summary["splits"].items()]
    classes = [
        [name, str(summary["labels_per_class"][name]), str(facts.report[facts.branch]["support"][name])]
        for name in facts.classes
    ]
    parts = [
        paragraph(f"Splits: {'as given' if summary['splits_source'] == 'given' else 'made by cass'}."),
        html_cells(Cells("", ["split", "images", "labelled"], rows)),
        html_cells(Cells("", ["class", "labels used for training", "test images"], classes)),
    ]
    few = [name for name, count in facts.report[facts.branch]["support"].items() if count < FEW_TEST_IMAGES]
    if few:
        parts.append(paragraph(f"Fewer than {FEW_TEST_IMAGES} test images: {', '.join(few)} cannot be evaluated."))
    if summary.get("generated_data"):
        parts.append("<p><strong>These images were drawn by cass. They are not of patients.</strong></p>")
    leaks = summary.get("leakage", [])
    parts += [f"<p><strong>Leakage was allowed:</strong> {html.escape(leak)}</p>" for leak in leaks]
    if not leaks:
        more = "" if audit else " `cass audit` checks more: pass its report with `--audit`."
        parts.append(paragraph(f"The splits divide no group and no identical files.{more}"))
    if summary.get("corrupt_images"):
        parts.append(paragraph(f"{summary['corrupt_images']} images could not be read and were left out."))
    return parts if audit is None else [*parts, *_audit_findings(audit)]


def _audit_findings(audit: Mapping[str, Any]) -> list[str]:
    """List what the audit found, the serious findings first."""
    title = f"What `cass audit` found in {Path(audit['data']).name} ({audit['images']} images)"
    if not audit["findings"]:
        return [paragraph(f"{title}: nothing.")]
    items = "".join(
        f"<li><strong>{html.escape(entry['level'])}, {html.escape(entry['topic'])}:</strong> "
        f"{html.escape(entry['what'])}</li>"
        for entry in audit["findings"]
    )
    return [paragraph(f"{title}:"), f"<ul>{items}</ul>"]


def groups_section(facts: RunFacts) -> list[str]:
    """Say how evenly errors spread over patients, without naming any, and over sites.

    Args:
        facts: The run.

    Returns:
        HTML.
    """
    return [*_patients(facts), *(part for name in facts.columns for part in _values(facts, name))]


def _patients(facts: RunFacts) -> list[str]:
    """Count groups by the share of their images that is classified correctly."""
    names = np.array([facts.groups.get(image, "") for image in facts.images])
    known = names != ""
    if not known.any():
        return []
    shares = np.array([(~facts.wrong)[names == name].mean() for name in np.unique(names[known])])
    edges = [("all correct", shares == 1), ("75% to 99%", (shares >= 0.75) & (shares < 1))]
    edges += [("50% to 74%", (shares >= 0.5) & (shares < 0.75)), ("below 50%", shares < 0.5)]
    rows = [[name, str(int(chosen.sum())), f"{100 * chosen.mean():.0f}%"] for name, chosen in edges]
    text = f"{len(shares)} groups, such as patients; they are not named here."
    return [paragraph(text), html_cells(Cells("", ["images of a group correct", "groups", "share"], rows))]


def _values(facts: RunFacts, column: str) -> list[str]:
    """Lay out the results of each value of a column, such as each site."""
    names = np.array([facts.columns[column].get(image, "") for image in facts.images])
    groups = np.array([facts.groups.get(image, image) for image in facts.images])
    rows = []
    for value in np.unique(names[names != ""]):
        own = names == value
        cases = len(np.unique(groups[own]))
        correct = wilson(float((~facts.wrong[own]).mean()), cases)
        found = [
            (~facts.wrong[own & (facts.targets[:, index] > 0)]).mean()
            for index in range(len(facts.classes))
            if (own & (facts.targets[:, index] > 0)).any()
        ]
        recall = f"{100 * np.mean(found):.1f} ({len(found)} of {len(facts.classes)})" if found else "-"
        rows.append([str(value), str(int(own.sum())), str(cases), percent(correct), recall])
    head = [column, "images", "groups", "correct, % [95% interval]", "mean recall, % (of the classes there)"]
    return [html_cells(Cells(f"By {column}", head, rows))]
