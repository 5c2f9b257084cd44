"""cass: a folder of mostly unlabelled medical images becomes a label-efficient classifier.

A CNN and a Transformer learn together from one another (CASS, Cross-Architectural Self-Supervision,
Singh & Cirrone, MLHC 2023), and each is then fine-tuned on few labels. Nothing leaves the machine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cass.errors import CassError
from cass.version import __version__

if TYPE_CHECKING:
    from cass.benchmarking.run import benchmark
    from cass.benchmarking.speed.run import benchmark_speed
    from cass.methods import list_methods
    from cass.workflows.audit import audit
    from cass.workflows.compare import compare
    from cass.workflows.embed import embed
    from cass.workflows.evaluate import evaluate
    from cass.workflows.finetune import finetune
    from cass.workflows.predict import predict
    from cass.workflows.prepare import prepare
    from cass.workflows.pretrain import pretrain
    from cass.workflows.split import split

__all__ = [
    "CassError",
    "__version__",
    "audit",
    "benchmark",
    "benchmark_speed",
    "compare",
    "embed",
    "evaluate",
    "finetune",
    "list_methods",
    "predict",
    "prepare",
    "pretrain",
    "split",
]


_HOMES = {
    "benchmark": "cass.benchmarking.run",
    "benchmark_speed": "cass.benchmarking.speed.run",
    "list_methods": "cass.methods",
}


def __getattr__(name: str) -> Any:
    """Import a verb when it is first used, so that importing cass stays fast and needs no torch."""
    if name not in __all__:
        raise AttributeError(f"module 'cass' has no attribute {name!r}")
    home = _HOMES.get(name, f"cass.workflows.{name}")
    value = getattr(import_module(home), name)
    globals()[name] = value  # the verb, not the module of the same name, is what stays
    return value
