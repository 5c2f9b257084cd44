"""What the file of a benchmark means, resolved before any image is read."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from cass.benchmarking.cells import Benchmark, expand
from cass.benchmarking.spec import read_spec
from cass.config.benchmark import BenchmarkConfig
from cass.errors import ConfigError, OutputError, did_you_mean

SPEC_COPY = "benchmark.yaml"


def resolve_benchmark(config: BenchmarkConfig) -> Benchmark:
    """Check every word of the file and the folder of the results; then read the data sets.

    Args:
        config: Settings of ``cass benchmark``.

    Returns:
        The cells.

    Raises:
        CassError: Something in the file or the settings cannot be used.
    """
    _check_path(config.spec)
    if config.slurm and find_spec("submitit") is None:
        raise ConfigError("--slurm needs the package submitit", "Install it: pip install submitit.")
    spec = read_spec(config.spec)
    out = config.out or Path("runs") / spec.name
    if out.exists() and not (out / SPEC_COPY).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(
            f"{out} is not the folder of a benchmark (no {SPEC_COPY})", "Choose a new one with --out."
        )
    return expand(spec, folder=config.spec.resolve().parent, out=out)


def _check_path(path: Path) -> None:
    if path.suffix in (".yaml", ".yml"):
        return
    hint = did_you_mean(str(path), ["speed"])
    raise ConfigError(f"cass benchmark {path}: not a .yaml file", hint or "Give the file of a benchmark.")
