"""Settings of ``cass benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from cass.config.base import Settings
from cass.config.verbs import GROUPS, Group, verb

GROUPS.register("benchmark")(
    Group("benchmark", "Compare methods as a YAML file specifies, or measure the speed of cass on this machine.")
)


@verb(
    "benchmark",
    resolver="cass.benchmarking.resolving:resolve_benchmark",
    order=100,
    runner="cass.benchmarking.run:run_benchmark",
    arguments={"spec": "SPEC.yaml"},
    summary="Compare methods over data sets, label fractions and seeds; finished parts are kept.",
    example="cass benchmark benchmarks/tiny.yaml --out runs/tiny",
    returns="What is finished; a failed part is in `outcome.missing` with its reason, and the next call tries it "
    "again.",
    continues=True,
)
class BenchmarkConfig(Settings):
    """Settings of ``cass benchmark``."""

    spec: Path = Field(description="YAML file that defines the benchmark.")
    out: Path | None = Field(
        None, description="Output folder; default: runs/NAME, with the name of the benchmark."
    )
    plan: bool = Field(False, description="Only list what would run, with an estimate of the time.")
    jobs: int | None = Field(
        None,
        ge=1,
        description="Parallel processes; default: one per GPU, or without a GPU one per core and 8 GiB of memory.",
    )
    slurm: bool = Field(
        False,
        description="Submit each pretraining run and its fine-tuning runs as a SLURM job; needs pip install "
        "submitit.",
    )
    slurm_args: dict[str, Any] = Field(
        default_factory=dict,
        description="SLURM resources of a job, as YAML: '{partition: gpu, gpus_per_node: 1, timeout_min: 600}'.",
    )
