"""What the formats share that Pillow decodes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar

from cass.data.formats.base import Format
from cass.data.formats.unreadable import Pixels, UnreadableImage, check_size

if TYPE_CHECKING:
    from PIL import Image


class PillowFormat(Format):
    """A format of 8-bit images that Pillow decodes.

    Attributes:
        pillow_name: Pillow's name of the format, where it is another one.
    """

    pillow_name: ClassVar[str] = ""

    def read(self, path: Path, file: BinaryIO, number: int) -> Pixels | Image.Image:
        """Decode an image to a Pillow image of mode L or RGB; palettes become RGB, transparency is dropped."""
        from PIL import Image, ImageOps

        picture: Image.Image = Image.open(file, formats=(self.pillow_name or self.name,))
        check_size(path, picture.width, picture.height, packed=os.fstat(file.fileno()).st_size)
        picture.load()
        ImageOps.exif_transpose(picture, in_place=True)
        if picture.mode in ("I", "I;16", "I;16B", "F"):
            # Only depths that Pillow alone understands come here; converting them would cut precision.
            raise UnreadableImage(path, f"pixel format {picture.mode}", "Save it as 16-bit TIFF.")
        wanted = "L" if picture.mode in ("1", "L", "LA", "La") else "RGB"
        return picture if picture.mode == wanted else picture.convert(wanted)
