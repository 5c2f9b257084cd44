"""Type every command of README and documentation in a workspace made of one image set.

python docs/walk.py ../shared/data/breast-ultrasound --out runs/walk

Each page gets a workspace of its own that holds the files its commands name. Commands run as printed, with small
networks, few pixels and few epochs added, so that a page takes minutes. What each one printed goes to PAGE.txt in
the output folder, to be read; a line for each says its exit code. Exit code 1: a step failed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import walk_files

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    "README.md",
    "docs/index.md",
    *(
        f"docs/{folder}/{page.name}"
        for folder in ("tutorials", "how-to")
        for page in sorted((ROOT / "docs" / folder).glob("*.md"))
    ),
)
SMALL = (
    "--cnn efficientnet_lite0 --transformer vit_small_patch14_dinov2 --image-size 56 "
    "--cnn-weights WEIGHTS/efficientnet_lite0.safetensors "
    "--transformer-weights WEIGHTS/vit_small_patch14_dinov2.safetensors"
)
SHORTER = {  # added to a command unless it gives the option itself
    "pretrain": f"{SMALL} --epochs 1",
    "compare": f"{SMALL} --epochs 1 --finetune '{{epochs: 1}}'",
    "finetune": "--epochs 1",
}
PYTHON = """import functools, sys, cass
for verb, settings in SHORTER.items():
    setattr(cass, verb, functools.partial(getattr(cass, verb), **settings))
"""
SETS = ("brain-tumour-mri", "white-blood-cells", "skin-lesions", "breast-ultrasound", "malaria-cells")
ELSEWHERE = {  # not typed: other software, other machines, or hours
    "make": "has its own test",
    "pip": "installs software",
    ".": "the environment is active",
    ".venv/bin/cass": "is what make demo runs",
    "torchrun": "needs four machines",
    "python": "a measurement of hours; its page has the result",
    "srun": "needs SLURM",
    "docker": "needs Docker",
    "#!/bin/bash": "needs SLURM",
}


class Step(NamedTuple):
    """A line: its page, words, exit code, seconds, what it printed, and why it was not typed, if it was not."""

    page: str
    line: str
    code: int | None
    seconds: float
    printed: str
    why: str


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the language and text of the shell and Python blocks of a page."""
    yield from re.findall(r"```(bash|python)\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def lines(block: str) -> list[str]:
    """Split a shell block into commands, joining continued lines."""
    whole = block.replace("\\\n", " ")
    return [line.strip() for line in whole.splitlines() if line.strip() and not line.lstrip().startswith("# ")]


def not_typed(line: str, name: str) -> str:
    """Say why a line is not typed for a set of some name, or return an empty string."""
    if any(other in line for other in SETS if other != name):
        return "is about another set"
    for start, why in ELSEWHERE.items():
        if line == start or line.startswith(f"{start} "):
            return why
    if "--slurm" in line or "#SBATCH" in line or "/shared/" in line:
        return "needs SLURM"
    if "small.yaml" in line or "paper.yaml" in line:
        return "hours"
    return "needs the internet" if line.startswith("cass weights") else ""


def shorter(line: str, page: str, weights: Path) -> str:
    """Add the options that make a command short; a page on weights files keeps its networks."""
    words = shlex.split(line, comments=True)
    verb = words[1] if words[0] == "cass" and len(words) > 1 else ""
    added = shlex.split(SHORTER.get(verb, "").replace("WEIGHTS", str(weights)))
    if "offline" in page:
        added = ["--epochs", "1"] if verb == "pretrain" else []
    pairs = zip(added[::2], added[1::2], strict=True)
    given = {word.split("=")[0] for word in words}
    if "generated" in words:  # the tutorial gives its own networks
        pairs = (pair for pair in pairs if pair[0] == "--epochs")
    extra = [word for name, value in pairs if name not in given for word in (name, value)]
    return shlex.join([*words, *extra]) if verb else line


def shorter_python(block: str, workspace: Path, weights: Path) -> str:
    """Put settings that make the verbs short before a Python block, and remove what it writes anew."""
    settings = {}
    for verb in ("pretrain", "finetune"):
        words = shlex.split(SHORTER[verb].replace("WEIGHTS", str(weights)))
        pairs = zip(words[::2], words[1::2], strict=True)
        settings[verb] = {
            name[2:].replace("-", "_"): int(value) if value.isdigit() else value for name, value in pairs
        }
    for target in re.findall(r'out="([^"]+)"', block):
        shutil.rmtree(workspace / target, ignore_errors=True)
    if "pandas." in block:
        block = f"import pandas, pyarrow.dataset\n{block}"
    if "timm.create_model" in block:  # the page names the default network; the run has another
        classes = json.loads((workspace / "runs/tuned/summary.json").read_text(encoding="utf-8"))["classes"]
        block = block.replace("resnet50", SMALL.split()[1]).replace("num_classes=2", f"num_classes={len(classes)}")
    return PYTHON.replace("SHORTER", repr(settings)) + block


def fresh(line: str, workspace: Path) -> None:
    """Remove what an earlier alternative on the page wrote under the same name."""
    words = shlex.split(line, comments=True)
    if (
        "--out" in words
        and not {"--resume", "--plan", "--dry-run"} & set(words)
        and words[1] not in ("prepare", "benchmark")
    ):
        target = workspace / words[words.index("--out") + 1]
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)


def expected(line: str, code: int, printed: str) -> bool:
    """Tell whether an exit code is what the documentation says.

    An audit ends with 1 if something is serious; a sensitivity needs enough held-out labels.
    """
    few = "--sensitivity" in line and "held-out patients or images" in printed
    return code == 0 or (code == 1 and line.startswith("cass audit")) or (code == 2 and few)


def run(page: str, workspace: Path, weights: Path, log: Path, env: dict[str, str], *, name: str) -> Iterator[Step]:
    """Type the commands of one page about a set of some name, and yield a step for each."""
    for language, block in blocks(ROOT / page):
        typed = [block] if language == "python" else lines(block)
        for line in typed:
            why = not_typed(line, name) if language == "bash" else ""
            if language == "bash" and line.startswith("export "):
                name, value = line.removeprefix("export ").split("=", 1)
                env[name] = value.replace("/data/", f"{workspace}/")
                continue
            if why:
                yield Step(page, line, None, 0.0, "", why)
                continue
            if language == "bash":
                fresh(line, workspace)
            command = (
                [sys.executable, "-c", shorter_python(line, workspace, weights)]
                if language == "python"
                else ["bash", "-c", shorter(line, page, weights)]
            )
            began = time.monotonic()
            done = subprocess.run(
                command, cwd=workspace, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            with log.open("a", encoding="utf-8") as file:
                file.write(f"$ {line.strip()}\n{done.stdout}[exit code {done.returncode}]\n\n")
            yield Step(
                page, line.strip().splitlines()[0], done.returncode, time.monotonic() - began, done.stdout, ""
            )


def main() -> int:
    """Walk the pages and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of an image set with its labels.csv")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=ROOT.parent / "shared" / "weights")
    parser.add_argument(
        "--images", type=int, default=600, help="about this many training images, whole groups (default 600)"
    )
    parser.add_argument("--pages", nargs="*", default=list(PAGES))
    given = parser.parse_args()
    out, weights = given.out.resolve(), given.weights.resolve()
    out.mkdir(parents=True)
    (out / "bin").mkdir()
    (out / "bin" / "cass").write_text(f'#!/bin/sh\nexec {sys.executable} -m cass "$@"\n', encoding="utf-8")
    (out / "bin" / "cass").chmod(0o755)
    env = os.environ | {
        "PATH": f"{out / 'bin'}:{os.environ['PATH']}",
        "CASS_CACHE_DIR": str(out / "cache"),
        "COLUMNS": "100",
    }
    env.pop("CASS_WEIGHTS_DIR", None)
    base = walk_files.base(
        out / "base",
        given.data.resolve(),
        most=given.images,
        env=env,
        options=shorter("cass pretrain", "", weights),
    )
    failed, name = 0, given.data.resolve().name
    for page in given.pages:
        short = page.replace("/", "-").removesuffix(".md")
        wrong_here = 0
        workspace = walk_files.workspace(out / short, base, page, name=name)
        for step in run(page, workspace, weights, out / f"{short}.txt", dict(env), name=name):
            wrong = step.code is not None and not expected(step.line, step.code, step.printed)
            failed += wrong
            state = f"not typed: {step.why}" if step.code is None else f"exit {step.code}, {step.seconds:.0f} s"
            wrong_here += wrong
            print(f"{'FAILED ' if wrong else ''}{step.page}: {step.line[:110]}  [{state}]", flush=True)
        if not wrong_here:
            shutil.rmtree(workspace)  # a workspace takes a gigabyte
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
