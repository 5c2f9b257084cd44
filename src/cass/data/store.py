"""All images of a data set, decoded once to one size, as one array in memory or in a temporary file."""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.data.readers import Pixels, UnreadableImage, image_bits, read_image, to_channels
from cass.errors import DataError, OutputError

logger = logging.getLogger(__name__)

_NAMED = 20  # a folder of a thousand broken files should not scroll everything else away


@dataclass(frozen=True, eq=False)
class ImageStore:
    """Decoded images.

    Attributes:
        array: (N, S, S, C) uint8, or uint16 where any image has 16 bits; zeros where unreadable.
        corrupt: Index in [0, N) -> why the image could not be read.
    """

    array: Pixels
    corrupt: dict[int, str]

    def __len__(self) -> int:
        """Number of images N."""
        return len(self.array)

    def pixels(self, indices: Sequence[int] | NDArray[np.integer]) -> Pixels:
        """Several images as they are stored.

        Args:
            indices: B indices in [0, N).

        Returns:
            (B, S, S, C) uint8 or uint16, a copy.
        """
        return self.array[np.asarray(indices, dtype=np.int64)]


def decode_images(
    paths: Sequence[Path],
    *,
    names: Sequence[str],
    image_size: int,
    in_chans: int,
    on_progress: Callable[[int], None] | None = None,
    max_memory_share: float = 0.25,
) -> ImageStore:
    """Decode and resize images in threads.

    The whole picture is squashed to a square, bilinear with antialiasing, in the file's own depth;
    where 8- and 16-bit images come together, 8-bit values are multiplied by 257, which maps [0, 255]
    exactly onto [0, 65535]. An image that cannot be read is logged, noted and left as zeros.

    Args:
        paths: N image files.
        names: N names for the log, such as their paths in the manifest.
        image_size: Side S in pixels.
        in_chans: Channels C.
        on_progress: Called in the caller's thread with the number of images done so far.
        max_memory_share: Share of the machine's memory, in (0, 1], above which the array is kept in a
            temporary file that vanishes with the store.

    Returns:
        The store of N images.

    Raises:
        OutputError: The temporary folder has no room; set TMPDIR to another or use smaller images.
    """
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(max_workers=workers) as pool:
        deep = any(pool.map(_is_deep, paths))
    dtype = np.dtype(np.uint16 if deep else np.uint8)
    shape = (len(paths), image_size, image_size, in_chans)
    array = _allocate(shape, dtype, limit=max_memory_share * memory_bytes())

    def decode(i: int) -> str:
        """Fill row i; return why it could not be, or an empty string."""
        try:
            image = to_channels(resize(read_image(paths[i]), image_size), in_chans)
        except UnreadableImage as error:
            return error.reason
        except DataError as error:
            return error.what
        array[i] = image.astype(np.uint16) * np.uint16(257) if image.dtype != dtype else image
        return ""

    corrupt: dict[int, str] = {}
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        for i, reason in enumerate(pool.map(decode, range(len(paths)))):
            if reason:
                corrupt[i] = reason
                if len(corrupt) <= _NAMED:
                    logger.warning("Skipped the image %s: %s.", names[i], reason)
            if on_progress is not None:
                on_progress(i + 1)
    finally:
        # After Ctrl-C nobody wants to wait for the images still in the queue.
        pool.shutdown(wait=True, cancel_futures=True)
    if len(corrupt) > _NAMED:
        logger.warning("Skipped %d images altogether.", len(corrupt))
    return ImageStore(array=array, corrupt=corrupt)


def check_corrupt(corrupt: Mapping[int, str], *, total: int, names: Sequence[str], limit: float = 0.05) -> None:
    """Stop where too many images cannot be read.

    Args:
        corrupt: Index -> reason, as in :class:`ImageStore`.
        total: Number of images N.
        names: N names for the message.
        limit: Share of corrupt images still borne, in [0, 1].

    Raises:
        DataError: More than ``limit`` of the images are corrupt; the message names the first few.
    """
    if len(corrupt) <= limit * total:
        return
    first = "; ".join(f"{names[i]}: {corrupt[i]}" for i in sorted(corrupt)[:3])
    raise DataError(
        f"{len(corrupt)} of {total} images cannot be read, more than {limit:.0%} ({first})",
        "Replace them or take them out of the data.",
    )


def resize(image: Pixels, image_size: int) -> Pixels:
    """Squash a picture to a square, bilinear with antialiasing.

    Args:
        image: (H, W, C) uint8 or uint16.
        image_size: Side S in pixels.

    Returns:
        (S, S, C) of the same dtype.
    """
    from PIL import Image

    size = (image_size, image_size)
    if image.shape[:2] == size:
        return image
    if image.dtype == np.uint8 and image.shape[2] == 3:
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    planes = []
    for channel in np.moveaxis(image, 2, 0):
        if image.dtype == np.uint16:
            # Pillow resizes 16-bit integers without antialiasing; floats it does properly.
            resized = np.asarray(
                Image.fromarray(channel.astype(np.float32)).resize(size, Image.Resampling.BILINEAR)
            )
            planes.append(np.clip(np.rint(resized), 0, 65535).astype(np.uint16))
        else:
            plane = Image.fromarray(np.ascontiguousarray(channel))
            planes.append(np.asarray(plane.resize(size, Image.Resampling.BILINEAR)))
    return np.stack(planes, axis=2)


def memory_bytes() -> int:
    """Memory of the machine, or of the container where that has less, in bytes."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        total = 8 * 2**30
    try:
        allowed = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        return min(total, int(allowed)) if allowed.isdigit() else total
    except OSError:
        return total


def _is_deep(path: Path) -> bool:
    """Whether an image has more than 8 bits; an unreadable one says nothing here."""
    try:
        return image_bits(path) == 16
    except UnreadableImage:
        return False


def _allocate(shape: tuple[int, ...], dtype: np.dtype[Any], *, limit: float) -> NDArray[Any]:
    """Zeros, in memory up to ``limit`` bytes, else in an unnamed temporary file."""
    needed = math.prod(shape) * dtype.itemsize
    if needed <= limit or needed == 0:
        return np.zeros(shape, dtype=dtype)
    folder = tempfile.gettempdir()
    error = OutputError(
        f"The decoded images need {needed / 2**30:.1f} GiB, more than {folder} has free",
        "Set the environment variable TMPDIR to a folder with room, or use a smaller image size.",
    )
    if shutil.disk_usage(folder).free < needed:
        raise error
    with tempfile.TemporaryFile() as file:
        if hasattr(os, "posix_fallocate"):
            # A sparse file on a disk that fills up would end the process in mid-write.
            try:
                os.posix_fallocate(file.fileno(), 0, needed)
            except OSError:
                raise error from None
        # The mapping keeps the file alive until the array is gone.
        return np.memmap(file, dtype=dtype, mode="w+", shape=shape)
