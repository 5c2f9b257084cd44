"""The examples in docstrings run, and every method has one."""

from __future__ import annotations

import doctest
import sys

import pytest

from cass.methods import METHODS, Method

KINDS = sorted(set(METHODS.variants().values()), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_example_of_a_method_runs(kind: type[Method]) -> None:
    module = sys.modules[kind.__module__]
    (example,) = doctest.DocTestFinder(recurse=False).find(kind, kind.__name__, module, globs=dict(vars(module)))
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0
