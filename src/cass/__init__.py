"""cass: label-efficient classifiers from a folder of mostly unlabelled medical images.

A CNN and a vision Transformer are pretrained together, without labels (CASS, Cross-Architectural Self-Supervision,
Singh & Cirrone, MLHC 2023). Each is then fine-tuned on few labels. Nothing leaves the machine.
"""

# The functions are made from the table of verbs when first used: importing cass loads no PyTorch.
# Editors and type checkers read __init__.pyi, which `make reference` writes.

from __future__ import annotations

from typing import Any

from cass.errors import CassError as CassError
from cass.version import __version__ as __version__

_FIXED = ["CassError", "__version__"]


def __getattr__(name: str) -> Any:
    if name.startswith("__") and name != "__all__":
        raise AttributeError(f"module 'cass' has no attribute {name!r}")
    from cass.api import OTHER_FUNCTIONS, function, function_names

    if name == "__all__":
        return sorted([*_FIXED, *OTHER_FUNCTIONS, *function_names()])
    value: Any
    if name in OTHER_FUNCTIONS:
        value = OTHER_FUNCTIONS[name]
    elif name in function_names():
        value = function(name)
    else:
        raise AttributeError(f"module 'cass' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    names: list[str] = __getattr__("__all__")
    return names
