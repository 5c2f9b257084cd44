"""The notebooks run from the first cell to the last."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pandas as pd
import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "docs" / "notebooks").glob("*.ipynb"))


def run_cells(notebook: Path) -> list[object]:
    """Run a notebook's code in one namespace; returns the value of each cell's last expression."""
    names: dict[str, object] = {}
    values: list[object] = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        body = ast.parse("".join(cell["source"])).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), notebook.name, "exec"), names)
        values.append(eval(compile(ast.Expression(last.value), notebook.name, "eval"), names) if last else None)
    return values


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    values = run_cells(notebook)
    frames = [value for value in values if isinstance(value, pd.DataFrame)]
    assert len(frames) >= 3
    assert all(len(frame) for frame in frames)
    assert any(hasattr(value, "savefig") for value in values)
    assert isinstance(values[-1], dict)
    assert sum(values[-1].values()) == pytest.approx(1, abs=1e-4)


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS
