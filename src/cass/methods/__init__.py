"""Pretraining methods, one file each. Every file in this folder is found and registered by itself."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from cass.methods.base import METHODS, Method, MethodConfig

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["METHODS", "Method", "MethodConfig"]
