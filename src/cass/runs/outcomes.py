"""A fine-tuned and evaluated run, as ``cass report`` shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cass.config.evaluate import EvaluateConfig
from cass.config.finetune import FinetuneConfig
from cass.data.manifest.manifest import GENERATED, load_manifest
from cass.errors import CassError
from cass.listing import cell_text
from cass.reports.run_facts import RunFacts
from cass.runs.embedding_places import read_places
from cass.runs.folder import finetuned_summary, read_config, read_metrics, summary_if_there
from cass.runs.heat import read_heat
from cass.runs.held_out import read_held_out

EVALUATION = Path("evaluation") / "test"
MOST_SITES = 20
"""Values of a column above which results are not given for each."""


class _Answers(NamedTuple):
    """What a branch answered on N test images: names, probabilities (N, K), and labels and predictions (N, K)."""

    images: tuple[str, ...]
    probabilities: NDArray[np.float64]
    targets: NDArray[np.uint8]
    predicted: NDArray[np.uint8]


def read_facts(run: Path) -> RunFacts:
    """Read a fine-tuned and evaluated run.

    Args:
        run: The run folder.

    Returns:
        What is known of it. Of the pretraining run and the images, what is still there.

    Raises:
        OutputError: The run cannot be read.
    """
    summary = finetuned_summary(run)
    config = read_config(run, FinetuneConfig, written_by="cass finetune")
    folder = run / EVALUATION
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    answers = {name: _read_branch(folder, name, summary) for name in report}
    # What `cass predict` answers comes last: the mean of both branches, or the only one.
    *_, branch = answers
    main = answers[branch]
    root, groups, columns = _test_images(read_config(folder, EvaluateConfig, written_by="cass evaluate"))
    before = summary_if_there(config.run)
    return RunFacts(
        name=run.resolve().name,
        config=config,
        summary=summary,
        report=report,
        branch=branch,
        images=main.images,
        probabilities=main.probabilities,
        branch_probabilities={name: part.probabilities for name, part in answers.items() if name != branch},
        targets=main.targets,
        predicted=main.predicted,
        tuning=read_metrics(run),
        pretraining=before,
        pretraining_metrics=None if before is None else read_metrics(config.run),
        root=root,
        groups=groups,
        columns={name: cells for name, cells in columns.items() if _few_values(cells, main.images)},
        held_out=read_held_out(run, summary["classes"]),
        places=read_places(folder, main.images),
        heat=read_heat(folder),
    )


def _read_branch(folder: Path, branch: str, summary: dict[str, Any]) -> _Answers:
    """Read the predictions of a branch."""
    import pandas as pd

    classes = summary["classes"]
    path = folder / f"predictions-{branch.replace(' ', '-')}.csv"
    table = pd.read_csv(path, keep_default_na=False, dtype={"image": str, "label": str, "prediction": str})
    for column in ("image", "label", "prediction"):
        table[column] = table[column].map(cell_text)

    def flags(column: str) -> NDArray[np.uint8]:
        named = [set(cell.split("|")) if summary["task"] == "multilabel" else {cell} for cell in table[column]]
        return np.array([[name in cell for name in classes] for cell in named], dtype=np.uint8)

    probabilities = table[[f"probability_{name}" for name in classes]].to_numpy(dtype=np.float64)
    return _Answers(tuple(table["image"]), probabilities, flags("label"), flags("prediction"))


def _test_images(config: EvaluateConfig) -> tuple[Path | None, dict[str, str], dict[str, dict[str, str]]]:
    """Find the images of an evaluation, their groups, and the other columns; nothing where they are gone."""
    if config.labels == GENERATED:
        return None, {}, {}
    try:
        manifest = load_manifest(config.labels, config)
    except CassError:
        return None, {}, {}
    columns = {
        name: dict(zip(manifest.images, map(str, cells), strict=True)) for name, cells in manifest.metadata.items()
    }
    groups = {} if manifest.groups is None else dict(zip(manifest.images, map(str, manifest.groups), strict=True))
    return manifest.root, groups, columns


def _few_values(cells: dict[str, str], images: tuple[str, ...]) -> bool:
    """Whether a column has 2 to 20 values among the test images, five images each or more on average."""
    values = {cells.get(image, "") for image in images} - {""}
    return 2 <= len(values) <= min(MOST_SITES, len(images) // 5)
