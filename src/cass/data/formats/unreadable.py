"""What every reader of image files shares: the array it gives, and the error of a file that it cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from cass.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Pixels: TypeAlias = "NDArray[np.uint8 | np.uint16]"
"""An (H, W, C) picture in the depth of its file."""

MOST_PIXELS = 500_000_000
"""Pixels above which a picture is not decoded: a header that claims more is damaged, or meant to do harm."""

BOMB_PIXELS = 25_000_000
BOMB_RATIO = 200
"""Pixels, and pixels a byte of the file, above which a picture is taken for a decompression bomb. Real pictures of
this size have some ten pixels a byte at most."""


class UnreadableImage(DataError):
    """One image file that cannot be decoded.

    Args:
        path: The file.
        reason: Why, in a few words.
        fix: What to do about it.
        passing: Whether the cause may lie in the machine, such as a disk that fails or too little memory,
            so that the same file may be readable another time.
    """

    def __init__(
        self,
        path: Path,
        reason: str,
        fix: str = "Replace the file or take it out of the data.",
        *,
        passing: bool = False,
    ) -> None:
        self.reason = " ".join(reason.split()).rstrip(".")
        self.passing = passing
        super().__init__(f"Cannot read the image {path} ({self.reason})", fix)


def check_size(path: Path, width: int, height: int, *, packed: int, samples: int = 4) -> None:
    """Refuse a picture of impossible size before it is decoded.

    Args:
        path: The file.
        width: Pixels across, as its header says.
        height: Pixels down.
        packed: Bytes of the file.
        samples: Samples of a pixel; more than four count as further pixels.

    Raises:
        UnreadableImage: It has no pixels, more than 500 million, or far more than its file can hold.
    """
    if width < 1 or height < 1:
        raise UnreadableImage(path, "it has no pixels")
    pixels = width * height * max(1, samples // 4)
    claim = f"{width} x {height} pixels" + (f" of {samples} samples" if samples > 4 else "")
    if pixels > MOST_PIXELS:
        raise UnreadableImage(
            path,
            f"its header claims {claim}",
            "Cut a slide into tiles with cass prepare slides; replace a damaged file.",
        )
    if pixels > BOMB_PIXELS and pixels > BOMB_RATIO * packed:
        raise UnreadableImage(path, f"its header claims {claim} in {packed:,} bytes")
