"""Disk, memory, images or another process fail a command: it says so in one line, and loses nothing."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cass
from cass.errors import OutputError
from cass.runs.folder import claimed
from conftest import TINY, write_scans
from faults.harness import CONTEXT, Job, content, finish, kill, start, uninterrupted
from faults.test_kills import COMPUTE, SMALL

pytestmark = pytest.mark.xdist_group("faults")


@pytest.fixture(scope="module")
def scans_of_faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans with a pretraining run and a fine-tuned one beside them."""
    folder = tmp_path_factory.mktemp("surroundings")
    labels = write_scans(folder / "scans")
    run = cass.pretrain(labels, out=folder / "pretrained", **TINY).out
    cass.finetune(run, labels=labels, out=folder / "tuned", head="linear", device="cpu")
    cass.evaluate(folder / "tuned", labels=labels, device="cpu")
    return folder


def run(
    words: tuple[str, ...], folder: Path, env: dict[str, str], limit: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "cass", *words]
    return subprocess.run(
        command, cwd=folder, env=env, preexec_fn=limit, capture_output=True, text=True, timeout=300, check=False
    )


def failing(
    words: tuple[str, ...], folder: Path, limit: Callable[[], None] | None = None, **env: str | None
) -> str:
    """Run a command that must fail in one line; returns what it printed last."""
    surroundings = {**os.environ, "COLUMNS": "300"} | {
        key: value for key, value in env.items() if value is not None
    }
    for key in (key for key, value in env.items() if value is None):
        surroundings.pop(key, None)
    done = run(words, folder, surroundings, limit)
    printed = done.stdout + done.stderr
    assert "Traceback" not in printed, printed[-3000:]
    assert done.returncode not in (0, -signal.SIGSEGV), printed
    return printed.strip().splitlines()[-1]


@contextlib.contextmanager
def disk(folder: Path, options: str) -> Iterator[Path]:
    """Mount a file system in memory; skips where that is not allowed."""
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("a file system can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=False)


COMMANDS = {
    "pretrain": ("pretrain", "{labels}", "--out", "disk/run", "--cache", "off", *SMALL),
    "finetune": ("finetune", "{run}", "--labels", "{labels}", "--out", "disk/run", "--epochs", "1", *COMPUTE),
    "evaluate": ("evaluate", "{tuned}", "--labels", "{labels}", "--out", "disk/run", *COMPUTE),
    "embed": ("embed", "{run}", "{labels}", "--out", "disk/table.parquet", *COMPUTE),
    "predict": ("predict", "{tuned}", "{labels}", "--out", "disk/table.csv", *COMPUTE),
    "explain": ("explain", "{tuned}", "{labels}", "--out", "disk/run", *COMPUTE),
    "report": ("report", "{evaluated}", "--out", "disk/report.html"),
    "export": ("export", "{tuned}", "--out", "disk/run", "--format", "timm"),
    "split": ("split", "{labels}", "--out", "disk/safe.csv"),
    "audit": ("audit", "{labels}", "--html", "disk/audit.html"),
}


def each_command(*fast: str) -> pytest.MarkDecorator:
    """Call a test with each command; those that are not named are slow."""
    names = [name if name in fast else pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS]
    return pytest.mark.parametrize("name", names)


def words_of(name: str, place: Path) -> tuple[str, ...]:
    """Return a command on the images and runs of a folder."""
    paths = {"labels": "scans/labels.csv", "run": "pretrained", "tuned": "tuned", "evaluated": "tuned"}
    words = (str(place / paths[key]) if (key := word.strip("{}")) in paths else word for word in COMMANDS[name])
    return tuple(words)


@pytest.mark.parametrize(
    "kilobytes", [64, pytest.param(4, marks=pytest.mark.slow), pytest.param(512, marks=pytest.mark.slow)]
)
@each_command("pretrain", "embed", "report")
def test_a_full_disk_is_one_line(name: str, kilobytes: int, scans_of_faults: Path, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", f"size={kilobytes}k") as full:
        # The file of the whole is larger than the disk, or the disk is full before.
        (full / "filler").write_bytes(b"0" * (kilobytes * 1024 - 4096))
        with contextlib.suppress(OSError):
            (full / "filler2").write_bytes(b"0" * 4096)
        line = failing(words_of(name, scans_of_faults), tmp_path)
        assert "space" in line or "disk" in line, line
        left = [path.name for path in full.rglob("*") if path.is_file() and not path.name.startswith("filler")]
        assert not [
            name for name in left if name.endswith((".html", ".csv", ".parquet")) and ".partial" not in name
        ]


@each_command("pretrain")
def test_writing_to_a_read_only_disk_is_one_line(name: str, scans_of_faults: Path, tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "ro"):
        line = failing(words_of(name, scans_of_faults), tmp_path)
        assert "disk does not allow it" in line or "disk is read-only" in line, line


@each_command("embed")
def test_images_and_runs_may_be_read_only(name: str, scans_of_faults: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with disk(tmp_path / "shared", "size=200m") as shared:
        shutil.copytree(scans_of_faults, shared, dirs_exist_ok=True)
        subprocess.run(["mount", "-o", "remount,ro", str(shared)], check=True)
        done = run(words_of(name, shared), tmp_path, dict(os.environ))
        assert done.returncode == 0, done.stdout + done.stderr
        assert list((tmp_path / "disk").iterdir())


@pytest.mark.parametrize(
    "megabytes", [900, pytest.param(600, marks=pytest.mark.slow), pytest.param(1300, marks=pytest.mark.slow)]
)
def test_too_little_memory_is_one_line(megabytes: int, scans_of_faults: Path, tmp_path: Path) -> None:
    labels = scans_of_faults / "scans/labels.csv"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20,) * 2)

    words = ("pretrain", str(labels), "--out", "run", *SMALL)
    line = failing(words, tmp_path, limit)
    assert "memory" in line.lower(), line


def test_two_runs_into_one_folder_are_refused(scans_of_faults: Path, tmp_path: Path) -> None:
    labels = str(scans_of_faults / "scans/labels.csv")
    cache = scans_of_faults / "cache"
    first = start(("pretrain", labels, "--out", "run", *SMALL, "--epochs", "400"), tmp_path, cache)
    try:
        while not (tmp_path / "run/metrics.csv").is_file():
            assert first.is_alive()
            time.sleep(0.05)
        line = failing(("pretrain", "--out", "run", "--resume"), tmp_path, CASS_CACHE_DIR=str(cache))
        assert "Another process is writing run" in line
    finally:
        kill(first)
    with claimed(tmp_path / "run"):  # a killed process gives it up
        pass


def test_a_claimed_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    with claimed(tmp_path / "run"):
        process = CONTEXT.Process(target=_claim, args=(tmp_path / "run",))
        process.start()
        process.join()
        assert process.exitcode == 3
    process = CONTEXT.Process(target=_claim, args=(tmp_path / "run",))
    process.start()
    process.join()
    assert process.exitcode == 0


def _claim(folder: Path) -> None:
    try:
        with claimed(folder):
            pass
    except OutputError:
        sys.exit(3)


def test_images_that_vanish_are_named(scans_of_faults: Path, tmp_path: Path) -> None:
    labels = write_scans(tmp_path / "scans")
    for path in sorted((tmp_path / "scans/images").iterdir())[:10]:
        path.unlink()
    words = ("embed", str(scans_of_faults / "pretrained"), str(labels), "--out", "table.parquet", *COMPUTE)
    line = failing(words, tmp_path)
    assert "10 of 60 images" in line or "does not exist" in line or "cannot be read" in line, line
    assert not (tmp_path / "table.parquet").exists()


@pytest.mark.parametrize(
    "command", ["pretrain", *(pytest.param(name, marks=pytest.mark.slow) for name in ("finetune", "compare"))]
)
def test_data_that_changes_while_a_run_is_stopped_is_named(
    command: str, scans_of_faults: Path, tmp_path: Path
) -> None:
    labels = write_scans(tmp_path / "scans")
    words: tuple[str, ...] = ("pretrain", str(labels), "--out", "run", *SMALL, "--epochs", "400")
    begun = "run/checkpoints/*.ckpt"
    if command == "compare":
        words = (
            "compare",
            str(labels),
            "--out",
            "run",
            *SMALL,
            "--label-fractions",
            "0.5,1",
            "--finetune",
            "{epochs: 1}",
        )
        begun = "run/finetune/0.5-with-pretraining/summary.json"
    if command == "finetune":
        settings = ("--out", "run", "--label-fraction", "1", "--epochs", "400", "--patience", "400", *COMPUTE)
        words = ("finetune", str(scans_of_faults / "pretrained"), "--labels", str(labels), *settings)
        begun = ".run.unfinished/*/*.ckpt"
    process = start(words, tmp_path, scans_of_faults / "cache")
    while not list(tmp_path.glob(begun)):
        assert process.is_alive(), (tmp_path / "printed.txt").read_text()[-1000:]
        time.sleep(0.05)
    kill(process)
    image = tmp_path / "scans/images/000.png"
    pixels = image.read_bytes()
    shutil.copy(tmp_path / "scans/images/001.png", image)
    assert "1 of 60 images changed since the run" in failing((*words, "--resume"), tmp_path)
    image.write_bytes(pixels)
    if command != "pretrain":
        labels.write_text(labels.read_text().replace("images/000.png,stripes", "images/000.png,disc"))
        assert "Labels changed since the work in" in failing((*words, "--resume"), tmp_path)


def test_two_commands_build_one_cache(scans_of_faults: Path, tmp_path: Path) -> None:
    labels = str(scans_of_faults / "scans/labels.csv")
    job = Job(("pretrain", labels, "--out", "run", *SMALL), (), "run", "", own_cache=True)
    expected, _ = uninterrupted(job, tmp_path / "whole", tmp_path)
    shared = tmp_path / "shared"
    places = [tmp_path / "one", tmp_path / "two"]
    processes = [start(job.first, place, shared) for place in places]
    for process, place in zip(processes, places, strict=True):
        finish(process, place)
        found = content(Job(job.first, (), "run", ""), place, shared)
        assert {key: value for key, value in expected.items() if key.startswith("run/")} == {
            key: value for key, value in found.items() if key.startswith("run/")
        }
    assert len([path for path in (shared / "images").iterdir() if path.is_dir()]) == 1


@pytest.mark.parametrize("name", ["HOME", "CASS_CACHE_DIR"])
def test_without_a_home_it_works(name: str, scans_of_faults: Path, tmp_path: Path) -> None:
    surroundings = {
        key: value for key, value in os.environ.items() if key not in ("HOME", "CASS_CACHE_DIR", "XDG_CACHE_HOME")
    }
    surroundings |= {"XDG_CACHE_HOME": str(tmp_path / "xdg")} if name == "HOME" else {"HOME": str(tmp_path)}
    words = ("pretrain", str(scans_of_faults / "scans/labels.csv"), "--out", "run", *SMALL)
    done = run(words, tmp_path, surroundings)
    assert done.returncode == 0, done.stderr


def test_a_stopped_job_keeps_its_last_epoch(scans_of_faults: Path, tmp_path: Path) -> None:
    """SLURM sends SIGTERM before the time limit."""
    labels = str(scans_of_faults / "scans/labels.csv")
    process = start(
        ("pretrain", labels, "--out", "run", *SMALL, "--epochs", "400"), tmp_path, scans_of_faults / "cache"
    )
    while not (tmp_path / "run/checkpoints/last.ckpt").is_file():
        assert process.is_alive()
        time.sleep(0.05)
    os.kill(process.pid or 0, signal.SIGTERM)
    process.join(60)
    assert process.exitcode not in (None, 0)
    printed = (tmp_path / "printed.txt").read_text()
    assert "Traceback" not in printed
    assert (tmp_path / "run/checkpoints/last.ckpt").is_file()


def test_a_killed_process_that_loads_images_is_one_line(scans_of_faults: Path, tmp_path: Path) -> None:
    """The operating system kills one where memory runs out."""
    labels = str(scans_of_faults / "scans/labels.csv")
    words = ("pretrain", labels, "--out", "run", *SMALL, "--epochs", "400", "--num-workers", "2")
    process = start(words, tmp_path, scans_of_faults / "cache")
    while not (tmp_path / "run/checkpoints/last.ckpt").is_file():
        assert process.is_alive(), (tmp_path / "printed.txt").read_text()
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    process.join(120)
    printed = (tmp_path / "printed.txt").read_text()
    assert process.exitcode == 2, printed
    assert "Traceback" not in printed
    assert "A process that loads images ended unexpectedly" in printed.splitlines()[-1]
    assert "--resume" in printed.splitlines()[-1]
