"""``cass compare``: pretrain, fine-tune and evaluate, with the same networks without pretraining as baseline."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cass.config.compare import CompareConfig
from cass.config.evaluate import EvaluateConfig
from cass.config.finetune import FinetuneConfig
from cass.config.pretrain import PretrainConfig
from cass.config.shared import job_settings
from cass.data.formats.identity import image_digests
from cass.data.manifest.manifest import Manifest
from cass.data.splits.kept import require_same_images
from cass.files import write_json, write_text
from cass.logs import without_repeats
from cass.reports.advice import advice
from cass.reports.lines import duration
from cass.reports.tables import (
    PRETRAINED,
    PSEUDO_LABELLED,
    TAUGHT,
    WITH,
    WITHOUT,
    Cells,
    ResultRow,
    comparison,
    gains,
)
from cass.resolve.compare import resolve_compare
from cass.resolve.pretrain import resolve_method
from cass.runs.folder import SPLITS_FILE, SUMMARY, claimed, read_summary, write_start
from cass.runs.forecast import forecast_lines, forecast_pretraining
from cass.runs.same_labels import keep_labels, require_same_labels
from cass.workflows.evaluate import EvaluateResult, run_evaluate
from cass.workflows.finetune import run_finetune
from cass.workflows.pretrain import PretrainResult, run_pretrain

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

log = logging.getLogger("cass")

STARTS = 3
"""Most fine-tuning runs for a label fraction: with pseudo-labels, on the labels alone, and without pretraining."""

GENERATED_IMAGES = "generated images (drawn by cass, not patients)"


@dataclass(frozen=True)
class CompareResult:
    """Results of a comparison.

    Attributes:
        out: The run folder.
        pretraining: The pretraining run.
        rows: A row for each branch, start and label fraction, on the test images.
        advice: What pretraining changed, and what to do if it did not help, in sentences.
        generated: Whether the images were drawn by cass.
    """

    out: Path
    pretraining: PretrainResult
    rows: list[ResultRow]
    advice: list[str]
    generated: bool

    def figure(self) -> Figure:
        """Draw the balanced accuracy against the number of labels from every start."""
        from cass.reports.plots import label_efficiency_figure

        figure: Figure = label_efficiency_figure(self.rows, title=_title(generated=self.generated))
        return figure

    def frame(self) -> pd.DataFrame:
        """Return a row for each result and metric: ``value``, ``low`` and ``high`` in [0, 1]."""
        import pandas as pd

        return pd.DataFrame(
            {
                "branch": row.branch,
                "start": row.start,
                "label_fraction": row.label_fraction,
                "n_labels": row.n_labels,
                "metric": name,
                **asdict(interval),
            }
            for row in self.rows
            for name, interval in row.metrics.items()
        )


def run_compare(config: CompareConfig, resolved: Manifest | None = None) -> CompareResult:
    """Pretrain, fine-tune at several label fractions, and compare with the same networks without pretraining.

    Args:
        config: Settings of ``cass compare``.
        resolved: What :func:`resolve_compare` returned; None calls it.

    Returns:
        The results on the test images.

    Raises:
        CassError: A setting, the data set or the output folder cannot be used.
        Interrupted: It was stopped; ``resume`` continues with the first step that is not finished.
    """
    manifest = resolved or resolve_compare(config)
    with claimed(config.out), without_repeats():  # what one step says of the data set holds for the others
        if not (config.out / SUMMARY).is_file():
            write_start(config.out, config)
        _require_earlier_data(config, manifest)
        pretraining = _pretrain(config)
        rows = _compared_rows(config, pretraining)
        said = advice(rows, collapsed=pretraining.collapsed)
        result = CompareResult(config.out, pretraining, rows, said, manifest.generated)
        _write(result)
    return result


def _require_earlier_data(config: CompareConfig, manifest: Manifest) -> None:
    """Make sure that a resumed comparison continues on the images and labels of its finished steps."""
    pretraining = config.out / "pretrain"
    if (pretraining / SUMMARY).is_file():
        digests = image_digests([manifest.path(row) for row in range(len(manifest))])
        require_same_images(pretraining / SPLITS_FILE, manifest, digests)
        require_same_labels(config.out, manifest)
    keep_labels(config.out, manifest)


def _compared_rows(config: CompareConfig, pretraining: PretrainResult) -> list[ResultRow]:
    """Fine-tune and evaluate at every label fraction from every start."""
    rows: list[ResultRow] = []
    for fraction in sorted(config.label_fractions):
        step = partial(_finetune_and_evaluate, config, pretraining, fraction=fraction)
        found = step(WITH, folder="with-pretraining")
        taught = found.summary.get("teaching", {}).get("used", False)
        rows += _rows(found, TAUGHT if taught else WITH, fraction=fraction)
        if taught:  # else it was fine-tuned on the labels alone
            rows += _rows(step(WITH, folder="with-pretraining-labels-alone", alone=True), WITH, fraction=fraction)
        rows += _rows(step(WITHOUT, folder="without-pretraining", alone=True), WITHOUT, fraction=fraction)
    return rows


def _rows(evaluation: EvaluateResult, start: str, *, fraction: float) -> list[ResultRow]:
    """Return the result of each branch and their mean."""
    labels = evaluation.summary["n_labels"] + evaluation.summary["n_validation_labels"]
    return [
        ResultRow(
            branch=branch,
            start=start,
            label_fraction=fraction,
            n_labels=labels,
            metrics=report.metrics,
            draws=report.draws,
        )
        for branch, report in evaluation.reports.items()
    ]


def forecast_compare(config: CompareConfig, resolved: Manifest) -> Iterator[str]:
    """Yield what the comparison would do, and what it would take.

    Args:
        config: Settings of ``cass compare``.
        resolved: What :func:`resolve_compare` returned.

    Raises:
        CassError: The images, the networks or the batch size cannot be used.
    """
    method = resolve_method(config)
    found = forecast_pretraining(config, resolved, method.kind, method.names, method.recipe)
    yield from forecast_lines(found, config)
    labels = found.plan.counts()["train"]["labelled"]
    tuning, seconds, epochs = config.finetune, 0.0, 0
    for fraction in config.label_fractions:
        count = max(1, round(fraction * labels))
        passes = max(count, tuning.min_steps * tuning.batch_size)
        epochs = tuning.epochs if tuning.head == "full" else 0
        seconds += STARTS * passes * epochs * found.image_seconds
    runs = STARTS * len(config.label_fractions)
    weights = 4 * runs * sum(found.parameters.values())
    yield (
        f"Fine-tuning: {len(config.label_fractions)} label fractions of {labels:,} labels, from up to {STARTS} "
        f"starts, at most {epochs} epochs each: at most {duration(seconds)}; {weights / 1e9:.2f} GB of weights"
    )


def show(result: CompareResult, config: CompareConfig) -> Iterator[str | Cells]:
    """Yield what the command prints."""
    if result.generated:
        yield "\nThese images are generated: drawn by cass, not taken from patients."
    yield from _tables(result.rows)
    for name, entry in result.pretraining.summary["branches"].items():
        state = entry.get("verdict") or ("COLLAPSED" if entry["collapsed"] else "no collapse")  # of 0.1: no word
        yield f"Collapse watch, {name}: {state} ({entry['reason']}). {entry['advice']}"
    yield from result.advice
    yield f"Wrote {result.out}"


def _pretrain(config: CompareConfig) -> PretrainResult:
    """Pretrain, or take the finished run."""
    out = config.out / "pretrain"
    if config.resume and (out / SUMMARY).is_file():
        return PretrainResult(out, read_summary(out, written_by="cass pretrain"))
    fields = {name: getattr(config, name) for name in PretrainConfig.model_fields}
    return run_pretrain(PretrainConfig(**fields | {"out": out}))


def _finetune_and_evaluate(
    config: CompareConfig,
    pretraining: PretrainResult,
    start: str,
    *,
    fraction: float,
    folder: str,
    alone: bool = False,
) -> EvaluateResult:
    """Fine-tune at one fraction from one start, or take the finished run, and evaluate on the test images."""
    out = config.out / "finetune" / f"{fraction:g}-{folder}"
    log.info("\n%g%% of the labels, %s%s:", 100 * fraction, start, ", labels alone" if alone else "")
    if not (config.resume and out.exists()):
        tuning = config.finetune.model_dump() | job_settings(config, FinetuneConfig)
        if alone:
            tuning["unlabelled"] = "off"
        run_finetune(
            FinetuneConfig(
                **tuning,
                run=pretraining.out,
                labels=config.data,
                out=out,
                label_fraction=fraction,
                without_pretraining=start == WITHOUT,
                resume=config.resume,
            )
        )
    return run_evaluate(
        EvaluateConfig(**job_settings(config, EvaluateConfig), run=out, labels=config.data, seed=config.seed)
    )


def _tables(rows: list[ResultRow]) -> list[Cells]:
    """Lay out what pretraining changed, and what pseudo-labels changed where any were used."""
    tables = [comparison(rows)]
    if any(row.start == TAUGHT for row in rows):
        tables.append(comparison(rows, starts=PSEUDO_LABELLED))
    return tables


def _title(*, generated: bool) -> str:
    return f"Label efficiency on {GENERATED_IMAGES if generated else 'test images'}"


def _write(result: CompareResult) -> None:
    """Write the tables, the plot and the summary."""
    from cass.reports.plots import plot_label_efficiency

    out, frame = result.out, result.frame()
    what = GENERATED_IMAGES if result.generated else "test images"
    write_text(out / "results.csv", frame.to_csv(index=False))
    tables = [cells.markdown() for cells in _tables(result.rows)]
    leaks = [f"**Leakage was allowed.** {leak}" for leak in result.pretraining.summary.get("leakage", [])]
    text = [*leaks, f"Balanced accuracy on the {what}.", *tables, *result.advice]
    write_text(out / "results.md", "\n\n".join(text) + "\n")
    plot_label_efficiency(result.rows, out / "label-efficiency.png", title=_title(generated=result.generated))
    write_json(
        out / SUMMARY,
        {
            "kind": "compare",
            "generated_data": result.generated,
            "pretraining": result.pretraining.summary,
            "results": frame.to_dict("records"),
            "advice": result.advice,
            "gains": [
                {
                    "branch": gain.branch,
                    "label_fraction": gain.label_fraction,
                    "start": starts[0],
                    "baseline": starts[1],
                    **asdict(gain.difference),
                    "p": gain.p,
                }
                for starts in (PRETRAINED, PSEUDO_LABELLED)
                for gain in gains(result.rows, starts=starts)
            ],
        },
    )
