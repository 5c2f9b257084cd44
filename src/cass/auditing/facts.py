"""What can be told of each image file without any network: its header, its intensities, and how it looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.header import Header, read_header
from cass.data.formats.identity import image_digest
from cass.data.formats.read import read_picture
from cass.data.manifest.manifest import Manifest
from cass.data.store.store import reason
from cass.errors import DataError
from cass.parallel import for_each
from cass.progress import image_counter

if TYPE_CHECKING:
    from PIL import Image

THUMBNAIL = 32
"""Width and height of the grey thumbnails."""
LONGEST_SIDE = 256
"""Longest side of a picture that is compared with another."""
BORDER = 0.05
"""Width of the border whose content is measured, as a share of the shorter side."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """Facts of N files; of a file that cannot be read all numbers are 0.

    Attributes:
        digests: N content digests; "" where the file cannot be opened.
        headers: What the headers say; None where a file cannot be read.
        errors: Index in [0, N) -> why the file cannot be read.
        mean: (N,) mean intensity in [0, 1].
        spread: (N,) standard deviation of the intensities, in [0, 0.5].
        border_mean: (N,) mean intensity of the border.
        border_even: (N,) share of the border's pixels that have its most frequent grey level.
        saturated: (N,) share of the pixels that are black or white.
        constant: (N,) bool: every pixel is alike.
        thumbnails: (N, 32, 32) uint8 grey pictures.
    """

    digests: list[str]
    headers: list[Header | None]
    errors: dict[int, str]
    mean: Floats
    spread: Floats
    border_mean: Floats
    border_even: Floats
    saturated: Floats
    constant: NDArray[np.bool_]
    thumbnails: NDArray[np.uint8]

    def __len__(self) -> int:
        """Number of files N."""
        return len(self.digests)

    @property
    def readable(self) -> NDArray[np.bool_]:
        """(N,) whether each file can be read."""
        chosen = np.ones(len(self), dtype=np.bool_)
        chosen[list(self.errors)] = False
        return chosen


def facts_of_set(manifest: Manifest) -> ImageFacts:
    """Gather the facts of a set's files, and show the progress.

    Args:
        manifest: N images.

    Returns:
        Their facts; files that cannot be read are in ``errors``.

    Raises:
        DataError: Not one file can be read.
    """
    with image_counter(len(manifest), "Checking") as on_progress:
        facts = gather_facts([manifest.path(row) for row in range(len(manifest))], on_progress=on_progress)
    if len(facts.errors) == len(manifest):
        raise DataError(
            f"None of the {len(manifest)} images of {manifest.root} can be read; the first, "
            f"{manifest.images[0]!r}: {facts.errors[0]}",
            "Check the folder.",
        )
    return facts


def take(facts: ImageFacts, rows: NDArray[np.integer]) -> ImageFacts:
    """Keep the facts of some files, in the order given.

    Args:
        facts: Of N files.
        rows: M numbers in [0, N).
    """
    chosen = rows.tolist()
    arrays = {name: value[rows] for name, value in vars(facts).items() if isinstance(value, np.ndarray)}
    return replace(
        facts,
        digests=[facts.digests[row] for row in chosen],
        headers=[facts.headers[row] for row in chosen],
        errors={new: facts.errors[row] for new, row in enumerate(chosen) if row in facts.errors},
        **arrays,
    )


def gather_facts(paths: Sequence[Path], *, on_progress: Callable[[int], None] | None = None) -> ImageFacts:
    """Read every file once, in threads; memory grows by 1.5 KiB per image.

    Args:
        paths: N image files.
        on_progress: Called in the caller's thread with the number of files done so far, now and then.

    Returns:
        The facts. Files that cannot be read are in ``errors``; nothing is raised for them.
    """
    count = len(paths)
    facts = ImageFacts(
        digests=[""] * count,
        headers=[None] * count,
        errors={},
        mean=np.zeros(count),
        spread=np.zeros(count),
        border_mean=np.zeros(count),
        border_even=np.zeros(count),
        saturated=np.zeros(count),
        constant=np.zeros(count, dtype=np.bool_),
        thumbnails=np.zeros((count, THUMBNAIL, THUMBNAIL), dtype=np.uint8),
    )

    def look(row: int) -> None:
        try:
            facts.digests[row] = image_digest(paths[row])
            header = read_header(paths[row])
            _measure(facts, row, _grey_levels(paths[row]))
        except DataError as error:
            facts.errors[row] = reason(error)
        except MemoryError:
            facts.errors[row] = "it does not fit into memory"
        else:
            facts.headers[row] = header

    for_each(count, look, on_progress=on_progress)
    return facts


def _grey_levels(path: Path) -> NDArray[np.uint8]:
    """Decode an image to (H, W) grey levels of 8 bits; deeper ones are stretched to their own range."""
    from PIL import Image

    picture = read_picture(path)
    if isinstance(picture, Image.Image):
        return np.asarray(picture.convert("L"))
    values = picture.mean(axis=2) if picture.shape[2] > 1 else picture[..., 0].astype(np.float64)
    if picture.dtype == np.uint8:
        return values.round().astype(np.uint8)
    low, high = values.min(), values.max()
    grey: NDArray[np.uint8] = ((values - low) * (255 / max(high - low, 1e-9))).round().astype(np.uint8)
    return grey


def _measure(facts: ImageFacts, row: int, grey: NDArray[np.uint8]) -> None:
    """Enter the numbers of one image."""
    from PIL import Image

    levels: Floats = np.bincount(grey.ravel(), minlength=256) / grey.size
    values: Floats = np.arange(256) / 255
    mean = float(levels @ values)
    facts.mean[row] = mean
    facts.spread[row] = float(levels @ (values - mean) ** 2) ** 0.5
    facts.saturated[row] = float(levels[0] + levels[255])
    facts.constant[row] = grey.min() == grey.max()
    width = max(1, round(BORDER * min(grey.shape)))
    border = np.concatenate(
        [grey[:width].ravel(), grey[-width:].ravel(), grey[:, :width].ravel(), grey[:, -width:].ravel()]
    )
    counts = np.bincount(border, minlength=256)
    facts.border_mean[row] = float(counts @ values / counts.sum())
    facts.border_even[row] = float(counts.max() / counts.sum())
    small = Image.fromarray(grey).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BILINEAR)
    facts.thumbnails[row] = np.asarray(small)


def small_picture(path: Path) -> Image.Image:
    """Decode an image for comparison with another.

    Args:
        path: An image file.

    Returns:
        The picture in 8-bit grey, its longest side at most 256 pixels.

    Raises:
        UnreadableImage: It cannot be decoded.
    """
    from PIL import Image

    picture = Image.fromarray(_grey_levels(path))
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BILINEAR)
    return picture
