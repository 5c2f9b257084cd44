"""Where the embeddings of an evaluation lie on a map, as a file of the evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cass.evaluation.embedding_map import FEWEST_PLACES, embedding_map
from cass.files import write_text
from cass.listing import cell_text
from cass.runs.predictions import csv_text
from cass.types import BRANCHES

PLACES_FILE = "map.csv"


def write_places(folder: Path, names: Sequence[str], embeddings: Mapping[str, NDArray[np.floating]]) -> None:
    """Place the embeddings of each branch on a map, and write a row for each image; with fewer than 8, nothing.

    Args:
        folder: Folder of the evaluation.
        names: Names of N images.
        embeddings: (N, D) of each branch.
    """
    import pandas as pd

    if len(names) < FEWEST_PLACES:
        return
    columns: dict[str, object] = {"image": list(names)}
    for branch, values in embeddings.items():
        places = embedding_map(values)
        columns |= {f"{branch}_{axis}": places[:, number] for number, axis in enumerate("xy")}
    write_text(folder / PLACES_FILE, csv_text(pd.DataFrame(columns)))


def read_places(folder: Path, images: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Read the places (N, 2) of N images by branch, NaN where one has none; empty where there is no map."""
    import pandas as pd

    if not (folder / PLACES_FILE).is_file():
        return {}
    table = pd.read_csv(folder / PLACES_FILE, dtype={"image": str}, keep_default_na=False)
    table = table.set_index(table["image"].map(cell_text)).reindex(list(images))
    return {
        branch: table[[f"{branch}_x", f"{branch}_y"]].to_numpy(np.float64)
        for branch in BRANCHES
        if f"{branch}_x" in table
    }
