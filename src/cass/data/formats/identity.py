"""Which images are the same: content digests, and the groups that copies join."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from cass.data.formats.references import split_reference
from cass.errors import DataError
from cass.parallel import for_each

_WHOLE = 2**24  # a file up to this many bytes is read at once, which is quicker than in pieces


def image_digest(path: Path) -> str:
    """Digest of a file's bytes, so that a moved or renamed image is recognised.

    Args:
        path: An image file, or a part of one: then the number of the part counts too.

    Returns:
        BLAKE2b-128 as 32 hexadecimal digits.

    Raises:
        DataError: The file cannot be opened; make it readable or take it out of the data.
    """
    file, part = split_reference(path)
    if part is None:
        return _file_digest(file)
    try:
        state = os.stat(file)
    except OSError:
        return _file_digest(file)  # which says why
    whole = _digest_of_parts(file, state.st_size, state.st_mtime_ns)
    return hashlib.blake2b(f"{whole}#{part}".encode(), digest_size=16).hexdigest()


@lru_cache(maxsize=64)
def _digest_of_parts(path: Path, size: int, changed: int) -> str:
    """Read a file of many parts once."""
    return _file_digest(path)


def _file_digest(path: Path) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size <= _WHOLE:
                return hashlib.blake2b(file.read(), digest_size=16).hexdigest()
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(
            f"Cannot open the image {path} ({reason})", "Make it readable or take it out of the data."
        ) from None


def image_digests(paths: Sequence[Path]) -> list[str]:
    """Digests of many files, read in parallel.

    Args:
        paths: N image files.

    Returns:
        N digests in the order of ``paths``.

    Raises:
        DataError: A file cannot be opened.
    """
    digests = [""] * len(paths)

    def digest(i: int) -> None:
        digests[i] = image_digest(paths[i])

    for_each(len(paths), digest)  # reading and hashing both release the interpreter lock
    return digests
