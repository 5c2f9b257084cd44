"""Coverage-guided fuzzing of what a user hands in; a crash, a hang, or anything but a cass error ends it.

    pip install atheris
    python tests/fuzz/fuzz.py manifest --seconds 600

An input that takes 10 seconds counts as a hang, and 2 GiB of memory as unbounded. Whatever breaks cass is kept as
crash-..., timeout-... or oom-... in the folder of --out, with the corpus; run it again with that file as --input.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

TABLE = b"image,label,group,split\na.png,x,p1,train\nb.png,,p1,train\nc.png,x|y,p2,test\n"
SETTINGS = b"epochs: 3\nlr: 0.001\nviews: general\nmethod_config: {width: 8}\nsplits: null\n"


def one_line(error: Exception) -> None:
    """Fail where a message has more than a line."""
    if "\n" in str(error):
        raise AssertionError(f"more than a line: {error}")


def manifest(path: Path) -> None:
    """Read a table of images and labels."""
    from cass.data.manifest.manifest import load_manifest

    load_manifest(str(path))


def config(path: Path) -> None:
    """Read the settings of a pretraining."""
    from cass.config.base import build_config
    from cass.config.pretrain import PretrainConfig

    build_config(PretrainConfig, {"data": "a", "out": "b"}, source=path)


def checkpoint(path: Path) -> None:
    """Load a branch."""
    from cass.models.checkpoints import load_branch

    load_branch(path)


def image(path: Path) -> None:
    """Decode an image."""
    from cass.data.formats.read import read_image
    from cass.data.formats.unreadable import UnreadableImage

    try:
        read_image(path)
    except UnreadableImage as error:
        one_line(error)


def _checkpoint_seed(folder: Path) -> bytes:
    from cass.models.backbones import BackboneSpec, build_branch
    from cass.models.checkpoints import save_branch

    save_branch(build_branch(BackboneSpec("test_vit", image_size=32), seed=0), folder / "seed.safetensors")
    return (folder / "seed.safetensors").read_bytes()


def targets() -> dict[str, tuple[Callable[[Path], None], str, Callable[[Path], list[bytes]]]]:
    """Return what can be fuzzed: the call, the suffix of its files, and the inputs that it starts from."""
    from damaged import FORMATS

    def pictures(suffix: str) -> Callable[[Path], list[bytes]]:
        return lambda folder: [FORMATS[suffix](np.random.default_rng(seed)) for seed in range(2)]

    known = {
        "manifest": (manifest, ".csv", lambda folder: [TABLE, TABLE.replace(b",", b";")]),
        "config": (config, ".yaml", lambda folder: [SETTINGS]),
        "checkpoint": (checkpoint, ".safetensors", lambda folder: [_checkpoint_seed(folder)]),
    }
    names = {
        "jpeg": ".jpg",
        "png": "-16.png",
        "bmp": ".bmp",
        "tiff": "-big.tiff",
        "tiff-lzw": "-lzw.tif",
        "dicom": ".dcm",
    }
    return known | {name: (image, suffix[suffix.index(".") :], pictures(suffix)) for name, suffix in names.items()}


def main() -> None:
    """Fuzz one target."""
    import atheris

    with atheris.instrument_imports(include=["cass"]):
        from cass.config import pretrain  # noqa: F401
        from cass.data.formats import read, tiff  # noqa: F401
        from cass.data.manifest import manifest  # noqa: F401
        from cass.errors import CassError
        from cass.models import checkpoints  # noqa: F401

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("target", choices=sorted(targets()))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--out", type=Path, default=ROOT / "runs/fuzz")
    parser.add_argument("--input", type=Path, help="one file to try instead")
    given = parser.parse_args()
    call, suffix, seeds = targets()[given.target]
    out = (given.out / given.target).resolve()
    corpus = out / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    place = out / f"input-{os.getpid()}{suffix}"

    def try_one(content: bytes) -> None:
        place.write_bytes(content)
        try:
            call(place)
        except CassError as error:
            one_line(error)

    begun = seeds(out)
    longest = max(65536, 2 * max(map(len, begun)))
    for number, content in enumerate(begun):
        (corpus / f"seed-{number}").write_bytes(content)
        try_one(content)  # what is loaded on first use is loaded, so that only the input counts
    if given.input is not None:
        try_one(given.input.read_bytes())
        return
    limits = [f"-max_total_time={given.seconds}", "-timeout=10", "-rss_limit_mb=2048", f"-max_len={longest}"]
    atheris.Setup([sys.argv[0], str(corpus), *limits, f"-artifact_prefix={out}/"], try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
