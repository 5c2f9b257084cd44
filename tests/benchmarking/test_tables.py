"""The tables, claims and plots of benchmarks whose numbers are known."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cass.benchmarking.cells import Place
from cass.benchmarking.claims import claims_markdown, compare_methods
from cass.benchmarking.outcome import MissingResult, Outcome
from cass.benchmarking.plan import PlanLine, duration, plan_table
from cass.benchmarking.plots import plot_benchmark
from cass.benchmarking.tables import pretraining_table, result_tables, tables_latex, tables_markdown
from cass.evaluation.resampling import Score
from known_outcome import known_outcome

SEEDS = 5


def outcome(
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


def test_a_real_difference_is_claimed_and_an_absent_one_is_not() -> None:
    claims = {
        (claim.rival, claim.where): claim for claim in compare_methods(outcome()) if claim.level == "overall"
    }
    assert claims[("dino", "all")].verdict == "better"
    assert claims[("dino", "all")].difference.interval.value == pytest.approx(0.1, abs=0.01)
    assert claims[("dino", "all")].difference.seeds == SEEDS
    assert claims[("none", "all")].verdict == "not worse"
    worse = [claim for claim in compare_methods(outcome(gain=-0.1)) if claim.rival == "dino"]
    assert {claim.verdict for claim in worse} == {"worse"}


def test_a_method_with_one_branch_is_compared_on_that_branch_alone() -> None:
    places = [
        claim.where for claim in compare_methods(outcome()) if (claim.level, claim.rival) == ("cell", "dino")
    ]
    assert sorted(places) == sorted(
        f"{data}, transformer, {labels}" for data in ("brain", "blood_cells") for labels in ("10%", "100%")
    )
    found = outcome()
    dino = found.runs[(found.runs["method"] == "dino")].groupby("seed")["value"].mean()
    cass = found.runs[(found.runs["method"] == "cass") & (found.runs["branch"] == "transformer")]
    overall = [claim for claim in compare_methods(found) if (claim.level, claim.rival) == ("overall", "dino")]
    difference = (cass.groupby("seed")["value"].mean() - dino).mean()
    assert overall[0].difference.interval.value == pytest.approx(difference)


def test_families_are_the_levels_of_a_setting() -> None:
    from cass.evaluation.comparisons import holm

    claims = compare_methods(outcome(batch_sizes=(16, 32)))
    for batch_size in (16, 32):
        family = [claim for claim in claims if claim.level == "cell" and claim.setting[2] == batch_size]
        assert len(family) == 4 + 12  # dino has one branch, none has three
        assert [c.corrected for c in family] == pytest.approx(holm([c.difference.p for c in family]))


def test_one_seed_makes_no_claim() -> None:
    alone = outcome(seeds=1)
    assert {claim.verdict for claim in compare_methods(alone)} == {"no claim"}
    assert "one seed: no claim" in claims_markdown(alone)


def test_claims_are_sentences_with_numbers() -> None:
    text = claims_markdown(outcome())
    assert re.search(r"On average over everything, cass is better than dino \(\+(9|10)\.\d points, 95%", text)
    assert "cass is not worse than none by 1 point or more" in text
    assert "On the confirmation sets at 10% of the labels, cass is better than dino" in text
    assert re.search(r"corrected p 0\.0\d\d, 5 seeds", text)
    assert "(family of 16)" in text


def test_a_missing_result_is_named_and_its_seed_left_out() -> None:
    holes = outcome(drop=("none", 3))
    assert "none, 10% of the labels" in tables_markdown(holes)
    assert "seed 3: GPU on fire" in tables_markdown(holes)
    overall = [claim for claim in compare_methods(holes) if (claim.level, claim.rival) == ("overall", "none")]
    assert overall[0].difference.seeds == SEEDS - 1
    (table, _) = result_tables(holes)
    assert [line[-1] for line in table.rows] == ["5", "5", "4"]


def test_tables_hold_the_means_and_intervals_of_the_seeds() -> None:
    found = outcome()
    (brain, _) = result_tables(found)
    assert brain.head[:3] == ["method", "cnn 10%", "cnn 100%"]
    assert "drawn by cass" in brain.title
    rows = found.runs.query("data == 'brain' and method == 'cass' and branch == 'cnn' and label_fraction == 1.0")
    assert brain.rows[0][2].startswith(f"{100 * rows['value'].mean():.1f} [")
    assert brain.rows[1][1] == "-"
    latex = tables_latex(found)
    assert "blood\\_cells" in latex
    assert latex.count("\\toprule") == 2
    assert "10\\%" in latex


def test_pretraining_is_reported_with_its_time_beside_the_claim() -> None:
    cells = pretraining_table(outcome())
    assert cells is not None
    dino = next(row for row in cells.rows if "dino" in row)
    assert dino[5:7] == ["30.0", "3.00 (transformer only)"]
    assert dino[7:] == ["-", "-", "-", "1 of 5", "0.50 -> 0.40", "30.0 -> 20.0"]


def test_nothing_yet() -> None:
    empty = replace(outcome(seeds=0), runs=outcome().runs.iloc[:0])
    assert "nothing to compare" in claims_markdown(empty)
    assert tables_markdown(empty).startswith("# known")


def test_pictures(tmp_path: Path) -> None:
    plot_benchmark(outcome(batch_sizes=(16, 32)), tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "label-efficiency-brain-small-full.png",
        "label-efficiency-blood_cells-small-full.png",
        "batch-size-small-full.png",
        "time-small-full.png",
    }
    for path in tmp_path.iterdir():
        with Image.open(path) as image:
            assert len(set(image.convert("L").resize((64, 64)).tobytes())) > 2


def test_the_plan() -> None:
    lines = [PlanLine("brain", "small", "cass", 2, 6, 6, 0.0), PlanLine("brain", "small", "dino", 2, 6, 1, 4000.0)]
    cells = plan_table(lines, seconds_left=4000.0)
    assert cells.title == "7 of 12 steps done; about 67 min left"
    assert cells.rows[0][-2:] == ["6", "-"]
    assert "unknown" in plan_table(lines, seconds_left=None).title
    assert [duration(seconds) for seconds in (45, 720, 12600)] == ["45 s", "12 min", "3.5 h"]
