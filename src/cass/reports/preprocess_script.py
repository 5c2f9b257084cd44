"""The script beside an exported network that reads images as cass does, without cass."""

from __future__ import annotations

SCRIPT = '''"""Read an image as this network was trained to see it. Needs numpy and pillow; nothing of cass.

read_image("scan.png") returns float32 (C, S, S) in [0, 1]: the whole picture squashed to a square, bilinear with
antialiasing; 8-bit values over 255, 16-bit values over 65535; grey repeated for networks of three channels.
DICOM and multi-page files: take cass.load(run, branch).transform, or decode them to such a PNG first.
"""

import sys

import numpy as np
from PIL import Image

SIZE, CHANNELS = {size}, {channels}


def read_image(path):
    with Image.open(path) as image:
        deep = image.mode.startswith("I;16") or image.mode == "I"
        if deep:
            values = np.asarray(image, dtype=np.float32)
            small = Image.fromarray(values)
            if small.size != (SIZE, SIZE):
                small = small.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            planes = (np.clip(np.rint(np.asarray(small)), 0, 65535) / np.float32(65535))[None]
        else:
            image = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
            if image.size != (SIZE, SIZE):
                image = image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
            pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
            planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    if len(planes) == 1:
        planes = np.repeat(planes, CHANNELS, axis=0)
    elif CHANNELS == 1:
        raise ValueError(f"{{path}} is a colour image, and this network takes grey ones")
    return np.ascontiguousarray(planes, dtype=np.float32)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(name, read_image(name).shape)
'''


def preprocess_script(*, image_size: int, in_chans: int) -> str:
    """Write the script for one network.

    Args:
        image_size: Side S of its images, in pixels.
        in_chans: Their channels C.

    Returns:
        Python source.
    """
    return SCRIPT.format(size=image_size, channels=in_chans)
