"""DICOM files to pixels, as a radiologist would see them; nothing of whom they show leaves this file.

Needs pydicom and, for compressed files, GDCM. Messages never quote a file: what pydicom complains of may hold
a name or a date.
"""

from __future__ import annotations

import hashlib
import logging
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from cass.data.formats.base import FORMATS, Format
from cass.data.formats.intensities import Window, percentile_window, shares_of_white, window_bounds
from cass.data.formats.unreadable import Pixels, UnreadableImage, check_size

if TYPE_CHECKING:
    from pydicom import Dataset

MAGIC_AT, MAGIC = 128, b"DICM"
MOST_BYTES = 2**30
"""Bytes above which a deflated file is not inflated."""

_DEFLATED = b"1.2.840.10008.1.2.1.99"

_INSTALL = "Install it: pip install 'pydicom>=3.0.1' python-gdcm."
_DOWNLOADS = "3.0.0"
"""Version of pydicom that downloads example files when it is imported, and waits where there is no internet."""
_FAR = 1e12  # beyond any window


def frame_count(path: Path) -> int:
    """Count the frames of a file, from its header.

    Args:
        path: A DICOM file.

    Returns:
        The frames; 0 for what holds no picture, such as a report or a structure set; 1 for a file that cannot be
        read, whose error comes when it is.

    Source:
        DICOM PS3.3, section C.7.6.3: an image has Rows and Columns.
    """
    try:
        header = _header(path)
        if "Rows" not in header and "Image" not in getattr(header.get("SOPClassUID"), "name", "Image"):
            return 0
        return max(1, int(header.get("NumberOfFrames") or 1))
    except (UnreadableImage, ValueError, TypeError):
        return 1


def group_code(path: Path, *, salt: str) -> str:
    """Name whom a file shows without naming them: the patient, or else the series of slices.

    Args:
        path: A DICOM file.
        salt: A secret of this machine, without which the code cannot be traced back by trying patient numbers.

    Returns:
        ``patient-`` and 12 hexadecimal digits, the same for the same PatientID and salt; without a PatientID
        ``series-`` and such digits for the SeriesInstanceUID; "" where the file has neither.
    """
    try:
        header = _header(path)
    except UnreadableImage:
        return ""
    for kind, element in (("patient", "PatientID"), ("series", "SeriesInstanceUID")):
        given = str(header.get(element) or "").strip()
        if given:
            digest = hashlib.blake2b(f"{salt}:{given}".encode(), digest_size=6).hexdigest()
            return f"{kind}-{digest}"
    return ""


def place_in_series(path: Path) -> tuple[str, float]:
    """Tell where a slice belongs; for use in memory alone, since the series is an identifier.

    Args:
        path: A DICOM file.

    Returns:
        The SeriesInstanceUID and the InstanceNumber; "" and 0 where the file has none.
    """
    try:
        header = _header(path)
        return str(header.get("SeriesInstanceUID") or ""), float(header.get("InstanceNumber") or 0)
    except (UnreadableImage, TypeError, ValueError):
        return "", 0.0


def dicom_bits(path: Path) -> Literal[8, 16]:
    """Return 16 where a sample has more than 8 bits, else 8.

    Args:
        path: A DICOM file.

    Raises:
        UnreadableImage: Its header cannot be read.
    """
    header = _header(path)
    if str(header.get("PhotometricInterpretation", "")) == "PALETTE COLOR":
        return 8
    return 16 if _stored_bits(header) > 8 else 8


def read_dicom(path: Path, frame: int = 0, *, window: Window = "file") -> Pixels:
    """Decode a frame.

    Grey frames go through the modality transformation (rescale slope and intercept, or its table) and then through
    the window. MONOCHROME1 is turned, so that white is white. Palettes and YBR become RGB.

    Args:
        path: A DICOM file.
        frame: Number of the frame, from 0.
        window: ``file``: the first VOI table or window of the file, without one as ``percentile``;
            ``percentile``: from the 0.5th to the 99.5th percentile of the frame; or centre and width, such as
            (40, 400) Hounsfield units.

    Returns:
        (H, W, C) uint8, or uint16 where a sample has more than 8 bits; C is 1 for grey, 3 for RGB.

    Raises:
        UnreadableImage: It is damaged or truncated, holds no picture, has no such frame, or its compression has
            no decoder here.

    Source:
        DICOM PS3.3, sections C.11.1 (modality LUT), C.11.2 (VOI LUT) and C.7.6.3.1 (photometric interpretation).
    """
    dataset = _read_dataset(path)
    if not any(name in dataset for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise UnreadableImage(path, "it is DICOM, but holds no picture", "Take it out of the data.")
    try:
        height, width = int(dataset.Rows), int(dataset.Columns)
        frames = int(dataset.get("NumberOfFrames") or 1)
    except (AttributeError, TypeError, ValueError):
        raise UnreadableImage(path, "its DICOM header lacks rows, columns or frames") from None
    check_size(path, width, height, packed=path.stat().st_size)
    if not 0 <= frame < frames:
        raise UnreadableImage(path, f"it has {frames} frames, none numbered {frame}", "Fix the list of images.")
    try:
        return _pictured(dataset, frame, window)
    except UnreadableImage:
        raise
    except MemoryError:
        raise UnreadableImage(path, "it does not fit into memory", "Make it smaller.", passing=True) from None
    except Exception as error:
        raise UnreadableImage(path, _why(dataset, error)) from None


def _pictured(dataset: Dataset, frame: int, window: Window) -> Pixels:
    from pydicom.pixels import apply_color_lut, pixel_array

    from cass.data.formats.dicom_jpeg import add_decoder

    add_decoder()
    values: NDArray[Any] = pixel_array(dataset, index=frame)
    if str(dataset.PhotometricInterpretation) == "PALETTE COLOR":
        coloured: NDArray[Any] = apply_color_lut(values, dataset)
        if coloured.dtype.itemsize > 1:  # 16-bit palettes of 8-bit pictures: value * 257 (or * 256)
            coloured = coloured >> 8
        return np.ascontiguousarray(coloured[..., :3].astype(np.uint8))
    bits = _stored_bits(dataset)
    dtype = np.uint16 if bits > 8 else np.uint8
    if values.ndim == 3:
        shares = values.astype(np.float64) / (2**bits - 1)
    else:
        shares = _grey(values, dataset, window)[..., None]
    top = np.iinfo(dtype).max
    pixels: Pixels = (shares.clip(0, 1) * top).round().astype(dtype)
    return np.ascontiguousarray(pixels)


def _grey(values: NDArray[Any], dataset: Dataset, window: Window) -> NDArray[np.float64]:
    """Map stored values to shares of white, in [0, 1] or a little beyond."""
    from pydicom.pixels import apply_modality_lut, apply_voi_lut, apply_windowing

    measured = np.asarray(apply_modality_lut(values, dataset), dtype=np.float64)
    tables = dataset.get("VOILUTSequence")
    if window == "percentile":
        shares = _stretched(values, measured, dataset)
    elif window != "file":
        shares = shares_of_white(measured, *window_bounds(window))
    elif tables and values.dtype.kind in "iu" and tables[0].get("LUTDescriptor"):
        shares = np.asarray(apply_voi_lut(measured.astype(np.int64), dataset), dtype=np.float64)
        shares /= 2 ** int(tables[0].LUTDescriptor[2]) - 1
    elif dataset.get("WindowCenter") not in (None, "") and dataset.get("WindowWidth") not in (None, ""):
        low, high = np.asarray(apply_windowing(np.array([-_FAR, _FAR]), dataset), dtype=np.float64)
        shares = (np.asarray(apply_windowing(measured, dataset), dtype=np.float64) - low) / (high - low)
    elif _stored_bits(dataset) <= 8 and values.dtype.kind == "u" and np.array_equal(measured, values):
        shares = measured / (2 ** _stored_bits(dataset) - 1)
    else:
        shares = _stretched(values, measured, dataset)
    if str(dataset.PhotometricInterpretation) == "MONOCHROME1":
        shares = 1 - shares
    return shares


def _stretched(values: NDArray[Any], measured: NDArray[np.float64], dataset: Dataset) -> NDArray[np.float64]:
    """Stretch a frame between its percentiles; what only pads it does not count."""
    counted = measured
    padding = dataset.get("PixelPaddingValue")
    if isinstance(padding, int) and (values != padding).any():
        counted = measured[values != padding]
    return shares_of_white(measured, *percentile_window(counted))


def _stored_bits(header: Dataset) -> int:
    if "FloatPixelData" in header or "DoubleFloatPixelData" in header:
        return 16
    return int(header.get("BitsStored") or header.get("BitsAllocated") or 8)


@cache
def _pydicom() -> Any:
    """Import pydicom, and keep it from writing about what it reads: its messages may name patients.

    Raises:
        ImportError: It is not installed, or is a version that would use the internet.
    """
    import warnings
    from importlib import metadata

    if metadata.version("pydicom") == _DOWNLOADS:
        raise ImportError(f"pydicom {_DOWNLOADS} downloads files when it is imported")

    import pydicom
    from pydicom import config

    warnings.filterwarnings("ignore", module=r"pydicom\.")
    config.settings.reading_validation_mode = config.IGNORE
    quiet = logging.getLogger("pydicom")
    quiet.setLevel(logging.CRITICAL + 1)
    quiet.propagate = False
    return pydicom


def _header(path: Path) -> Dataset:
    return _read_dataset(path, header=True)


def _read_dataset(path: Path, *, header: bool = False) -> Dataset:
    """Read a file, or its header alone."""
    try:
        pydicom = _pydicom()
    except ImportError:
        raise UnreadableImage(path, "it is DICOM, which needs pydicom 3.0.1 or newer", _INSTALL) from None
    with open(path, "rb") as file:
        file.seek(MAGIC_AT)
        bare = file.read(len(MAGIC)) != MAGIC
        file.seek(0)
        if _DEFLATED in file.read(1024):
            _check_inflated(path, file)
        file.seek(0)
        try:
            dataset: Dataset = pydicom.dcmread(file, force=bare, stop_before_pixels=header)
            if bare and "TransferSyntaxUID" not in dataset.file_meta:
                implicit, little = dataset.original_encoding
                explicit = pydicom.uid.ExplicitVRLittleEndian if little else pydicom.uid.ExplicitVRBigEndian
                dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian if implicit else explicit
        except Exception:
            raise UnreadableImage(path, "not a DICOM file, or its header is damaged") from None
    if not len(dataset):
        raise UnreadableImage(path, "not a DICOM file, or its header is damaged")
    return dataset


def _check_inflated(path: Path, file: BinaryIO) -> None:
    """Refuse a deflated file that would fill the memory: pydicom inflates it as a whole.

    Raises:
        UnreadableImage: It would.
    """
    from pydicom.filereader import read_file_meta_info

    try:
        file.seek(MAGIC_AT + len(MAGIC) + 12 + int(read_file_meta_info(path).FileMetaInformationGroupLength))
        inflater, left, size = zlib.decompressobj(-zlib.MAX_WBITS), file.read(), 0
        while left and size <= MOST_BYTES:
            size += len(inflater.decompress(left, 2**24))
            left = inflater.unconsumed_tail
    except Exception:
        return  # what is wrong with it shows when it is read
    if size > MOST_BYTES:
        raise UnreadableImage(path, f"it inflates to more than {MOST_BYTES:,} bytes")


def _why(dataset: Dataset, error: Exception) -> str:
    """Say why pixels cannot be decoded, without a word of what the file holds."""
    if isinstance(error, NotImplementedError | RuntimeError | ImportError):
        syntax = getattr(dataset.file_meta, "TransferSyntaxUID", None)
        name = getattr(syntax, "name", "") or "unknown"
        return f"its pixel data are damaged, or its compression, {name}, has no decoder here"
    return "its pixel data are truncated or damaged, or do not fit its header"


class Dicom(Format):
    """DICOM, 8 and 16 bits; a file may hold several frames."""

    name = "DICOM"
    suffixes = (".dcm", ".dicom")
    comes_first = True  # a file may be DICOM and TIFF at once
    may_lack_signature = True
    may_lack_suffix = True
    holds_several = True
    names_patients = True

    def recognises(self, start: bytes) -> bool:
        """Look behind the preamble."""
        return start[MAGIC_AT : MAGIC_AT + len(MAGIC)] == MAGIC

    def read(self, path: Path, file: BinaryIO, number: int) -> Pixels:
        """Decode a frame; see :func:`read_dicom`."""
        return read_dicom(path, number)

    def bits(self, path: Path, start: bytes) -> Literal[8, 16]:
        """Return 16 where a sample has more than 8 bits."""
        return dicom_bits(path)

    def count(self, path: Path) -> int:
        """Count the frames; see :func:`frame_count`."""
        return frame_count(path)

    def group(self, path: Path, *, salt: str) -> str:
        """Return a code of the patient or series; see :func:`group_code`."""
        return group_code(path, salt=salt)


FORMATS.register("dicom")(Dicom())
