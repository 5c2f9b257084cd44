"""The commands. What they compute with is imported when they run, so that help answers at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import typer

from cass.cli.benchmark_group import SPEC, SpecOrCommand
from cass.cli.messages import skipped
from cass.cli.options import command
from cass.cli.prepare_group import prepare
from cass.config.audit import AuditConfig
from cass.config.benchmark import BenchmarkConfig
from cass.config.compare import CompareConfig
from cass.config.embed import EmbedConfig
from cass.config.evaluate import EvaluateConfig
from cass.config.finetune import FinetuneConfig
from cass.config.predict import PredictConfig
from cass.config.pretrain import PretrainConfig
from cass.config.speed import SpeedConfig
from cass.config.split import SplitConfig

app = typer.Typer(
    name="cass",
    help="Turn a folder of mostly unlabelled medical images into label-efficient classifiers. Nothing leaves "
    "this machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _pretrain(config: PretrainConfig) -> None:
    from cass.workflows.pretrain import run_pretrain

    result = run_pretrain(config)
    typer.echo(f"Wrote {result.out}")


def _finetune(config: FinetuneConfig) -> None:
    from cass.workflows.finetune import run_finetune

    typer.echo(f"Wrote {run_finetune(config).out}")


def _evaluate(config: EvaluateConfig) -> None:
    from rich.console import Console

    from cass.reports.tables import report_cells
    from cass.workflows.evaluate import run_evaluate

    result = run_evaluate(config)
    console = Console()
    for name, report in result.reports.items():
        console.print(f"\n[bold]{name}[/bold]")
        for cells in report_cells(report):
            console.print(cells.rich())
    typer.echo(f"Wrote {result.out}")


def _embed(config: EmbedConfig) -> None:
    from cass.workflows.embed import run_embed

    result = run_embed(config)
    widths = ", ".join(f"{name} {width} numbers" for name, width in result.widths.items())
    typer.echo(f"Wrote {result.out}: {result.images} images, {widths} each{skipped(result.skipped)}")


def _predict(config: PredictConfig) -> None:
    from cass.workflows.predict import run_predict

    result = run_predict(config)
    typer.echo(
        f"Wrote {result.out}: {result.images} images, classes {', '.join(result.classes)}{skipped(result.skipped)}"
    )


def _compare(config: CompareConfig) -> None:
    from rich.console import Console

    from cass.reports.tables import comparison
    from cass.workflows.compare import run_compare

    result = run_compare(config)
    console = Console()
    if result.generated:
        console.print("\nThese images are generated: drawn by cass, not taken from patients.")
    console.print(comparison(result.rows).rich())
    for name, entry in result.pretraining.summary["branches"].items():
        state = "COLLAPSED" if entry["collapsed"] else "no collapse"
        console.print(f"Collapse watch, {name}: {state} ({entry['reason']}). {entry['advice']}")
    for line in result.advice:
        console.print(line, markup=False, highlight=False)
    typer.echo(f"Wrote {result.out}")


def _audit(config: AuditConfig) -> None:
    from rich.console import Console

    from cass.auditing.text import audit_tables, finding_lines
    from cass.workflows.audit import run_audit

    found = run_audit(config).audit
    console = Console(soft_wrap=True)
    for cells in audit_tables(found):
        Console().print(cells.rich())
    for line in finding_lines(found):
        console.print(line, markup=False, highlight=False)
    for path in (config.json_file, config.html):
        if path is not None:
            typer.echo(f"Wrote {path}")
    if found.serious:
        raise typer.Exit(1)


def _split(config: SplitConfig) -> None:
    from cass.workflows.split import run_split

    result = run_split(config)
    counts = ", ".join(f"{name} {count:,}" for name, count in result.counts.items())
    left_out = f"; {len(result.left_out)} unreadable files left out" if result.left_out else ""
    typer.echo(f"Wrote {result.out}: {counts}{left_out}")


def _benchmark_speed(config: SpeedConfig) -> None:
    from rich.console import Console

    from cass.benchmarking.speed.run import run_benchmark_speed
    from cass.benchmarking.speed.table import ratios_table, speed_table

    result = run_benchmark_speed(config)
    console = Console()
    console.print(speed_table(result.rows, result.conditions).rich())
    console.print(ratios_table(result.ratios).rich())
    if config.json_file is not None:
        typer.echo(f"Wrote {config.json_file}")


def _benchmark(config: BenchmarkConfig) -> None:
    from rich.console import Console

    from cass.benchmarking.plan import plan_table
    from cass.benchmarking.run import run_benchmark

    result = run_benchmark(config)
    if result.outcome is None:
        cells = plan_table(result.plan, seconds_left=result.seconds_left)
        typer.echo(cells.title)  # longer than the table is wide
        Console().print(replace(cells, title="").rich())
        return
    typer.echo(f"Wrote {result.out}: tables.md, tables.tex, claims.md, runs.csv, pretraining.csv and plots")
    if not result.complete:
        typer.echo(
            f"{len(result.outcome.missing)} results are missing; tables.md says why. The same command tries "
            "again.",
            err=True,
        )
        raise typer.Exit(1)


benchmark = typer.Typer(
    cls=SpecOrCommand,
    help="Compare methods as a YAML file says, or measure the speed of cass on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
    subcommand_metavar="SPEC.yaml|COMMAND",
)
app.add_typer(benchmark, name="benchmark")
app.add_typer(prepare, name="prepare")


def _add(name: str, *, to: typer.Typer = app, **kwargs: Any) -> None:
    to.command(name)(command(**kwargs))


_add(
    "audit",
    kind=AuditConfig,
    run=_audit,
    arguments={"data": "[IMAGES]"},
    summary="Say what is wrong with a set of images before anything is trained on it; exit code 1 where it is "
    "serious.",
    example="cass audit labels.csv --html audit.html",
)
_add(
    "split",
    kind=SplitConfig,
    run=_split,
    arguments={"data": "[IMAGES]"},
    summary="Write splits that keep patients, copies and near-duplicates together.",
    example="cass split labels.csv --out safe.csv",
)
_add(
    "pretrain",
    kind=PretrainConfig,
    run=_pretrain,
    arguments={"data": "[IMAGES]"},
    summary="Train a CNN and a Transformer together, without labels, on all training images.",
    example="cass pretrain scans/ --out runs/pretrain --epochs 50",
)
_add(
    "finetune",
    kind=FinetuneConfig,
    run=_finetune,
    arguments={"run": "RUN"},
    summary="Train pretrained branches on a share of the labels.",
    example="cass finetune runs/pretrain --labels labels.csv --out runs/tuned --label-fraction 0.1",
)
_add(
    "evaluate",
    kind=EvaluateConfig,
    run=_evaluate,
    arguments={"run": "RUN"},
    summary="Measure fine-tuned branches on held-out images, with 95% intervals.",
    example="cass evaluate runs/tuned --labels labels.csv --split test",
)
_add(
    "embed",
    kind=EmbedConfig,
    run=_embed,
    arguments={"run": "RUN", "data": "[IMAGES]"},
    summary="Write the embeddings of images to a Parquet file, or to a folder of Parquet shards.",
    example="cass embed runs/pretrain scans/ --out embeddings.parquet",
)
_add(
    "predict",
    kind=PredictConfig,
    run=_predict,
    arguments={"run": "RUN", "data": "[IMAGES]"},
    summary="Write the predictions of fine-tuned branches to a CSV or Parquet file, or to a folder of shards.",
    example="cass predict runs/tuned new-scans/ --out predictions.csv",
)
_add(
    "compare",
    kind=CompareConfig,
    run=_compare,
    arguments={"data": "[IMAGES]"},
    summary="Do the whole job: pretrain, fine-tune at several label fractions, evaluate beside no pretraining.",
    example="cass compare labels.csv --out runs/compare --epochs 50",
)
_add(
    SPEC,
    to=benchmark,
    kind=BenchmarkConfig,
    run=_benchmark,
    arguments={"spec": "SPEC.yaml"},
    summary="Compare methods over data sets, label fractions and seeds; what is finished is kept.",
    example="cass benchmark benchmarks/tiny.yaml --out runs/tiny",
)
_add(
    "speed",
    to=benchmark,
    kind=SpeedConfig,
    run=_benchmark_speed,
    arguments={},
    summary="Time pretraining beside the bare networks, the published loop and lightly's DINO, SimSiam and BYOL.",
    example="cass benchmark speed --image-size 98 --json speed.json",
)
