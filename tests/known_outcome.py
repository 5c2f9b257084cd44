"""Results of a benchmark whose numbers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from cass.benchmarking.cells import Place
from cass.benchmarking.outcome import MissingResult, Outcome
from cass.evaluation.resampling import Score

SEEDS = 5


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


def two_sets(
    *,
    gain: float = 0.1,
    seeds: int = SEEDS,
    drop: tuple[str, int] | None = None,
    batch_sizes: tuple[int, ...] = (16,),
) -> Outcome:
    """A method 'cass' that is better than 'dino' by ``gain`` and equal to 'none', on two sets."""
    rng = np.random.default_rng(0)
    rows, trained, scores = [], [], {}
    for seed in range(seeds):
        for data in ("brain", "blood_cells"):
            for method, effect in (("cass", gain), ("dino", 0.0), ("none", gain)):
                for batch_size in batch_sizes:
                    seconds = {"cass": 10.0, "dino": 30.0, "none": 0.0}[method]
                    for branch in ("cnn", "transformer", "mean"):
                        if (method, seed) == drop or (method == "dino" and branch != "transformer"):
                            continue  # dino trains the Transformer alone
                        place = {"data": data, "network": "small", "method": method, "batch_size": batch_size}
                        place |= {"epochs": 2, "seed": seed, "branch": branch}
                        for fraction in (0.1, 1.0):
                            value = 0.6 + effect + 0.1 * fraction + rng.normal(0, 0.005)
                            cell = f"{data}-{method}-{seed}-{batch_size}/{fraction}"
                            scores[cell, branch] = Score(
                                value, value + 0.002 * np.random.default_rng(1).normal(size=2000)
                            )
                            rows.append(
                                place
                                | {"protocol": "full", "label_fraction": fraction, "metric": "balanced_accuracy"}
                                | {"value": value, "pretraining_seconds": seconds, "cell": cell}
                            )
                        if seconds and branch != "mean":
                            trained.append(
                                place
                                | {"seconds": seconds, "collapsed": seed == 0, "spread_start": 0.5}
                                | {"spread_end": 0.4, "effective_rank_start": 30.0, "effective_rank_end": 20.0}
                                | {"cell": f"{data}-{method}-{seed}-{batch_size}"}
                            )
    missing = []
    if drop:
        missing = [MissingResult(Place("brain", "small", drop[0], 16, 2, drop[1], "full", 0.1), "GPU on fire")]
    return known_outcome(
        rows,
        trained,
        methods=("cass", "dino", "none"),
        sources={"brain": "a", "blood_cells": "b"},
        scores=scores,
        missing=missing,
        main=(batch_sizes[0], 2),
        generated=("brain",),
        confirmation=("blood_cells",),
    )
