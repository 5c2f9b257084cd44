"""Compare the claimed method of a benchmark with every other one: differences, verdicts, and time.

A row for each method, a column for each label fraction: the claimed method minus the other in balanced accuracy,
mean over data sources and over the branches that both train. Intervals resample seeds and test groups; verdicts
are after Holm's correction over the whole table, as in claims.md. Time is that of pretraining, beside the claimed
method's.
Usage: python benchmarks/rivals.py benchmarks/wide.yaml runs/wide     (writes rivals.md and pictures there)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from forest import Line, draw_forest

from cass.benchmarking.claims import Claim, compare_methods
from cass.benchmarking.outcome import Outcome, describe
from cass.benchmarking.resolving import resolve_benchmark
from cass.benchmarking.results import collect
from cass.benchmarking.tables import time_beside
from cass.config.benchmark import BenchmarkConfig
from cass.files import write_text
from cass.reports.tables import Cells, percent


def rival_tables(outcome: Outcome) -> list[Cells]:
    """Lay out one table for each setting of networks, fine-tuning, batch size and epochs."""
    by_setting: dict[str, dict[str, dict[str, Claim]]] = {}
    for claim in compare_methods(outcome):
        if claim.level == "fraction":
            rivals = by_setting.setdefault(describe(claim.setting), {})
            rivals.setdefault(claim.rival, {})[claim.where] = claim
    own = outcome.pretrainings[outcome.pretrainings["method"] == outcome.claim]
    tables = []
    for setting, rivals in by_setting.items():
        shares = list(dict.fromkeys(where for found in rivals.values() for where in found))
        rows = []
        for rival, found in rivals.items():
            cells = [
                f"{percent(found[where].difference.interval, sign='+')} {found[where].verdict}"
                if where in found
                else "-"
                for where in shares
            ]
            seeds = str(max(claim.difference.seeds for claim in found.values()))
            trained = outcome.pretrainings[outcome.pretrainings["method"] == rival]
            time = time_beside(trained, own) if trained["seconds"].any() else "-"
            rows.append([rival, *cells, time, seeds])
        head = ["method", *(f"{where}, points" for where in shares), "time", "seeds"]
        tables.append(Cells(f"{outcome.claim} minus other methods; {setting}", head, rows))
    return tables


def draw_rivals(outcome: Outcome, folder: Path) -> None:
    """Draw the differences of each setting of networks, fine-tuning, batch size and epochs into a folder."""
    settings: dict[str, dict[str, list[Line]]] = {}
    for claim in compare_methods(outcome):
        if claim.level == "fraction":
            line = Line(claim.rival, claim.difference.interval, shown=claim.verdict in ("better", "not worse"))
            lines = settings.setdefault(describe(claim.setting), {}).setdefault(f"labels: {claim.where}", [])
            lines.append(line)
    for number, (setting, panels) in enumerate(settings.items(), start=1):
        draw_forest(
            folder / f"rivals-{number}.png", panels, title=f"{outcome.claim} minus other methods; {setting}"
        )


def main() -> None:
    """Write and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec", type=Path)
    parser.add_argument("run", type=Path, help="folder of the benchmark")
    given = parser.parse_args()
    outcome = collect(resolve_benchmark(BenchmarkConfig(spec=given.spec, out=given.run)))
    text = "\n\n".join(f"## {cells.title}\n\n{cells.markdown()}" for cells in rival_tables(outcome)) + "\n"
    write_text(given.run / "rivals.md", text)
    draw_rivals(outcome, given.run)
    print(text)


if __name__ == "__main__":
    main()
