"""A seeded generator of damaged files: every format, every way of being broken."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

SIDE = 40


def _pillow(kind: str, *, deep: bool = False) -> Callable[[np.random.Generator], bytes]:
    def make(rng: np.random.Generator) -> bytes:
        if deep:
            import imagecodecs

            return imagecodecs.png_encode(rng.integers(0, 65536, (SIDE, SIDE), dtype=np.uint16))
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(buffer, format=kind)
        return buffer.getvalue()

    return make


def _tiff(**settings: object) -> Callable[[np.random.Generator], bytes]:
    def make(rng: np.random.Generator) -> bytes:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, rng.integers(0, 65536, (SIDE, SIDE), dtype=np.uint16), **settings)
        return buffer.getvalue()

    return make


def _dicom(rng: np.random.Generator) -> bytes:
    from dicom_files import write

    buffer = io.BytesIO()
    write(buffer, rng.integers(0, 4096, (SIDE, SIDE), dtype=np.uint16))
    return buffer.getvalue()


FORMATS: dict[str, Callable[[np.random.Generator], bytes]] = {
    ".jpg": _pillow("JPEG"),
    ".jpeg": _pillow("JPEG"),
    ".png": _pillow("PNG"),
    "-16.png": _pillow("PNG", deep=True),
    ".bmp": _pillow("BMP"),
    ".tif": _tiff(),
    "-lzw.tif": _tiff(compression="lzw"),
    "-big.tiff": _tiff(bigtiff=True, compression="zlib", tile=(16, 16)),
    ".dcm": _dicom,
    ".dicom": _dicom,
}


def truncated(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(len(content) * rng.uniform(0.05, 0.85))]


def barely_begun(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(1, 30))]


def zeros(content: bytes, rng: np.random.Generator) -> bytes:
    return bytes(len(content))


def empty(content: bytes, rng: np.random.Generator) -> bytes:
    return b""


def noise(content: bytes, rng: np.random.Generator) -> bytes:
    return rng.bytes(len(content))


def corrupt_header(content: bytes, rng: np.random.Generator) -> bytes:
    """Keep what tells the format, and garble what follows."""
    kept = 132 if content[128:132] == b"DICM" else 4
    return content[:kept] + rng.bytes(120) + content[kept + 120 :]


def other_content(content: bytes, rng: np.random.Generator) -> bytes:
    """Something else under an image's name."""
    things = [
        b"<html><body>Not found</body></html>\n" * 3,
        b"%PDF-1.7\n" + rng.bytes(300),
        b"PK\x03\x04" + bytes(200),
    ]
    return things[int(rng.integers(len(things)))]


WAYS = (truncated, barely_begun, zeros, empty, noise, corrupt_header, other_content)


def _png(width: int, height: int, *, bits: int, packed: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _of_zeros(count: int) -> bytes:
    squeezer = zlib.compressobj(9)
    return squeezer.compress(bytes(count)) + squeezer.flush()


def huge(rng: np.random.Generator) -> dict[str, bytes]:
    """Headers that claim sizes which the file does not hold, and files that unpack to what nobody can use."""
    jpeg, bmp = bytearray(FORMATS[".jpg"](rng)), bytearray(FORMATS[".bmp"](rng))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 65000, 65000)
    bmp[18:26] = struct.pack("<ii", 60000, 60000)
    side = 7000
    bomb = io.BytesIO()
    tifffile.imwrite(bomb, np.zeros((side, side), dtype=np.uint8), compression="zlib", rowsperstrip=side)
    claims = io.BytesIO()
    tifffile.imwrite(claims, np.zeros((8, 8), dtype=np.uint8))
    wide = bytearray(claims.getvalue())
    for tag in (256, 257):  # width and length of the first page
        entry = wide.index(struct.pack("<H", tag), 8)
        wide[entry + 8 : entry + 12] = struct.pack("<I", 2**31 - 1)[:4]
    return {
        "claims.jpg": bytes(jpeg),
        "claims.bmp": bytes(bmp),
        "claims.png": _png(2**31 - 1, 2**31 - 1, bits=8, packed=b"x"),
        "claims-16.png": _png(60000, 60000, bits=16, packed=b"x"),
        "claims.tif": bytes(wide),
        "claims.dcm": _big_dicom(),
        "bomb.png": _png(side, side, bits=8, packed=_of_zeros(side * (side + 1))),
        "bomb-16.png": _png(side, side, bits=16, packed=_of_zeros(side * (2 * side + 1))),
        "bomb.tif": bomb.getvalue(),
        "bomb.dcm": _deflated_dicom(),
    }


def _big_dicom() -> bytes:
    from dicom_files import write

    buffer = io.BytesIO()
    write(buffer, np.zeros((8, 8), dtype=np.uint16), Rows=65000, Columns=65000)
    return buffer.getvalue()


def _deflated_dicom() -> bytes:
    """A deflated file of 1.2 GB of zeros behind a true header, in one megabyte."""
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    plain = _dicom(np.random.default_rng(0))
    start = 132 + 12 + struct.unpack("<I", plain[140:144])[0]
    old = plain[132:start]
    syntax = b"1.2.840.10008.1.2.1\x00"
    new = DeflatedExplicitVRLittleEndian.encode()
    at = old.index(syntax)
    meta = old[: at - 2] + struct.pack("<H", len(new)) + new + old[at + len(syntax) :]
    meta = meta[:8] + struct.pack("<I", len(meta) - 12) + meta[12:]
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [squeezer.compress(plain[start:])]
    parts += [squeezer.compress(bytes(2**24)) for _ in range(72)]
    return bytes(128) + b"DICM" + meta + b"".join(parts) + squeezer.flush()


def write_damaged(folder: Path, *, count: int = 200, seed: int = 0) -> list[str]:
    """Write damaged image files; the same seed writes the same.

    Returns:
        Their names.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    files = huge(rng)
    formats, number = list(FORMATS), 0
    while len(files) < count:
        suffix, way = formats[number % len(formats)], WAYS[number // len(formats) % len(WAYS)]
        files[f"{number:03d}-{way.__name__}{suffix}"] = way(FORMATS[suffix](rng), rng)
        number += 1
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return sorted(files)


def write_damaged_containers(folder: Path, *, seed: int = 0) -> dict[str, list[str]]:
    """Write damaged NIfTI volumes and slides.

    Returns:
        ``nifti`` and ``slides``: their names.
    """
    import nibabel

    rng = np.random.default_rng(seed)
    volume = nibabel.Nifti1Image(rng.normal(size=(12, 12, 12)).astype(np.float32), np.eye(4)).to_bytes()
    slide = io.BytesIO()
    tifffile.imwrite(slide, rng.integers(0, 256, (128, 128, 3), dtype=np.uint8), tile=(32, 32), compression="zlib")
    claims = bytearray(volume)
    claims[40:56] = struct.pack("<8h", 3, 30000, 30000, 30000, 1, 1, 1, 1)
    written: dict[str, list[str]] = {"nifti": [], "slides": []}
    files = {
        "nifti": {".nii": volume, ".nii.gz": gzip.compress(volume)},
        "slides": {".svs": slide.getvalue(), ".tif": slide.getvalue()},
    }
    for kind, of_kind in files.items():
        (folder / kind).mkdir(parents=True)
        damaged = {
            f"{way.__name__}{suffix}": way(content, rng) for suffix, content in of_kind.items() for way in WAYS
        }
        if kind == "nifti":
            damaged |= {"claims.nii": bytes(claims), "claims.nii.gz": gzip.compress(bytes(claims))}
        for name, content in damaged.items():
            (folder / kind / name).write_bytes(content)
            written[kind].append(name)
    return written
