"""The working folder of ``cass finetune``: it lies beside the run folder, which appears whole when all is done."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cass.config.finetune import FinetuneConfig
from cass.data.splits.kept import require_same_images, write_splits
from cass.errors import CassError, OutputError
from cass.files import remove_partials
from cass.runs.failure import FAILURE, failure_kept
from cass.runs.folder import (
    CONFIG,
    SPLITS_FILE,
    SUMMARY,
    claimed,
    refuse_other_settings,
    unfinished_folder,
    write_start,
)
from cass.runs.inputs import Plan
from cass.runs.same_labels import keep_labels, require_same_labels

# What a run computes does not depend on these.
CHANGEABLE = {"resume", "out", "num_workers", "cache"}


def claim_tuning(config: FinetuneConfig) -> None:
    """Check that unfinished work of the output folder is continued or absent.

    Args:
        config: Settings of the run, complete.

    Raises:
        OutputError: The folder was begun, and is not to be continued or has other settings.
    """
    work = unfinished_folder(config.out)
    if not (work / CONFIG).is_file() or (_has_failed(work) and not _has_epoch(work)):
        return
    if not config.resume:
        raise OutputError(
            f"{config.out} was begun and not finished", f"Continue it with --resume, or remove {work}."
        )
    refuse_other_settings(work, config, changeable=CHANGEABLE, written_by="cass finetune")


def has_finished(config: FinetuneConfig) -> bool:
    """Tell whether the run that is to be continued has finished.

    Args:
        config: Settings of the run.
    """
    return config.resume and (config.out / SUMMARY).is_file()


def confirm_finished(config: FinetuneConfig) -> None:
    """Check the settings of a run that has finished, and remove what a killed process left of its working folder.

    Args:
        config: Settings of the run, complete.

    Raises:
        OutputError: It has finished with other settings.
    """
    refuse_other_settings(config.out, config, changeable=CHANGEABLE, written_by="cass finetune")
    shutil.rmtree(unfinished_folder(config.out), ignore_errors=True)


@contextmanager
def working_folder(config: FinetuneConfig) -> Iterator[Path]:
    """Make the working folder; it is removed at the end, and kept where the run is stopped.

    Args:
        config: Settings of the run, complete.

    Yields:
        The folder.

    Raises:
        CassError: What the block raises; the folder then stays only if it holds a finished epoch, or says that
            the numbers broke.
    """
    work = unfinished_folder(config.out)
    with claimed(work):
        claim_tuning(config)  # another process may have begun meanwhile
        remove_partials(config.out.parent, name=config.out.name)
        write_start(work, config)
        try:
            with failure_kept(work):
                yield work
        except CassError:
            if not _has_epoch(work) and not _has_failed(work):
                shutil.rmtree(work)
            raise
        shutil.rmtree(work)


def require_earlier_data(work: Path, plan: Plan) -> None:
    """Make sure that a resumed run continues on the images and labels that it began with; a new one keeps them.

    Args:
        work: The working folder.
        plan: The data set as it is now.

    Raises:
        DataError: An image or a label has changed, or there are others, or they are in another order.
    """
    if _has_epoch(work) and (work / SPLITS_FILE).is_file():  # 0.2 did not keep it
        require_same_images(work / SPLITS_FILE, plan.manifest, plan.digests)
        require_same_labels(work, plan.manifest)
    write_splits(work / SPLITS_FILE, plan.manifest, plan.splits, plan.digests)
    keep_labels(work, plan.manifest)


def _has_epoch(work: Path) -> bool:
    return any(work.glob("*/*.ckpt"))


def _has_failed(work: Path) -> bool:
    return (work / FAILURE).is_file()
