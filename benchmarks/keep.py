"""Keep the results of a benchmark in a file that is small enough for the repository, and take them up again.

Of each step that is done it keeps what tables and intervals are computed from: summaries, times, reports, and the
label and prediction of each test image, also those of draws.py. Networks are not kept. Unpacked cells count as
done, so that `cass benchmark` writes the tables again without training, and goes on with the cells that are not
there; a cell of which more is asked is pretrained again.
Usage: python benchmarks/keep.py pack benchmarks/small.yaml runs/small      (into benchmarks/results/small.tar.xz)
       python benchmarks/keep.py unpack benchmarks/small.yaml runs/small
"""

from __future__ import annotations

import argparse
import io
import tarfile
from pathlib import Path

import pandas as pd

from cass.benchmarking.resolving import SPEC_COPY, resolve_benchmark
from cass.benchmarking.steps import TIMING, Step, steps_of
from cass.config.benchmark import BenchmarkConfig
from cass.files import whole_file, write_text
from cass.runs.folder import SUMMARY

RESULTS = Path(__file__).parent / "results"
SHARED = (Path(__file__).resolve().parents[2] / "shared").resolve()
PLACE = "{shared}"
"""Stands for the folder of the shared images, which lies elsewhere on each machine."""


def kept_texts(step: Step, out: Path) -> dict[str, str]:
    """Return what is kept of a finished step: texts by path within the benchmark's folder."""
    paths = [step.folder / SUMMARY, step.folder / TIMING, step.result]
    texts = {path: path.read_text(encoding="utf-8") for path in paths if path.is_file()}
    if step.tuning is not None:
        for path in sorted(step.result.parent.glob("predictions-*.csv")):
            table = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=["image", "label", "prediction"])
            texts[path] = table.to_csv(index=False)
    return {str(path.relative_to(out)): text.replace(str(SHARED), PLACE) for path, text in texts.items()}


def pack(spec: Path, out: Path, target: Path) -> int:
    """Write the archive with the steps that are done; returns the number of cells in it."""
    cells = resolve_benchmark(BenchmarkConfig(spec=spec, out=out)).cells.values()
    done = [cell for cell in cells if steps_of(cell)[0].done]
    target.parent.mkdir(exist_ok=True)
    with whole_file(target) as partial, tarfile.open(partial, "w:xz", preset=9) as archive:
        for cell in sorted(done, key=lambda cell: cell.name):
            for step in filter(lambda step: step.done, steps_of(cell)):
                for name, text in kept_texts(step, out).items():
                    add(archive, name, text.encode())
            for path in sorted((out / "draws").glob(f"{cell.name}-*.npz")):
                add(archive, str(path.relative_to(out)), path.read_bytes())
    return len(done)


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file to an archive, without owner and time."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def unpack(source: Path, spec: Path, out: Path) -> int:
    """Write what the archive holds into a benchmark's folder, without replacing files; returns their number."""
    count = 0
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / SPEC_COPY, spec.read_text(encoding="utf-8"))
    with tarfile.open(source, "r:xz") as archive:
        for entry in archive:
            path = out / entry.name
            content = archive.extractfile(entry)
            if not path.resolve().is_relative_to(out.resolve()):
                raise SystemExit(f"{source}: {entry.name} lies outside the folder")
            if content is not None and not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.suffix == ".npz":
                    with whole_file(path) as partial:
                        partial.write_bytes(content.read())
                else:
                    write_text(path, content.read().decode().replace(PLACE, str(SHARED)))
                count += 1
    return count


def main() -> None:
    """Pack or unpack."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("action", choices=["pack", "unpack"])
    parser.add_argument("spec", type=Path, help="YAML file of the benchmark")
    parser.add_argument("out", type=Path, help="folder of cass benchmark SPEC --out")
    given = parser.parse_args()
    target = RESULTS / f"{given.spec.stem}.tar.xz"
    if given.action == "pack":
        print(f"{target}: {pack(given.spec, given.out, target)} cells, {target.stat().st_size / 1e6:.1f} MB")
    else:
        print(f"{given.out}: {unpack(target, given.spec, given.out)} files")


if __name__ == "__main__":
    main()
