"""Several processes train one model as one process does; where one of them ends, the others say so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from conftest import TINY, write_scans

SCRIPT = Path(__file__).with_name("ddp_losses.py")
SOURCES = Path(__file__).parents[2] / "src"
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SOURCES)}
pytestmark = pytest.mark.xdist_group("ddp")


def losses(folder: Path, *arguments: str, processes: int) -> list[float]:
    subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), str(processes), *arguments], env=ENV, check=True, timeout=300
    )
    seen: list[float] = json.loads((folder / f"{processes}.json").read_text())
    return seen


def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    alone, together = (losses(tmp_path, "cass", "cpu", processes=count) for count in (1, 2))
    assert len(alone) == len(together) == 21
    assert together == pytest.approx(alone, abs=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_synchronised_batch_norm_gives_the_losses_of_one_gpu(tmp_path: Path) -> None:
    alone, together = (losses(tmp_path, "cass", "gpu", processes=count) for count in (1, 2))
    assert together == pytest.approx(alone, abs=1e-3)


def command(scans: Path, out: Path, *arguments: str) -> list[str]:
    settings = {**TINY, "epochs": 30, "batch_size": 8, "compile": "off"}
    path = out.with_suffix(".yaml")
    path.write_text(json.dumps(settings))  # JSON is YAML
    code = "from cass.cli import main; main()"
    run = [sys.executable, "-c", code, "pretrain", str(scans), "--out", str(out), "--config", str(path)]
    return [*run, *arguments]


def test_a_killed_process_ends_the_job_and_fewer_can_go_on(tmp_path: Path) -> None:
    """torchrun's environment is set by hand, so that each process can be killed by its number."""
    scans, out = write_scans(tmp_path / "scans"), tmp_path / "run"
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29531", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    processes = [
        subprocess.Popen(
            command(scans, out),
            env={**ENV, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0"}
            | {"TORCHELASTIC_RUN_ID": "test", "LOCAL_WORLD_SIZE": "2"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        deadline = time.monotonic() + 120
        while not (out / "checkpoints" / "last.ckpt").is_file() and time.monotonic() < deadline:
            time.sleep(0.2)
        processes[1].send_signal(signal.SIGKILL)
        _, said = processes[0].communicate(timeout=60)
    finally:
        for process in processes:
            process.kill()
    assert processes[0].returncode == 2
    assert "Another process of this run ended unexpectedly" in said
    assert "Traceback" not in said
    rows_before = len((out / "metrics.csv").read_text().splitlines()) - 1
    assert 1 <= rows_before < 30
    again = subprocess.run(
        command(scans, out, "--resume", "--devices", "1"), env=ENV, capture_output=True, text=True, timeout=300
    )
    assert again.returncode == 0, again.stderr
    assert len((out / "metrics.csv").read_text().splitlines()) - 1 == 30
    assert json.loads((out / "summary.json").read_text())["images_seen"] > 0
