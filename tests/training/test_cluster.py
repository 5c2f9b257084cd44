"""The launch lines of docs/how-to/scale.md, with processes on this machine in the place of GPUs and machines."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from conftest import TINY, write_scans

NODES, LOCAL = 4, 2
MAIN = "from cass.cli import main; main()"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("ddp")]


def environment() -> dict[str, str]:
    """This process's variables, without those of a job that it may be part of."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    source = str(Path(__file__).parents[2] / "src")
    return mine | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": source}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def words(scans: Path, out: Path) -> list[str]:
    settings = out.with_suffix(".yaml")
    # Batch norm is synchronised on GPUs only, so that the CNN is one without. 22 images are 2 or 3 a process.
    chosen = {**TINY, "cnn": "test_convnext", "batch_size": 22, "precision": "32", "compile": "off"}
    settings.write_text(json.dumps(chosen))
    return ["pretrain", str(scans), "--out", str(out), "--config", str(settings)]


def finish(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Wait for processes that work together; returns what each said."""
    try:
        said = [process.communicate(timeout=500)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return said


def check(out: Path, alone: Path, said: list[str]) -> None:
    """One process has written the run; its losses are those of a run with one process."""
    assert sum("Wrote" in each or "epoch 2/2" in each for each in said) == 1
    losses = [pd.read_csv(run / "metrics.csv")["train/loss"].to_numpy() for run in (alone, out)]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4)
    assert json.loads((out / "summary.json").read_text())["splits_source"] == "made"
    assert not list(out.rglob(".*partial*"))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Images, and a run of one process on them."""
    folder = tmp_path_factory.mktemp("cluster")
    scans, out = write_scans(folder / "scans"), folder / "alone"
    subprocess.run([sys.executable, "-c", MAIN, *words(scans, out)], env=environment(), check=True, timeout=300)
    return scans, out


def test_four_machines_with_torchrun(alone: tuple[Path, Path], tmp_path: Path) -> None:
    scans, run = alone
    script = tmp_path / "cass"
    script.write_text(MAIN)
    launch = ["-m", "torch.distributed.run", "--nnodes", str(NODES), "--nproc-per-node", str(LOCAL)]
    launch += ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{free_port()}", "--rdzv-id", "cass"]
    line = [sys.executable, *launch, "--local-addr", "127.0.0.1", str(script), *words(scans, tmp_path / "run")]
    agents = [subprocess.Popen(line, env=environment(), stderr=subprocess.PIPE, text=True) for _ in range(NODES)]
    check(tmp_path / "run", run, finish(agents))


def test_four_machines_with_slurm(alone: tuple[Path, Path], tmp_path: Path) -> None:
    scans, run = alone
    port = str(free_port())
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "cass", "SLURM_NTASKS": str(NODES * LOCAL)}
    job |= {"SLURM_NTASKS_PER_NODE": str(LOCAL), "SLURM_NNODES": str(NODES), "SLURM_JOB_NUM_NODES": str(NODES)}
    job |= {"SLURM_NODELIST": "127.0.0.1", "SLURM_JOB_NODELIST": "127.0.0.1"}
    job |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    line = [sys.executable, "-c", MAIN, *words(scans, tmp_path / "run")]
    tasks = []
    for rank in range(NODES * LOCAL):
        own = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank % LOCAL), "SLURM_NODEID": str(rank // LOCAL)}
        tasks.append(subprocess.Popen(line, env=environment() | job | own, stderr=subprocess.PIPE, text=True))
    check(tmp_path / "run", run, finish(tasks))
