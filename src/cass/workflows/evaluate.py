"""``cass evaluate``: measure fine-tuned branches on held-out images."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cass.config.evaluate import EvaluateConfig
from cass.data.manifest.manifest import Manifest
from cass.data.splits.kept import read_splits
from cass.errors import DataError, OutputError, did_you_mean
from cass.evaluation.classification import ClassificationReport, classification_report
from cass.evaluation.embedding_map import shown_rows
from cass.evaluation.ensemble import ensemble
from cass.evaluation.metrics import predicted_labels
from cass.evaluation.probabilities import probabilities
from cass.evaluation.worst import worst_errors
from cass.files import write_json, write_text
from cass.models.backbones import Branch
from cass.reports.tables import Cells
from cass.resolve.trained import resolve_evaluate
from cass.runs.embedding_places import write_places
from cass.runs.folder import SPLITS_FILE, staged, write_start
from cass.runs.heat import explain_in_folder
from cass.runs.inference import infer, load_branches
from cass.runs.inputs import Plan, kept_images, make_plan
from cass.runs.predictions import csv_text, mean_temperature, prediction_table, thresholds_of
from cass.types import SPLITS, Split, Task

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

log = logging.getLogger("cass")

MEAN = "mean of both"


@dataclass(frozen=True)
class EvaluateResult:
    """An evaluation.

    Attributes:
        out: Folder with the reports, tables, plots and predictions.
        reports: Report by branch name; ``mean of both`` is that of the branches' mean probabilities.
        summary: The fine-tuned run's summary.
    """

    out: Path
    reports: dict[str, ClassificationReport]
    summary: dict[str, Any]

    def figure(self, branch: str) -> Figure:
        """Draw the confusion matrix of a branch, or of ``mean of both``; multi-label: the counts of each label."""
        from cass.reports.plots import confusion_figure

        figure: Figure = confusion_figure(self.reports[branch])
        return figure

    def frame(self) -> pd.DataFrame:
        """Return a row for each branch, class ("" for all) and metric, with ``value``, ``low`` and ``high``."""
        import pandas as pd

        rows = [
            {"branch": branch, "class": label, "metric": name, **asdict(entry)}
            for branch, report in self.reports.items()
            for label, metrics in {"": report.metrics, **report.per_class}.items()
            for name, entry in metrics.items()
        ]
        return pd.DataFrame(rows)


def run_evaluate(
    config: EvaluateConfig, resolved: tuple[dict[str, Any], Manifest] | None = None, *, pictures: bool = True
) -> EvaluateResult:
    """Evaluate fine-tuned branches on a split, with 95% bootstrap confidence intervals.

    Args:
        config: Settings of ``cass evaluate``.
        resolved: What :func:`resolve_evaluate` returned; None calls it.
        pictures: Whether to make what only ``cass report`` shows: heat maps of the worst errors, and the map.

    Returns:
        A report for each branch and for the mean of their probabilities.

    Raises:
        CassError: The run or the data set cannot be used, or has labels that the run does not know.
    """
    summary, manifest = resolved or resolve_evaluate(config)
    classes, task = tuple(summary["classes"]), summary["task"]
    plan, rows = _split_images(config, manifest, classes=classes)
    manifest = plan.manifest.subset(rows)
    passed = _pass_images(config, plan, rows, task=task)
    names, predicted = passed.names, dict(passed.probabilities)
    thresholds = {name: thresholds_of(summary, name) for name in predicted}
    if len(predicted) > 1:
        thresholds[MEAN] = thresholds_of(summary, *predicted)
        predicted[MEAN] = ensemble(predicted, task=task, temperature=mean_temperature(summary))
    row_of = {name: row for row, name in enumerate(manifest.images)}
    read = np.array([row_of[name] for name in names])
    targets = _align(manifest, classes)[read]
    reports = {
        name: classification_report(
            probability,
            targets,
            classes=classes,
            task=task,
            groups=None if manifest.groups is None else manifest.groups[read],
            resamples=config.resamples,
            seed=config.seed,
            thresholds=thresholds[name],
        )
        for name, probability in predicted.items()
    }
    tables = {
        name: prediction_table(names, probability, classes=classes, task=task, thresholds=thresholds[name])
        for name, probability in predicted.items()
    }
    for table in tables.values():
        table.insert(1, "label", ["|".join(np.array(classes)[row == 1].tolist()) for row in targets])
    out = config.out or config.run / "evaluation" / _folder_name(config, plan)
    with staged(out, replace=config.out is None) as folder:
        write_start(folder, config)
        # A run of an earlier version does not say.
        _write_evaluation(folder, reports, tables, leaks=[*summary.get("leakage", []), *plan.leaks])
        if pictures:
            write_places(folder, [names[row] for row in shown_rows(len(names))], passed.embeddings)
            *_, probability = predicted.values()
            *_, limits = thresholds.values()
            worst = [names[row] for row in _worst(probability, targets, task=task, thresholds=limits)]
            explain_in_folder(folder, manifest.root, worst, passed.branches, summary=summary)
    return EvaluateResult(out, reports, summary)


def show(result: EvaluateResult, config: EvaluateConfig) -> Iterator[str | Cells]:
    """Yield what the command prints."""
    from cass.reports.tables import report_cells

    for name, report in result.reports.items():
        yield f"\n{name}"
        yield from report_cells(report)
    yield f"Wrote {result.out}"


class _Passed(NamedTuple):
    """Images that were passed through the branches.

    Attributes:
        branches: The branches by name.
        names: The n readable images.
        probabilities: (n, K) by branch name.
        embeddings: (m, D) of the rows that the map shows, by branch name.
    """

    branches: dict[str, Branch]
    names: list[str]
    probabilities: dict[str, NDArray[np.float32]]
    embeddings: dict[str, NDArray[np.float32]]


def _pass_images(config: EvaluateConfig, plan: Plan, rows: NDArray[np.int64], *, task: Task) -> _Passed:
    """Pass the images of some rows through the branches."""
    branches = load_branches(config.run, "both")
    spec = next(iter(branches.values())).spec
    kept = kept_images(plan, image_size=spec.image_size, in_chans=spec.in_chans, cache=config.cache)
    passed = infer(
        plan.manifest.root,
        plan.manifest.subset(rows).images,
        branches,
        settings=config,
        batch_size=config.batch_size,
        stored=None if kept is None else kept.subset(rows),
        output=lambda branch, images: _both_outputs(branch, images, task=task),
    )
    chunks = [chunk for chunk in passed if chunk.names]
    names = [name for chunk in chunks for name in chunk.names]
    outputs = {branch: np.concatenate([chunk.outputs[branch] for chunk in chunks]) for branch in branches}
    placed = shown_rows(len(names))
    width = {name: branch.num_features for name, branch in branches.items()}
    told = {name: np.ascontiguousarray(values[:, width[name] :]) for name, values in outputs.items()}
    return _Passed(branches, names, told, {name: part[placed, : width[name]] for name, part in outputs.items()})


def _both_outputs(branch: Branch, images: Tensor, *, task: Task) -> Tensor:
    """Return the embeddings of images and the probabilities that the head makes of them, (B, D + K)."""
    if branch.head is None:
        raise OutputError(f"The {branch.spec.name} of this run has no classifier", "Fine-tune the run again.")
    embeddings = branch.embed(images)
    return torch.cat([embeddings, probabilities(branch.head(embeddings), task=task)], dim=1)


def _worst(
    probability: NDArray[np.floating],
    targets: NDArray[np.uint8],
    *,
    task: Task,
    thresholds: list[float] | None,
) -> list[int]:
    """Return the rows of the worst errors of what the run answers."""
    labels = predicted_labels(probability, task=task, thresholds=thresholds).astype(np.uint8)
    return list(worst_errors(probability, targets, labels))


def _write_evaluation(
    folder: Path, reports: dict[str, ClassificationReport], tables: dict[str, Any], *, leaks: list[str]
) -> None:
    """Write the reports, a confusion plot and the predictions of each branch."""
    from cass.reports.plots import plot_confusion
    from cass.reports.tables import report_markdown

    write_json(folder / "report.json", {name: report.to_dict() for name, report in reports.items()})
    lines = [
        *(f"**Leakage was allowed.** {leak}" for leak in dict.fromkeys(leaks)),
        *(f"## {name}\n\n{report_markdown(report)}" for name, report in reports.items()),
    ]
    write_text(folder / "report.md", "\n\n".join(lines) + "\n")
    for name, report in reports.items():
        stem = name.replace(" ", "-")
        plot_confusion(report, folder / f"confusion-{stem}.png")
        write_text(folder / f"predictions-{stem}.csv", csv_text(tables[name]))


def _split_images(
    config: EvaluateConfig, manifest: Manifest, *, classes: tuple[str, ...]
) -> tuple[Plan, NDArray[np.int64]]:
    """Return the data set and the rows of its labelled images in the split to evaluate on."""
    known = read_splits(config.run / SPLITS_FILE)
    plan = make_plan(manifest, seed=config.seed, known=known, all_new_test=True, announce=False)
    rows = np.flatnonzero((plan.splits == config.split) & plan.manifest.labelled)
    if not len(rows):
        raise DataError(
            f"{config.labels} has no labelled image in the split {config.split!r}",
            "Choose another --split, or label its images.",
        )
    unknown = [
        name
        for index, name in enumerate(plan.manifest.classes)
        if name not in classes and plan.manifest.targets[rows, index].any()
    ]
    if unknown:
        raise DataError(
            f"Label {unknown[0]!r} in {config.labels} is unknown to {config.run}",
            did_you_mean(unknown[0], classes) or f"It was fine-tuned on {', '.join(classes)}.",
        )
    _log_images(config, plan, rows, known)
    return plan, rows


def _log_images(config: EvaluateConfig, plan: Plan, rows: NDArray[np.int64], known: dict[str, Split]) -> None:
    """Say how many images are evaluated, and which are not and why."""
    new = np.array([digest not in known for digest in plan.digests])
    unseen = int(new[rows].sum())
    log.info(
        "Evaluating %d labelled images of the split %r%s.",
        len(rows),
        config.split,
        f"; the run has never seen {unseen} of them" if unseen else "",
    )
    other = plan.manifest.labelled & (plan.splits != config.split)
    parts = [f"{int((other & (plan.splits == name)).sum())} {name}" for name in SPLITS if name != config.split]
    related = int((other & new).sum()) if plan.manifest.splits is None else 0
    log.info(
        "Not evaluated: %s images%s; %d without a label.",
        " and ".join(parts),
        f" ({related} of them new, but of a patient or group that the run has trained on)" if related else "",
        int((~plan.manifest.labelled).sum()),
    )


def _folder_name(config: EvaluateConfig, plan: Plan) -> str:
    """Name the folder of the results: the split, or the data set where the run knows none of its images."""
    known = read_splits(config.run / SPLITS_FILE)
    if any(digest in known for digest in plan.digests):
        return config.split
    source = Path(config.labels)
    stem = source.parent.resolve().name if source.name == "labels.csv" else source.stem
    name = re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "external"
    return f"external-{name}" if name in SPLITS else name


def _align(manifest: Manifest, classes: tuple[str, ...]) -> NDArray[np.uint8]:
    """Put the label columns into the order of the run's classes."""
    targets = np.zeros((len(manifest), len(classes)), dtype=np.uint8)
    for index, name in enumerate(manifest.classes):
        if name in classes:
            targets[:, classes.index(name)] = manifest.targets[:, index]
    return targets
