"""From the finished cells to tables: every result, what every pretraining was like, and what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cass.benchmarking.cells import Benchmark, Cell, Place, Point
from cass.benchmarking.claims import claims_markdown
from cass.benchmarking.outcome import MissingResult, Outcome
from cass.benchmarking.steps import Step
from cass.benchmarking.tables import tables_latex, tables_markdown
from cass.evaluation.resampling import Answers, GroupDraws, Score
from cass.files import whole_file, write_text
from cass.runs.folder import SUMMARY

if TYPE_CHECKING:
    import pandas as pd

_BRANCH = {"mean of both": "mean"}


def collect(benchmark: Benchmark) -> Outcome:
    """Read what the finished cells hold.

    Args:
        benchmark: All there is.

    Returns:
        The results, the pretrainings, and what is missing with the reason.
    """
    import pandas as pd

    summaries = {name: _read_json(Step(cell, None).folder / SUMMARY) for name, cell in benchmark.cells.items()}
    rows: list[dict[str, Any]] = []
    missing: list[MissingResult] = []
    answers: dict[tuple[str, str], tuple[str, Answers]] = {}
    for point in benchmark.points:
        cell = benchmark.cells[point.cell]
        step = Step(cell, cell.tunings[point.tuning])
        report, tuned = _read_json(step.result), _read_json(step.folder / SUMMARY)
        if report is None or tuned is None:
            reason = step.error or Step(cell, None).error or "not done"
            missing.append(MissingResult(point.place, reason))
            continue
        rows += _result_rows(point, cell, report=report, tuned=tuned, pretraining=summaries[cell.name] or {})
        for name in report:
            branch = _BRANCH.get(name, name)
            if branch in point.branches:
                answers[_cell_name(point, cell), branch] = cell.data.origin, _read_answers(step, name, tuned, cell)
    spec = benchmark.spec
    return Outcome(
        name=spec.name,
        split=spec.split,
        claim=spec.claim,
        runs=pd.DataFrame(rows, columns=list(rows[0]) if rows else [*Place._fields, "branch", "metric", "value"]),
        pretrainings=pd.DataFrame(_pretrainings(benchmark, summaries)),
        missing=missing,
        methods=tuple(spec.methods),
        main=(spec.batch_sizes[0], spec.epochs[0]),
        generated=tuple(name for name, data in benchmark.sets.items() if data.generated),
        confirmation=spec.confirmation,
        sources={name: data.origin for name, data in benchmark.sets.items()},
        scores=_scores(answers),
    )


def _read_answers(step: Step, branch: str, tuned: dict[str, Any], cell: Cell) -> Answers:
    """Read what a fine-tuned branch answered on the images that are reported."""
    import pandas as pd

    path = step.result.parent / f"predictions-{branch.replace(' ', '-')}.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=["image", "label", "prediction"])
    classes, multilabel = tuned["classes"], tuned["task"] == "multilabel"

    def flags(column: str) -> NDArray[np.bool_]:
        named = [set(text.split("|")) if multilabel else {text} for text in table[column]]
        return np.array([[name in row for name in classes] for row in named], dtype=np.bool_)

    return Answers(
        predicted=flags("prediction"),
        targets=flags("label").astype(np.uint8),
        units=tuple(map(cell.data.unit, table["image"])),
        task=tuned["task"],
    )


def _scores(answers: dict[tuple[str, str], tuple[str, Answers]]) -> dict[tuple[str, str], Score]:
    """Compute the balanced accuracies; results on one source share the draws of its groups."""
    units: dict[str, set[str]] = {}
    for source, part in answers.values():
        units.setdefault(source, set()).update(part.units)
    draws = GroupDraws({source: sorted(names) for source, names in units.items()})
    return {key: draws.score(source, part) for key, (source, part) in answers.items()}


def _cell_name(point: Point, cell: Cell) -> str:
    return f"{cell.name}/{point.tuning}"


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content


def _result_rows(
    point: Point, cell: Cell, *, report: dict[str, Any], tuned: dict[str, Any], pretraining: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return a row for each branch and metric."""
    return [
        point.place._asdict()
        | {
            "branch": branch,
            "metric": metric,
            "value": entry["value"],
            "low": entry["low"],
            "high": entry["high"],
            "n_labels": tuned["n_labels"],
            "n_validation_labels": tuned["n_validation_labels"],
            "n_images": part["n_images"],
            "pretraining_method": cell.config.method if cell.pretraining else "none",
            "pretraining_epochs": cell.config.epochs if cell.pretraining else 0,
            "pretraining_seconds": pretraining.get("seconds"),
            "generated_data": cell.data.generated,
            "cell": _cell_name(point, cell),
        }
        for name, part in report.items()
        if (branch := _BRANCH.get(name, name)) in point.branches
        for metric, entry in part["metrics"].items()
    ]


def _pretrainings(benchmark: Benchmark, summaries: dict[str, dict[str, Any] | None]) -> list[dict[str, Any]]:
    """Return a row for each finished pretraining and branch; a start has none."""
    rows = {}
    keys = ("spread", "effective_rank", "between_image_share", "knn_balanced_accuracy")
    for point in benchmark.points:
        summary = summaries[point.cell]
        if summary is None:
            continue
        place = {
            key: value for key, value in point.place._asdict().items() if key not in ("protocol", "label_fraction")
        }
        for branch, entry in summary["branches"].items():
            rows[(*place.values(), branch)] = place | {
                "branch": branch,
                "pretraining_epochs": summary["epochs"],
                "seconds": summary["seconds"],
                "collapsed": entry["collapsed"],
                "reason": entry["reason"],
                **{f"{key}_{end}": entry.get(f"{key}_{end}") for key in keys for end in ("start", "end")},
                "cell": point.cell,
            }
    return list(rows.values())


def write_results(benchmark: Benchmark, outcome: Outcome) -> None:
    """Write the tables, the claims and the plots of what there is.

    Args:
        benchmark: All there is.
        outcome: What of it is finished.
    """
    from cass.benchmarking.plots import plot_benchmark

    out = benchmark.out
    write_text(out / "tables.md", tables_markdown(outcome))
    write_text(out / "tables.tex", tables_latex(outcome))
    write_text(out / "claims.md", claims_markdown(outcome))
    _write_table(outcome.runs, out / "runs")
    _write_table(outcome.pretrainings, out / "pretraining")
    if not outcome.runs.empty:
        plot_benchmark(outcome, out / "plots")


def _write_table(table: pd.DataFrame, stem: Path) -> None:
    """Write a table as CSV and Parquet."""
    write_text(stem.with_suffix(".csv"), table.to_csv(index=False))
    with whole_file(stem.with_suffix(".parquet")) as partial:
        table.to_parquet(partial, index=False)
