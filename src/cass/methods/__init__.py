"""Pretraining methods, one file each. A file in this folder is found by itself, and imported when asked for."""

from __future__ import annotations

from cass.methods.base import METHODS, Method, MethodConfig

__all__ = ["METHODS", "Method", "MethodConfig"]
