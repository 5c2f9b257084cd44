"""What a fine-tuned run answered on the labelled images that it held out, as a file of the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cass.errors import OutputError
from cass.evaluation.operating import HeldOut
from cass.files import write_text
from cass.runs.predictions import PROBABILITY_DIGITS

HELD_OUT_FILE = "held_out.csv"


def write_held_out(folder: Path, held: HeldOut, classes: Sequence[str]) -> None:
    """Write a row for each held-out image: its group as a number, its labels and probabilities. No image is named.

    Args:
        folder: The run folder.
        held: N images.
        classes: K names.
    """
    import pandas as pd

    columns: dict[str, Any] = {"group": np.unique(held.codes, return_inverse=True)[1]}
    columns |= {f"label_{name}": held.labels[:, index] for index, name in enumerate(classes)}
    columns |= {
        f"probability_{name}": held.probabilities[:, index].round(PROBABILITY_DIGITS)
        for index, name in enumerate(classes)
    }
    write_text(folder / HELD_OUT_FILE, pd.DataFrame(columns).to_csv(index=False))


def read_held_out(run: Path, classes: Sequence[str]) -> HeldOut | None:
    """Read the held-out images of a run.

    Args:
        run: The run folder.
        classes: K names.

    Returns:
        The images; None for a run of an earlier version, which kept none.

    Raises:
        OutputError: The file is damaged.
    """
    import pandas as pd

    if not (run / HELD_OUT_FILE).is_file():
        return None
    try:
        table = pd.read_csv(run / HELD_OUT_FILE)
        return HeldOut(
            table[[f"probability_{name}" for name in classes]].to_numpy(np.float64),
            table[[f"label_{name}" for name in classes]].to_numpy(np.uint8),
            table["group"].to_numpy(np.int64),
        )
    except (OSError, ValueError, KeyError):  # of pandas, too
        raise OutputError(f"{run / HELD_OUT_FILE} is damaged", "Repeat cass finetune.") from None
