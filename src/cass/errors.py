"""What cass raises when a user can fix the cause. Layer 0: imports nothing else of cass.

Every message is one line that names the thing, the value and the fix; the command line prints
it and exits with code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CassError(Exception):
    """A problem with what the user handed in, with the fix in its message.

    Args:
        what: What is wrong, naming the file or option and its value.
        fix: What to do about it.
    """

    exit_code = 2

    def __init__(self, what: str, fix: str = "") -> None:
        self.what = " ".join(what.split())
        self.fix = " ".join(fix.split())
        super().__init__(f"{self.what.rstrip('.')}. {self.fix}" if fix else self.what)


class ConfigError(CassError):
    """A configuration key or value that cass does not know or accept."""


class DataError(CassError):
    """A data set, manifest or image that cannot be used as it is."""


class ModelError(CassError):
    """A network name, weight file or architecture setting that cannot be used."""


class OutputError(CassError):
    """An output folder or file that cannot be written, or a run folder that cannot be read."""


class NotFiniteError(CassError):
    """A loss or a gradient that is NaN or infinite: training has diverged."""

    exit_code = 3
    code = "not-finite"


def did_you_mean(word: str, known: Iterable[str], *, count: int = 3) -> str:
    """Name the known words nearest to ``word``.

    Args:
        word: What was asked for.
        known: What there is.
        count: The most names to offer.

    Returns:
        ``"Did you mean 'a' or 'b'?"``, or an empty string where nothing is near.
    """
    near = difflib.get_close_matches(word, list(known), n=count, cutoff=0.6)
    return f"Did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
