"""The tables of ``cass benchmark``, as Markdown and LaTeX, from the same cells."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cass.benchmarking.outcome import Outcome, describe, over_seeds, settings_of, share
from cass.reports.tables import Cells, percent

if TYPE_CHECKING:
    import pandas as pd

SPLIT_WORDS = {"test": "test", "val": "validation"}


def result_tables(outcome: Outcome) -> list[Cells]:
    """Lay out the results: for each data set and setting, methods against branches and label fractions."""
    tables = []
    for setting, rows in settings_of(outcome):
        for data, part in rows.groupby("data", sort=False):
            columns = list(dict.fromkeys(zip(part["branch"], part["label_fraction"], strict=True)))
            columns.sort(key=lambda column: (list(dict.fromkeys(part["branch"])).index(column[0]), column[1]))
            lines = []
            for method, own in part.groupby("method", sort=False):
                cells, counts = [], []
                for branch, fraction in columns:
                    chosen = own[(own["branch"] == branch) & (own["label_fraction"] == fraction)]
                    cells.append(percent(over_seeds(outcome, chosen)))
                    counts.append(len(chosen))
                seeds = sorted({count for count in counts if count})
                lines.append([str(method), *cells, "-".join(map(str, dict.fromkeys([seeds[0], seeds[-1]])))])
            head = ["method", *(f"{branch} {share(fraction)}" for branch, fraction in columns), "seeds"]
            drawn = " (generated images, drawn by cass, not patients)" if data in outcome.generated else ""
            tables.append(Cells(f"{data}{drawn}: {describe(setting)}", head, lines))
    return tables


def time_beside(rows: pd.DataFrame, own: pd.DataFrame) -> str:
    """Write the time of pretrainings as a multiple of others'.

    Args:
        rows: Pretrainings of a method, a row for each branch.
        own: Those of the method to compare with, on the same data.

    Returns:
        The ratio of the means; it names the branch where the method trains one of several, whose time is not that
        of both.
    """
    seconds, others = (part.drop_duplicates("cell")["seconds"].mean() for part in (rows, own))
    if math.isnan(others) or not others:
        return "-"
    alone = set(rows["branch"])
    only = f" ({min(alone)} only)" if alone < set(own["branch"]) else ""
    return f"{seconds / others:.2f}{only}"


def pretraining_table(outcome: Outcome) -> Cells | None:
    """Lay out what the pretrainings were like: time, its ratio to the claimed method's, and the collapse watch."""
    table = outcome.pretrainings
    if table.empty:
        return None
    place = ["data", "network", "batch_size", "epochs"]
    head = ["data", "network", "batch", "epochs", "method", "seconds", "beside " + outcome.claim]
    branches = list(dict.fromkeys(table["branch"]))
    head += [f"{branch}: {what}" for branch in branches for what in ("collapsed", "spread", "effective rank")]
    lines = []
    for key, part in table.groupby(place, sort=False):
        own = part[part["method"] == outcome.claim]
        for method in [name for name in outcome.methods if name in set(part["method"])]:
            rows = part[part["method"] == method]
            seconds = rows.drop_duplicates("cell")["seconds"].mean()
            line = [*map(str, key), method, f"{seconds:.1f}", time_beside(rows, own)]
            for branch in branches:
                line += _watch(rows[rows["branch"] == branch])
            lines.append(line)
    return Cells("Pretraining: means over seeds; both branches' time together", head, lines)


def _watch(rows: pd.DataFrame) -> list[str]:
    if rows.empty:
        return ["-", "-", "-"]
    spans = [
        f"{rows[f'{key}_start'].mean():.{digits}f} -> {rows[f'{key}_end'].mean():.{digits}f}"
        for key, digits in (("spread", 2), ("effective_rank", 1))
    ]
    return [f"{int(rows['collapsed'].sum())} of {len(rows)}", *spans]


def _missing_lines(outcome: Outcome) -> list[str]:
    """List what is missing and why, one line per reason for all its seeds."""
    found: dict[tuple[str, str], list[str]] = {}
    for entry in outcome.missing:
        place = entry.place
        setting = describe((place.network, place.protocol, place.batch_size, place.epochs))
        where = f"{place.data}, {place.method}, {share(place.label_fraction)} of the labels, {setting}"
        found.setdefault((where, entry.reason), []).append(str(place.seed))
    return [
        f"- {where}, seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}: {reason}"
        for (where, reason), seeds in found.items()
    ]


def tables_markdown(outcome: Outcome) -> str:
    """Draw all tables in Markdown."""
    parts = [
        f"# {outcome.name}",
        f"Balanced accuracy on the {SPLIT_WORDS[outcome.split]} images in %: mean over seeds [95% interval]. "
        "The intervals resample seeds and test images together (patients, where they are known; a percentile "
        "bootstrap), so they tell of other repetitions and of other patients.",
    ]
    for cells in result_tables(outcome):
        parts += [f"## {cells.title}", cells.markdown()]
    pretraining = pretraining_table(outcome)
    if pretraining is not None:
        parts += [f"## {pretraining.title}", pretraining.markdown()]
    if outcome.missing:
        parts += [f"## Missing: {len(outcome.missing)} results", "\n".join(_missing_lines(outcome))]
    return "\n\n".join(parts) + "\n"


def tables_latex(outcome: Outcome) -> str:
    """Draw the tables of results for LaTeX with booktabs."""
    lines = ["% \\usepackage{booktabs}"]
    for cells in result_tables(outcome):
        lines += ["", *_latex(cells)]
    return "\n".join(lines) + "\n"


def _latex(cells: Cells) -> list[str]:
    rule = "l" + "c" * (len(cells.head) - 1)
    return [
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{_escape(cells.title)}. Balanced accuracy in \\%: mean over seeds [95\\% interval].}}",
        f"\\begin{{tabular}}{{{rule}}}",
        "\\toprule",
        " & ".join(map(_escape, cells.head)) + " \\\\",
        "\\midrule",
        *(" & ".join(map(_escape, row)) + " \\\\" for row in cells.rows),
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]


def _escape(text: str) -> str:
    for sign in "&%$#_{}":
        text = text.replace(sign, f"\\{sign}")
    return text
