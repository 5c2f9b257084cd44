"""The run folder of ``cass pretrain``: checked, read when a run resumes, written at its beginning."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cass.config.pretrain import PretrainConfig
from cass.data.splits.kept import read_splits, require_same_images, write_splits
from cass.errors import OutputError
from cass.files import holds_files, write_json
from cass.runs.folder import (
    CHECKPOINTS,
    CONFIG,
    LAST,
    RESOLVED,
    SPLITS_FILE,
    SUMMARY,
    check_free,
    refuse_other_settings,
    write_start,
)
from cass.runs.inputs import Plan
from cass.types import Split

# A run may continue elsewhere: what it computes does not depend on how many processes share a step.
MAY_CHANGE = {"resume", "out", "devices", "nodes", "num_workers", "cache"}


def claim_folder(config: PretrainConfig) -> None:
    """Check that the output folder is free, or holds the run to continue.

    Args:
        config: Settings of the run.

    Raises:
        OutputError: Where it is taken, cannot be written, or holds another or a finished run.
    """
    out = config.out
    if not config.resume or not out.exists():
        check_free(out)
        return
    if not (out / CONFIG).is_file():
        if holds_files(out):
            raise OutputError(
                f"{out} holds no run to continue (no {CONFIG})", "Drop --resume and choose a new --out."
            )
        return
    refuse_other_settings(out, config, changeable=MAY_CHANGE, written_by="cass pretrain")
    if (out / SUMMARY).is_file():
        raise OutputError(f"The run in {out} has finished", "Use it, or choose a new --out.")


def earlier_splits(config: PretrainConfig) -> dict[str, Split] | None:
    """Return the splits by content digest of the resumed run; None for a new run."""
    path = config.out / SPLITS_FILE
    return read_splits(path) if path.is_file() else None


def earlier_batch_size(config: PretrainConfig) -> int | None:
    """Return the batch size of the resumed run; None for a new run."""
    resolved = _resolved(config)
    return None if resolved is None else int(resolved["batch_size"])


def earlier_objective(config: PretrainConfig) -> str | None:
    """Return the objective of the resumed run; None for a new run, or a method with only one."""
    resolved = _resolved(config)
    if resolved is None:
        return None
    before = "joint" if config.method == "cass" else None  # what was the default until it was kept
    found: str | None = resolved.get("objective", before)
    return found


def earlier_source(config: PretrainConfig) -> str | None:
    """Return where the splits of the resumed run came from; None for a new run."""
    resolved = _resolved(config)
    return None if resolved is None else resolved.get("splits_source")  # 0.1 did not keep it


def _resolved(config: PretrainConfig) -> dict[str, Any] | None:
    """Return what the resumed run had resolved; None for a new run."""
    path = config.out / RESOLVED
    if not config.resume or not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def earlier_checkpoint(config: PretrainConfig) -> Path | None:
    """Return the checkpoint of the last finished epoch of the resumed run; None for a new run."""
    path = config.out / CHECKPOINTS / LAST
    return path if config.resume and path.is_file() else None


def require_earlier_images(config: PretrainConfig, plan: Plan) -> None:
    """Make sure that the resumed run continues on the images that it has learned from.

    Args:
        config: Settings of the run.
        plan: The data set as it is now.

    Raises:
        DataError: An image has changed, or there are others, or they are in another order.
    """
    if earlier_checkpoint(config) is not None:
        require_same_images(config.out / SPLITS_FILE, plan.manifest, plan.digests)


def write_beginning(config: PretrainConfig, plan: Plan, resolved: dict[str, Any]) -> None:
    """Write what must be known before the first step.

    Args:
        config: Settings of the run.
        plan: The data set with its splits.
        resolved: What the settings left open, resolved, such as the batch size.
    """
    config.out.mkdir(parents=True, exist_ok=True)
    write_start(config.out, config)
    # The source first: a run that is resumed takes its splits from the file, and would call that their source.
    write_json(config.out / RESOLVED, resolved | {"splits_source": plan.source})
    write_splits(config.out / SPLITS_FILE, plan.manifest, plan.splits, plan.digests)
