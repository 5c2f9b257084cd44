"""The work of one cell: pretrain, fine-tune, evaluate; what is done stays done."""

from __future__ import annotations

import json
import logging
import shutil
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from cass.benchmarking.cells import PRETRAIN, Benchmark, Cell, Tuning
from cass.config.evaluate import EvaluateConfig
from cass.config.finetune import FinetuneConfig
from cass.config.pretrain import PretrainConfig
from cass.config.shared import job_settings
from cass.errors import CassError
from cass.files import remove_partials, write_json, write_text
from cass.runs.folder import CHECKPOINTS, CONFIG, LAST, SUMMARY, branch_files, read_config, unfinished_folder

log = logging.getLogger("cass")

ERRORS, TIMING = "errors", "timing.json"


@dataclass(frozen=True)
class Step:
    """A pretraining, or a fine-tuning with its evaluation.

    Attributes:
        cell: Its cell.
        tuning: The fine-tuning, or None for the pretraining.
    """

    cell: Cell
    tuning: Tuning | None

    @property
    def name(self) -> str:
        """Name of its folder within the cell's."""
        return PRETRAIN if self.tuning is None else self.tuning.name

    @property
    def folder(self) -> Path:
        """Where it writes."""
        return self.cell.folder / self.name

    @property
    def done(self) -> bool:
        """Whether its results are on disk."""
        return self.result.is_file()

    @property
    def result(self) -> Path:
        """The file that is there once the step is done: summary of a pretraining, report of a fine-tuning."""
        if self.tuning is None:
            return self.folder / SUMMARY
        return self.folder / "evaluation" / self.tuning.split / "report.json"

    @property
    def seconds(self) -> float | None:
        """How long it took, where that is known."""
        try:
            return float(json.loads((self.folder / TIMING).read_text(encoding="utf-8"))["seconds"])
        except (OSError, ValueError, KeyError):
            return None

    @property
    def error(self) -> str | None:
        """Why it failed when it was last tried, in one line; None where it did not."""
        try:
            lines = _error_file(self.cell, self.name).read_text(encoding="utf-8").splitlines()
        except OSError:
            return None
        return lines[0] if lines else None


def steps_of(cell: Cell) -> list[Step]:
    """Return the steps of a cell in the order of the work."""
    return [Step(cell, None), *(Step(cell, tuning) for tuning in cell.tunings.values())]


def all_steps(benchmark: Benchmark) -> list[Step]:
    """Return the steps of all cells."""
    return [step for cell in benchmark.cells.values() for step in steps_of(cell)]


def work(cell: Cell, *, after: Callable[[], None] = lambda: None) -> None:
    """Do what is left of a cell; what fails is recorded, and the rest goes on.

    Args:
        cell: The cell.
        after: Called after each step.

    Raises:
        Interrupted: Where it was stopped; the next call continues.
    """
    cell.folder.mkdir(parents=True, exist_ok=True)
    # Another process that works on the same benchmark is waited for; then its results are there.
    with _lock(cell):
        shutil.rmtree(cell.folder / ERRORS, ignore_errors=True)
        remove_partials(cell.folder)
        for step in steps_of(cell):
            if not (step.done and _networks_there(step)) and not _try(step) and step.tuning is None:
                break  # nothing builds on what is not there
            after()


def free_first(cells: Iterable[Cell]) -> Iterator[Cell]:
    """Yield cells, those first on which no other process works at that moment."""
    waiting = list(cells)
    while waiting:
        cell = next((cell for cell in waiting if _is_free(cell)), waiting[0])
        waiting.remove(cell)
        yield cell


def _lock(cell: Cell) -> FileLock:
    return FileLock(cell.folder / ".lock")


def _is_free(cell: Cell) -> bool:
    if not cell.folder.is_dir():
        return True
    try:
        with _lock(cell).acquire(timeout=0):
            return True
    except Timeout:
        return False


def _networks_there(step: Step) -> bool:
    """Return whether nothing that is left needs the networks of a finished pretraining, or they are there.

    Results that were kept without networks (``benchmarks/keep.py``) count as done until more is asked of a cell.
    """
    if step.tuning is not None or all(other.done for other in steps_of(step.cell)):
        return True
    return (step.folder / CHECKPOINTS).is_dir()


def record_error(cell: Cell, name: str, message: str) -> None:
    """Keep why a step failed: the line to report, and whatever follows it.

    Args:
        cell: The cell.
        name: Name of the step.
        message: Text; its first line is reported.
    """
    path = _error_file(cell, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, message.rstrip() + "\n")


def record_unfinished(cell: Cell, reason: str) -> None:
    """Keep why the work on a cell ended early, unless one of its steps says so itself.

    Args:
        cell: The cell.
        reason: One line.
    """
    left = [step for step in steps_of(cell) if not step.done]
    if left and not any(step.error for step in left):
        record_error(cell, left[0].name, reason)


def _error_file(cell: Cell, name: str) -> Path:
    return cell.folder / ERRORS / f"{name}.txt"


def _try(step: Step) -> bool:
    """Do a step; returns whether it succeeded."""
    what = "pretraining" if step.tuning is None else f"fine-tuning {step.tuning.name}"
    log.info("\n%s, %s:", step.cell.name, what)
    started = time.monotonic()
    try:
        if step.tuning is None:
            _pretrain_cell(step.cell)
        else:
            _finetune_cell(step, step.tuning)
    except CassError as error:
        record_error(step.cell, step.name, str(error))
        log.error("Failed: %s", error)
        return False
    except Exception as error:
        line = " ".join(f"{type(error).__name__}: {error}".split())
        record_error(step.cell, step.name, f"{line}\n\n{traceback.format_exc()}")
        log.error("Failed: %s", line)
        return False
    write_json(step.folder / TIMING, {"seconds": round(time.monotonic() - started, 3)})
    return True


def _pretrain_cell(cell: Cell) -> None:
    """Pretrain from the last whole epoch on, or write the start.

    All results of a cell are of the same networks: where those are gone, its results go too.
    """
    from cass.benchmarking.starting_run import write_starting_run
    from cass.workflows.pretrain import run_pretrain

    out = cell.config.out
    if not cell.pretraining:
        shutil.rmtree(out, ignore_errors=True)
        write_starting_run(cell.config)
        return
    if (out / SUMMARY).is_file():  # its networks are gone, and on another machine new ones differ in small ways
        for folder in cell.folder.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)
    elif out.exists() and not _continues(cell):
        shutil.rmtree(out)
    run_pretrain(cell.config.model_copy(update={"resume": out.exists()}))
    (out / CHECKPOINTS / LAST).unlink(missing_ok=True)
    shutil.rmtree(out / "tensorboard", ignore_errors=True)


def _continues(cell: Cell) -> bool:
    """Tell whether an unfinished pretraining can go on: it may have been stopped early, or moved meanwhile."""
    out = cell.config.out
    if not (out / CONFIG).is_file():
        return False
    before = read_config(out, PretrainConfig, written_by="cass benchmark")
    places = ("data", "cnn_weights", "transformer_weights")
    return all(getattr(before, key) == getattr(cell.config, key) for key in places)


def _finetune_cell(step: Step, tuning: Tuning) -> None:
    """Fine-tune and evaluate; only the results stay."""
    from cass.workflows.evaluate import run_evaluate
    from cass.workflows.finetune import run_finetune

    cell, out = step.cell, step.folder
    there = list(branch_files(cell.config.out))
    if tuning.alone is not None and tuning.alone not in there:
        log.info("%s trains no %s branch: there is nothing to fine-tune.", cell.method, tuning.alone)
        step.result.parent.mkdir(parents=True, exist_ok=True)
        write_json(out / SUMMARY, {})
        write_json(step.result, {})
        return
    branch = tuning.alone or ("both" if len(there) == 2 else there[0])
    config = FinetuneConfig(**tuning.settings | {"run": cell.config.out, "out": out, "branch": branch})
    if not (out / SUMMARY).is_file() or not (out / CHECKPOINTS).is_dir():  # evaluated on another split before
        for folder in (out, unfinished_folder(out)):
            shutil.rmtree(folder, ignore_errors=True)
        run_finetune(config)
    evaluation = {"run": out, "labels": config.labels, "seed": config.seed, "split": tuning.split}
    run_evaluate(EvaluateConfig(**job_settings(config, EvaluateConfig), **evaluation), pictures=False)
    if not cell.keep_weights:
        shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    for logs in out.glob("tensorboard-*"):
        shutil.rmtree(logs, ignore_errors=True)
