"""Settings that several commands have: hardware, cache, labels, leakage."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from cass.config.base import Settings


def _as_text(value: Any) -> Any:
    return fspath(value) if isinstance(value, PathLike) else value


def _as_gpu(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("cuda:"):
        raise ValueError(f"set CUDA_VISIBLE_DEVICES={value.removeprefix('cuda:')} and give gpu to choose a GPU")
    return "gpu" if value == "cuda" else value


PathOrWord = BeforeValidator(_as_text)
"""Marks a setting that is a path or a word: Python takes a ``Path`` too, and keeps it as text."""

Source: TypeAlias = Annotated[str, PathOrWord]
"""A path or a word such as ``generated``."""

DATA = (
    "Images: a folder (any nesting, or one sub-folder a class), a table (.csv, .tsv, .xlsx) with "
    "the columns image,label[,group][,split], or the word 'generated' for the built-in generated set."
)


LABELS = (
    "Labels: a table with the columns image,label[,group][,split], a folder with one sub-folder a class, "
    "or the word 'generated'."
)


RESUME = "Continue unfinished work: what a stopped process has finished is kept."
RESUME_RUN = (
    "Continue the unfinished run in the output folder after its last epoch. It has its own settings: --out and "
    "--resume are enough."
)


class ComputeSettings(Settings):
    """Where and how a command computes."""

    device: Annotated[Literal["auto", "cpu", "gpu", "mps"], BeforeValidator(_as_gpu)] = Field(
        "auto", description="Device; auto: a GPU if there is one; cuda means gpu."
    )
    precision: Literal["auto", "32", "bf16"] = Field(
        "auto",
        description="Numerical precision; auto: bf16 autocast if the hardware supports it (recent GPUs, CPUs with"
        " AVX-512 BF16 or AMX), otherwise 32-bit floats.",
    )
    num_workers: int | None = Field(
        None,
        ge=0,
        description="Data loading processes; default: 0 on a CPU, 2 with a GPU.",
    )


class TrainSettings(ComputeSettings):
    """How a command that trains uses the hardware."""

    compile: Literal["auto", "on", "off"] = Field(
        "auto",
        description="torch.compile; auto: try it in runs long enough to repay the compilation, and keep it if "
        "steps are measured to be faster.",
    )
    accumulate: int = Field(
        1,
        ge=1,
        description="Gradient accumulation: parts that a batch is divided into; more parts need less memory.",
    )
    gradient_checkpointing: bool = Field(
        False, description="Recompute activations instead of storing them: less memory, slower steps."
    )


class CacheSettings(Settings):
    """Where decoded images are kept for later runs; shared by the commands that read a set as a whole."""

    cache: Source = Field(
        "auto",
        min_length=1,
        description="Cache of decoded images, which later runs reuse: auto (the user's cache folder, or "
        "CASS_CACHE_DIR), off, or a folder.",
    )


class ColumnSettings(Settings):
    """How the images of a table are found."""

    image_column: str | None = Field(
        None, min_length=1, description="Column with the image paths; default: image."
    )


class LabelSettings(ColumnSettings):
    """How labels are read."""

    label_column: str | None = Field(
        None, min_length=1, description="Column with the class of each image; default: label."
    )
    label_columns: tuple[str, ...] = Field(
        (),
        description="0/1 columns, one per class, for multi-label sets; default: all 0/1 columns of a table that "
        "has no label column.",
    )
    group_column: str | None = Field(
        None,
        min_length=1,
        description="Column with the patient or slide of each image, which are never split; default: group.",
    )


class GuardSettings(Settings):
    """What a training run does where its data cannot be trusted."""

    allow_leakage: bool = Field(
        False,
        description="Continue although the given splits put a group, or identical files, into more than one "
        "split; every report then states it.",
    )


JOB = (LabelSettings, CacheSettings, GuardSettings, ComputeSettings)
"""Settings that hold for each part of a job alike: pretraining, fine-tuning and evaluation."""


def job_settings(config: Settings, kind: type[Settings]) -> dict[str, Any]:
    """Take the settings that hold for a whole job from one of its parts to another.

    Args:
        config: Settings of the job, or of a part of it.
        kind: Settings class of the part that they go to.

    Returns:
        Values by name: all fields of the classes in ``JOB`` that both inherit.
    """
    shared = [part for part in JOB if isinstance(config, part) and issubclass(kind, part)]
    return {name: getattr(config, name) for part in shared for name in part.model_fields}
