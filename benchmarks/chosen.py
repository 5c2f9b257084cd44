"""Show which trial of each method was best on the validation images of tune.yaml, as lines for wide.yaml.

The score of a trial is its mean balanced accuracy over data sets, label fractions and the branches that the method
trains. Reads runs.csv of `cass benchmark benchmarks/tune.yaml`.
Usage: python benchmarks/chosen.py runs/tune
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from cass.benchmarking.spec import read_spec


def main() -> None:
    """Print the best trial of each method with all trials' scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of cass benchmark benchmarks/tune.yaml")
    run = parser.parse_args().run
    spec = read_spec(Path(__file__).with_name("tune.yaml"))
    table = pd.read_csv(run / "runs.csv")
    table = table[(table["metric"] == "balanced_accuracy") & (table["branch"] != "mean")]
    scores = 100 * table.groupby("method")["value"].mean()
    baseline = 100 * table[table["method"] == "none"].groupby("branch")["value"].mean()
    print("none: " + ", ".join(f"{branch} {value:.1f}" for branch, value in baseline.items()))
    trials = {name: name.partition("-")[0] for name in spec.methods if name in scores and name != "none"}
    for method in dict.fromkeys(trials.values()):
        own = scores[[name for name in trials if trials[name] == method]].sort_values(ascending=False)
        settings = spec.methods[own.index[0]].settings()
        print(f"{method}: " + ", ".join(f"{name.partition('-')[2]} {value:.1f}" for name, value in own.items()))
        print(f"  {{lr: {settings['lr']:g}, batch_norm: {settings.get('batch_norm', 'frozen')}}}")


if __name__ == "__main__":
    main()
