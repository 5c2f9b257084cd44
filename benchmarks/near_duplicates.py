"""Measure the near-duplicate finder of `cass audit`: planted copies found, and pairs reported in the set itself.

Copies of random images are scaled (by 0.5 to 0.9 or 1.1 to 1.6), recompressed (JPEG quality 30 to 75), brightened
(gain 0.75 to 1.25, offset up to 20 grey levels) or cropped (2 to 10% of width and height lost). A copy is found if
it is in the same reported family as its original. `--sheet` writes pairs reported in the set itself, side by
side, to judge them by eye. `--like 1000000` divides the images into as many cells as a set of that size.
Usage: python benchmarks/near_duplicates.py LABELS.csv ... [--copies 100] [--seed 0] [--sheet DIR] [--like IMAGES]
"""

from __future__ import annotations

import argparse
import io
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from cass.auditing import neighbours
from cass.auditing.duplicates import families, near_pairs
from cass.auditing.facts import facts_of_set, small_picture
from cass.data.manifest.manifest import Manifest, load_manifest

KINDS = ("scaled", "recompressed", "brightened", "cropped")
SHOWN = 200
CELL = neighbours.CELL
SIDE = 96


def changed(picture: Image.Image, kind: str, rng: np.random.Generator) -> Image.Image:
    """Return a copy that differs from a grey picture in one way."""
    width, height = picture.size
    if kind == "scaled":
        factor = rng.uniform(0.5, 0.9) if rng.random() < 0.5 else rng.uniform(1.1, 1.6)
        return picture.resize((round(width * factor), round(height * factor)), Image.Resampling.BICUBIC)
    if kind == "recompressed":
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=int(rng.integers(30, 76)))
        return Image.open(buffer).convert("L")
    if kind == "brightened":
        values = np.asarray(picture, dtype=np.float64) * rng.uniform(0.75, 1.25) + rng.uniform(-20, 20)
        return Image.fromarray(values.clip(0, 255).astype(np.uint8))
    lost = rng.uniform(0.02, 0.10)
    wide, high = round(width * (1 - lost)), round(height * (1 - lost))
    left, top = round((width - wide) * rng.random()), round((height - high) * rng.random())
    return picture.crop((left, top, left + wide, top + high))


def planted(manifest: Manifest, folder: Path, count: int, rng: np.random.Generator) -> tuple[Manifest, np.ndarray]:
    """Write copies of random images; return the set with them, and the row of each copy's original."""
    originals = rng.choice(len(manifest), size=count * len(KINDS))
    names = []
    for number, row in enumerate(originals):
        picture = Image.open(manifest.path(int(row))).convert("L")
        path = folder / f"{number}.png"
        changed(picture, KINDS[number % len(KINDS)], rng).save(path)
        names.append(str(path))
    both = replace(
        manifest.subset(np.concatenate([np.arange(len(manifest)), originals])),
        images=[*map(str, manifest.images), *names],
    )
    return both, originals


def sheet(manifest: Manifest, pairs: np.ndarray, path: Path) -> None:
    """Draw pairs side by side, eight in a line."""
    lines = max(1, -(-len(pairs) // 8))
    canvas = Image.new("L", (8 * (2 * SIDE + 8), lines * (SIDE + 8)), 255)
    for number, pair in enumerate(pairs):
        line, place = divmod(number, 8)
        for half, row in enumerate(pair):
            picture = small_picture(manifest.path(int(row))).resize((SIDE, SIDE))
            canvas.paste(picture, (place * (2 * SIDE + 8) + half * SIDE, line * (SIDE + 8)))
    canvas.save(path)


def main() -> None:
    """Plant, search, and print a line for each set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--copies", type=int, default=100, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path, default=None)
    parser.add_argument("--like", type=int, default=None, help="search as in a set of this many images")
    given = parser.parse_args()
    print("| set | images | " + " | ".join(KINDS) + " | all planted copies | pairs reported in the set |")
    print("| --- " * (len(KINDS) + 4) + "|")
    for path in given.sets:
        rng = np.random.default_rng(given.seed)
        manifest = load_manifest(str(path))
        with tempfile.TemporaryDirectory() as folder:
            both, originals = planted(manifest, Path(folder), given.copies, rng)
            if given.like is not None:
                neighbours.EXACT, neighbours.CELL = 0, max(1, round(CELL * len(both) / given.like))
            pairs = near_pairs(both, facts_of_set(both))
            codes = families(pairs, count=len(both))
        found = codes[len(manifest) :] == codes[originals]
        own = pairs[(pairs < len(manifest)).all(axis=1)]
        shares = [f"{100 * found[kind :: len(KINDS)].mean():.1f}%" for kind in range(len(KINDS))]
        name = path.parent.name
        print(
            f"| {name} | {len(manifest):,} | {' | '.join(shares)} | {100 * found.mean():.1f}% | {len(own):,} |",
            flush=True,
        )
        if given.sheet is not None:
            given.sheet.mkdir(parents=True, exist_ok=True)
            chosen = own if len(own) <= SHOWN else own[np.sort(rng.choice(len(own), SHOWN, replace=False))]
            sheet(manifest, chosen, given.sheet / f"{name}.png")


if __name__ == "__main__":
    main()
