"""The tables of benchmarks whose numbers are known."""

from __future__ import annotations

from dataclasses import replace

from cass.benchmarking.claims import claims_markdown, compare_methods
from cass.benchmarking.tables import pretraining_table, result_tables, tables_latex, tables_markdown
from known_outcome import SEEDS, two_sets


def test_a_missing_result_is_named_and_its_seed_left_out() -> None:
    holes = two_sets(drop=("none", 3))
    assert "none, 10% of the labels" in tables_markdown(holes)
    assert "seed 3: GPU on fire" in tables_markdown(holes)
    overall = [claim for claim in compare_methods(holes) if (claim.level, claim.rival) == ("overall", "none")]
    assert overall[0].difference.seeds == SEEDS - 1
    (table, _) = result_tables(holes)
    assert [line[-1] for line in table.rows] == ["5", "5", "4"]


def test_tables_hold_the_means_and_intervals_of_the_seeds() -> None:
    found = two_sets()
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
    cells = pretraining_table(two_sets())
    assert cells is not None
    dino = next(row for row in cells.rows if "dino" in row)
    assert dino[5:7] == ["30.0", "3.00 (transformer only)"]
    assert dino[7:] == ["-", "-", "-", "1 of 5", "0.50 -> 0.40", "30.0 -> 20.0"]


def test_nothing_yet() -> None:
    empty = replace(two_sets(seeds=0), runs=two_sets().runs.iloc[:0])
    assert "nothing to compare" in claims_markdown(empty)
    assert tables_markdown(empty).startswith("# known")
