"""The one set-up of logging: messages of cass on a stream, and how much of them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

LOGGER = logging.getLogger("cass")


def set_up_logging(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Send the messages of cass to a stream.

    Args:
        stream: Where to; default: standard error.
        level: Least level that is shown. Above ``INFO`` there is no progress bar either; ``DEBUG`` adds the time,
            the level, and the messages of the libraries that read images.
    """
    verbose = level <= logging.DEBUG
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s" if verbose else "%(message)s"))
    LOGGER.handlers = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False
    # What is wrong with a file, cass says itself.
    logging.getLogger("tifffile").setLevel(logging.WARNING if verbose else logging.CRITICAL)


def is_quiet() -> bool:
    """Tell whether progress is hidden: only warnings and errors are asked for."""
    return LOGGER.level > logging.INFO


def is_verbose() -> bool:
    """Tell whether details are asked for."""
    return LOGGER.level == logging.DEBUG


@contextmanager
def without_repeats() -> Iterator[None]:
    """Show each message once, while several steps work on the same data set."""
    seen: set[str] = set()

    def is_new(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        fresh = text not in seen
        seen.add(text)
        return fresh

    handlers = list(LOGGER.handlers)
    for handler in handlers:
        handler.addFilter(is_new)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_new)
