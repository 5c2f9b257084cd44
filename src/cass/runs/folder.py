"""Run folders: what is in them, how they are claimed, written and read."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from cass.config.base import Settings, build_config, to_yaml
from cass.errors import OutputError
from cass.files import holds_files, remove_partials, whole_folder, write_json, write_text
from cass.types import BRANCHES, Branches, BranchName

if TYPE_CHECKING:
    import pandas as pd

CONFIG, SUMMARY, ENVIRONMENT, SPLITS_FILE, METRICS = (
    "config.yaml",
    "summary.json",
    "environment.json",
    "splits.csv",
    "metrics.csv",
)
CHECKPOINTS, LAST = "checkpoints", "last.ckpt"
RESOLVED = "resolved.json"
RUN_FORMAT = 1
"""Of run folders; those of version 0.1, which do not say, are of format 1."""
PACKAGES = ("torch", "torchvision", "timm", "lightning", "numpy", "scipy", "scikit-learn", "pandas", "pydantic")

SettingsT = TypeVar("SettingsT", bound=Settings)

log = logging.getLogger("cass")


def check_free(out: Path, *, option: str = "--out") -> None:
    """Make sure that an output path is free to write.

    Args:
        out: A run folder or file to be.
        option: The user's option that names it.

    Raises:
        OutputError: Where it is taken, or its place cannot be written.
    """
    if out.is_dir() and holds_files(out):
        raise OutputError(f"The output folder {out} is not empty", f"Choose a new one with {option}, or empty it.")
    if out.is_file():
        raise OutputError(f"{out} exists", f"Choose another {option}, or remove the file.")
    place = out
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise OutputError(f"{out} cannot be written: {place} does not allow it", "Choose another --out.")


def unfinished_folder(out: Path) -> Path:
    """Return the folder beside an output folder in which its work lies until it is finished."""
    return out.with_name(f".{out.name}.unfinished")


def settings_to_resume(out: Path) -> Path | None:
    """Return the configuration of the unfinished work of an output folder; None where there is none."""
    places = (out / CONFIG, unfinished_folder(out) / CONFIG)
    return next((path for path in places if path.is_file()), None)


def refuse_other_settings(folder: Path, config: Settings, *, changeable: Collection[str], written_by: str) -> None:
    """Make sure that unfinished work is continued with its own settings.

    Args:
        folder: Where its configuration lies.
        config: The settings now.
        changeable: Settings that may differ, because the result does not depend on them.
        written_by: The command that writes such folders.

    Raises:
        OutputError: Another setting differs.
    """
    kind = type(config)
    before = read_config(folder, kind, written_by=written_by).model_dump(exclude=set(changeable))
    now = config.model_dump(exclude=set(changeable))
    for key, value in now.items():
        if value != before[key]:
            raise OutputError(
                f"{folder} was started with {key} = {before[key]!r}, not {value!r}",
                "Continue with its own settings: give --out and --resume alone.",
            )


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other processes from writing a folder that is written in place; a killed process gives it up.

    What killed processes left under temporary names is removed first.

    Args:
        folder: The folder; it is made.

    Raises:
        OutputError: Another process is writing it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"Another process is writing {folder}", "Wait until it ends, or choose another --out."
            ) from None
        except OSError:  # some network file systems cannot lock
            log.debug("%s cannot be locked", folder)
        remove_partials(folder)
        yield
    finally:
        os.close(handle)


@contextmanager
def staged(out: Path, *, replace: bool = False) -> Iterator[Path]:
    """Write an output folder under a temporary name beside its place; it appears whole or not at all.

    Args:
        out: The folder to be.
        replace: Whether an older folder of that name is replaced.

    Yields:
        The temporary folder.

    Raises:
        OutputError: Where ``out`` is taken and may not be replaced.
    """
    if not replace:
        check_free(out)
    with whole_folder(out, existing="replace" if replace else "refuse") as partial:
        yield partial


def write_start(folder: Path, config: BaseModel) -> None:
    """Write what must be known before the first step: the full configuration and the environment.

    Args:
        folder: The run folder; must exist.
        config: The resolved configuration.
    """
    write_text(folder / CONFIG, to_yaml(config))
    write_json(folder / ENVIRONMENT, environment())


def environment() -> dict[str, Any]:
    """Describe the software and hardware, without the names of the machine or its user.

    Returns:
        Versions, platform, processor, cores, memory and GPUs.
    """
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    versions = {name: version(name) for name in PACKAGES}
    try:
        versions["cass"] = version("cass-ssl")
    except ModuleNotFoundError:
        versions["cass"] = "not installed"
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "gpus": gpus,
        "versions": versions,
    }


def read_config(run: Path, kind: type[SettingsT], *, written_by: str) -> SettingsT:
    """Read the configuration of a run folder.

    Args:
        run: The run folder.
        kind: The configuration model of the command that wrote it.
        written_by: That command, for messages.

    Returns:
        The configuration.

    Raises:
        OutputError: Where the folder is none of that command's.
    """
    path = run / CONFIG
    if not path.is_file():
        raise OutputError(f"{run} is not a run folder of {written_by} (no {CONFIG})", f"Run {written_by} first.")
    try:
        return build_config(kind, {}, source=path)
    except Exception as error:
        raise OutputError(
            f"{run} is not a run folder of {written_by}: {error}", f"Pass a folder that {written_by} wrote."
        ) from None


def read_summary(run: Path, *, written_by: str) -> dict[str, Any]:
    """Read the summary of a finished run.

    Args:
        run: The run folder.
        written_by: The command that writes it, for messages.

    Returns:
        The summary.

    Raises:
        OutputError: Where the run has not finished.
    """
    path = run / SUMMARY
    try:
        summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        if not run.exists():
            raise OutputError(f"{run} does not exist", f"Make it with {written_by}, or check the path.") from None
        raise OutputError(
            f"{run} holds no finished run (no {SUMMARY})", f"Finish it first: {written_by} --resume."
        ) from None
    written = summary.get("format", RUN_FORMAT) if isinstance(summary, dict) else None
    if not isinstance(written, int) or written > RUN_FORMAT:
        raise OutputError(
            f"{run} has the run format {written}; this cass knows {RUN_FORMAT}", "Install a newer cass."
        )
    return summary


def summary_if_there(run: Path) -> dict[str, Any] | None:
    """Read the summary of a run; None where there is none."""
    path = run / SUMMARY
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def finetuned_summary(run: Path) -> dict[str, Any]:
    """Read the summary of a fine-tuned run.

    Args:
        run: Run folder of ``cass finetune``.

    Returns:
        The summary; ``classes``, ``task`` and ``branches`` are in it.

    Raises:
        OutputError: The run has not finished, or is not one of ``cass finetune``.
    """
    summary = read_summary(run, written_by="cass finetune")
    if summary.get("kind") != "finetune":
        raise OutputError(f"{run} is not a run of cass finetune", "Fine-tune it first: cass finetune.")
    return summary


def branch_files(run: Path) -> dict[BranchName, Path]:
    """Find the saved branches of a run folder.

    Args:
        run: The run folder.

    Returns:
        Safetensors file by branch name, the CNN first.

    Raises:
        OutputError: Where there is none.
    """
    files = {name: run / CHECKPOINTS / f"{name}.safetensors" for name in BRANCHES}
    found = {name: path for name, path in files.items() if path.is_file()}
    if not found:
        raise OutputError(
            f"{run} holds no finished branches ({CHECKPOINTS}/cnn.safetensors or transformer.safetensors)",
            "Pass the run folder of a finished cass pretrain or cass finetune.",
        )
    return found


def chosen_branches(run: Path, which: Branches) -> dict[BranchName, Path]:
    """Find the saved branches that a user chose.

    Args:
        run: The run folder.
        which: ``cnn``, ``transformer``, or ``both`` for all that the run holds.

    Returns:
        Safetensors file by branch name, the CNN first.

    Raises:
        OutputError: Where the run does not hold the one asked for.
    """
    files = branch_files(run)
    if which != "both" and which not in files:
        raise OutputError(
            f"{run} holds no {which} branch", f"It holds {' and '.join(files)}: use --branch {next(iter(files))}."
        )
    return {name: path for name, path in files.items() if which in (name, "both")}


def read_metrics(run: Path) -> pd.DataFrame:
    """Read the figures of the epochs of a run.

    Args:
        run: Run folder of ``cass pretrain``, with one table, or ``cass finetune``, with one for each branch.

    Returns:
        A row for each epoch; of a fine-tuned run with the column ``branch``.
    """
    import pandas as pd

    if (run / METRICS).is_file():
        return pd.read_csv(run / METRICS)
    tables = {name: run / f"{name}-{METRICS}" for name in BRANCHES}
    found = {name: pd.read_csv(path) for name, path in tables.items() if path.is_file()}
    return pd.concat(found, names=["branch", None]).reset_index(level="branch").reset_index(drop=True)


def write_metrics(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write one row an epoch as CSV, whole or not at all.

    Args:
        path: The file.
        rows: Figures by name.
    """
    import pandas as pd

    write_text(path, pd.DataFrame(rows).to_csv(index=False))
