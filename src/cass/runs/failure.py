"""What stands in the folder of a run that stopped because its numbers broke."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cass.errors import NotFiniteError
from cass.files import write_json

FAILURE = "failure.json"


@contextmanager
def failure_kept(folder: Path) -> Iterator[None]:
    """Write why a run stopped, for scripts, as :data:`FAILURE`: ``code`` and ``message``, as in ``cautions``.

    The file of an earlier attempt is removed first.

    Args:
        folder: Folder of the run; must exist.

    Raises:
        NotFiniteError: What the block raised.
    """
    (folder / FAILURE).unlink(missing_ok=True)
    try:
        yield
    except NotFiniteError as error:
        write_json(folder / FAILURE, {"code": error.code, "message": str(error)})
        raise
