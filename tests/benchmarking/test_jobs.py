"""How many processes work side by side, and what is recorded of one that ends early."""

from __future__ import annotations

import pytest

from cass.benchmarking import jobs


@pytest.mark.parametrize(
    ("gpus", "cores", "memory", "processes"),
    [("0,1,2", 2, 16, 3), ("", 4, 64, 4), ("", 8, 24, 3), ("", 2, 4, 1)],
)
def test_as_many_processes_as_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, gpus: str, cores: int, memory: int, processes: int
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    monkeypatch.setattr(jobs.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    sizes = {"SC_PAGE_SIZE": 2**12, "SC_PHYS_PAGES": memory * 2**18}
    monkeypatch.setattr(jobs.os, "sysconf", sizes.__getitem__)
    assert jobs.room() == processes
