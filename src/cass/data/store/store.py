"""All images of a data set, decoded once to one size, as one array in memory or in a temporary file."""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.read import image_kind, picture_pixels, read_picture, to_channels
from cass.data.formats.unreadable import Pixels, UnreadableImage
from cass.errors import DataError, OutputError
from cass.listing import warn_unreadable
from cass.parallel import for_each

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ImageStore:
    """Decoded images: an array of them, or some rows of one.

    Attributes:
        array: (M, S, S, C) uint8, or uint16 where any image has 16 bits; zeros where unreadable.
        unreadable: Index in [0, N) -> why the image could not be read.
        rows: (N,) rows of the array that the store's images stand in; None for all M in their order.
    """

    array: Pixels
    unreadable: dict[int, str]
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Number of images N."""
        return len(self.array) if self.rows is None else len(self.rows)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle a mapped file by its path, so that a worker process maps it too instead of a copy."""
        path = getattr(self.array, "filename", None)
        return self.__dict__ | ({"array": Path(path)} if path and Path(path).is_file() else {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the file again."""
        if isinstance(state["array"], Path):
            state = state | {"array": np.load(state["array"], mmap_mode="r", allow_pickle=False)}
        self.__dict__.update(state)

    def __deepcopy__(self, memo: dict[int, Any]) -> ImageStore:
        """Share the images, which never change: averaging of weights copies the module that trains on them."""
        return self

    def subset(self, indices: Sequence[int] | NDArray[np.integer]) -> ImageStore:
        """Choose images without copying a pixel.

        Args:
            indices: K indices in [0, N).

        Returns:
            A store of K images on the same array; its indices count in [0, K).
        """
        chosen = np.asarray(indices, dtype=np.int64)
        unreadable = {
            new: self.unreadable[old] for new, old in enumerate(chosen.tolist()) if old in self.unreadable
        }
        return ImageStore(self.array, unreadable, chosen if self.rows is None else self.rows[chosen])

    def pixels(self, indices: Sequence[int] | NDArray[np.integer]) -> Pixels:
        """Several images as they are stored.

        Args:
            indices: B indices in [0, N).

        Returns:
            (B, S, S, C) of the array's dtype, a copy.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        return np.asarray(self.array[chosen if self.rows is None else self.rows[chosen]])


def decode_images(
    paths: Sequence[Path],
    *,
    names: Sequence[str],
    image_size: int,
    in_chans: int,
    deep: bool | None = None,
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
        deep: Whether to store 16 bits; None looks whether any of the images has them.
        on_progress: Called in the caller's thread with the number of images done so far, now and then.
        max_memory_share: Share of the machine's memory, in (0, 1], above which the array is kept in a
            temporary file that vanishes with the store.

    Returns:
        The store of N images.

    Raises:
        OutputError: The temporary folder has no room; set TMPDIR to another or use smaller images.
    """
    dtype = np.dtype(np.uint16 if (any_deep(paths) if deep is None else deep) else np.uint8)
    shape = (len(paths), image_size, image_size, in_chans)
    array = _allocate(shape, dtype, limit=max_memory_share * memory_bytes())
    errors = decode_each(
        paths,
        array.__setitem__,
        image_size=image_size,
        in_chans=in_chans,
        dtype=dtype,
        on_progress=on_progress,
    )
    unreadable = {i: reason(error) for i, error in errors.items()}
    warn_unreadable({names[i]: why for i, why in unreadable.items()})
    return ImageStore(array=array, unreadable=unreadable)


def decode_each(
    paths: Sequence[Path],
    save: Callable[[int, Pixels], None],
    *,
    image_size: int,
    in_chans: int,
    dtype: np.dtype[Any],
    on_progress: Callable[[int], None] | None = None,
) -> dict[int, DataError]:
    """Decode images in threads, as :func:`decode_images` describes, and hand each on.

    Args:
        paths: N image files.
        save: Called with an index in [0, N) and an image (S, S, C), in any order and in several threads at
            once; not called for an image that cannot be read.
        image_size: Side S in pixels.
        in_chans: Channels C.
        dtype: uint8 or uint16; uint8 only where no image has 16 bits.
        on_progress: Called in the caller's thread with the number of images done so far, now and then.

    Returns:
        Index -> error of each image that cannot be read, in their order.
    """
    errors: dict[int, DataError] = {}

    def decode(i: int) -> None:
        try:
            image = to_channels(read_square(paths[i], image_size), in_chans)
            if image.dtype.itemsize > dtype.itemsize:
                raise UnreadableImage(paths[i], "it has turned from 8 to 16 bits", passing=True)
        except MemoryError:
            errors[i] = UnreadableImage(paths[i], "it does not fit into memory", passing=True)
        except DataError as error:
            errors[i] = error
        else:
            save(i, image if image.dtype == dtype else image.astype(np.uint16) * np.uint16(257))

    for_each(len(paths), decode, on_progress=on_progress)
    return dict(sorted(errors.items()))


def reason(error: DataError) -> str:
    """Say why an image could not be read, without naming it."""
    return error.reason if isinstance(error, UnreadableImage) else error.what


def any_deep(paths: Sequence[Path]) -> bool:
    """Whether any image has more than 8 bits, by their headers; unreadable ones say nothing here."""
    deep = False

    def look(i: int) -> None:
        nonlocal deep
        if not deep and _is_deep(paths[i]):
            deep = True

    for_each(len(paths), look)
    return deep


def check_unreadable(
    unreadable: Mapping[int, str], *, total: int, names: Sequence[str], limit: float = 0.05
) -> None:
    """Stop where too many images cannot be read.

    Args:
        unreadable: Index -> reason, as in :class:`ImageStore`.
        total: Number of images N.
        names: N names for the message.
        limit: Greatest share of unreadable images that is accepted, in [0, 1].

    Raises:
        DataError: More than ``limit`` of the images are unreadable; the message names the first few.
    """
    if len(unreadable) <= limit * total:
        return
    first = "; ".join(f"{names[i]}: {unreadable[i]}" for i in sorted(unreadable)[:3])
    raise DataError(
        f"{len(unreadable)} of {total} images are unreadable, more than {limit:.0%} ({first})",
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


def read_square(path: Path, image_size: int) -> Pixels:
    """Decode a file and squash it to (S, S, C), in its own depth."""
    from PIL import Image

    picture = read_picture(path)
    if isinstance(picture, np.ndarray):
        return resize(picture, image_size)
    if picture.size != (image_size, image_size):
        picture = picture.resize((image_size, image_size), Image.Resampling.BILINEAR)
    return picture_pixels(picture)


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
        return image_kind(path)[1] == 16
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
