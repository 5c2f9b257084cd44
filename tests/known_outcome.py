"""Results of a benchmark whose numbers are known."""

from __future__ import annotations

from typing import Any

import pandas as pd

from cass.benchmarking.outcome import Outcome
from cass.evaluation.resampling import Score


def known_outcome(
    rows: list[dict[str, Any]],
    pretrainings: list[dict[str, Any]],
    *,
    methods: tuple[str, ...],
    sources: dict[str, str],
    scores: dict[tuple[str, str], Score],
    **changes: Any,
) -> Outcome:
    """A finished benchmark on test images that claims something of cass."""
    usual = {"missing": [], "main": (16, 4), "generated": (), "confirmation": ()}
    return Outcome(
        name="known",
        split="test",
        claim="cass",
        runs=pd.DataFrame(rows),
        pretrainings=pd.DataFrame(pretrainings),
        methods=methods,
        sources=sources,
        scores=scores,
        **usual | changes,
    )
