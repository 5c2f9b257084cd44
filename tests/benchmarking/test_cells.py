from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from cass.benchmarking.cells import Benchmark, expand
from cass.benchmarking.spec import read_spec
from cass.errors import CassError
from conftest import write_scans

SPEC: dict[str, Any] = {
    "name": "small",
    "claim": "cass",
    "data": {"scans": {"source": "scans/labels.csv"}},
    "networks": {
        "tiny": {
            "cnn": "test_resnet",
            "transformer": "test_vit",
            "cnn_weights": "none",
            "transformer_weights": "none",
            "image_size": 32,
        }
    },
    "methods": {
        "cass": {"method_config": {"width": 32}},
        "wide": {"method": "cass", "epochs_scale": 0.5},
        "none": {"pretraining": False},
    },
    "pretraining": {"lr": 0.001},
    "label_fractions": [0.5, 1.0],
    "seeds": [0, 1],
    "batch_sizes": [8, 16],
    "epochs": [4],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    write_scans(folder / "scans")
    return folder


def cells(place: Path, **change: Any) -> Benchmark:
    path = place / "spec.yaml"
    path.write_text(yaml.safe_dump(SPEC | change))
    return expand(read_spec(path), folder=place, out=place / "out")


def test_every_combination_is_there_and_what_is_alike_is_one_cell(place: Path) -> None:
    whole = cells(place)
    assert len(whole.points) == 2 * 3 * 2 * 2  # seeds, methods, batch sizes, fractions
    # Two trained methods by two batch sizes, and one start that no batch size changes; by two seeds.
    assert len(whole.cells) == 2 * (2 * 2 + 1)
    assert all(len(cell.tunings) == 2 for cell in whole.cells.values())
    assert {cell.config.epochs for cell in whole.cells.values() if cell.method == "wide"} == {2}
    starts = [cell for cell in whole.cells.values() if not cell.pretraining]
    assert all(tuning.settings["without_pretraining"] for cell in starts for tuning in cell.tunings.values())
    assert all(cell.config.seed == tuning.settings["seed"] for cell in starts for tuning in cell.tunings.values())


def test_epochs_are_scaled_by_set_and_method(place: Path) -> None:
    whole = cells(place, data={"scans": {"source": "scans/labels.csv", "epochs_scale": 2.0}})
    assert {(cell.method, cell.config.epochs) for cell in whole.cells.values() if cell.pretraining} == {
        ("cass", 8),
        ("wide", 4),
    }
    assert {point.place.epochs for point in whole.points} == {4}  # sets of different sizes stay comparable


def test_grids_take_parts_and_share_cells(place: Path) -> None:
    grids = {
        "main": {"batch_sizes": [8]},
        "batch-size": {"methods": ["cass"], "label_fractions": [1.0], "branches": ["cnn"]},
    }
    whole = cells(place, grids=grids)
    assert len(whole.cells) == 2 * (3 + 1)
    assert len(whole.points) == 2 * (3 * 2 + 1)
    shared = [
        point for point in whole.points if point.place[2:4] == ("cass", 8) and point.place.label_fraction == 1
    ]
    assert [point.branches for point in shared] == [("cnn", "transformer", "mean")] * 2
    alone = [point for point in whole.points if point.place.batch_size == 16]
    assert [point.branches for point in alone] == [("cnn",)] * 2
    assert all(whole.cells[point.cell].tunings[point.tuning].alone == "cnn" for point in alone)


def test_a_changed_benchmark_changes_only_the_names_of_what_changed(place: Path) -> None:
    before = cells(place)
    rate = cells(place, pretraining={"lr": 0.002})
    kept = set(before.cells) & set(rate.cells)
    assert {before.cells[name].method for name in kept} == {"none"}
    tuned = cells(place, tuning={"full": {"lr": 0.001}})
    assert set(tuned.cells) == set(before.cells)
    assert all(not set(tuned.cells[name].tunings) & set(before.cells[name].tunings) for name in before.cells)
    more = cells(place, seeds=[0, 1, 2], label_fractions=[0.5, 0.7, 1.0])
    assert set(before.cells) < set(more.cells)
    assert all(set(before.cells[name].tunings) < set(more.cells[name].tunings) for name in before.cells)
    helpers = cells(place, pretraining={"lr": 0.001, "num_workers": 3, "cache": "off"})
    assert set(helpers.cells) == set(before.cells)


def test_cells_are_known_by_what_is_in_the_data_not_where_it_lies(place: Path, tmp_path: Path) -> None:
    before = cells(place)
    shutil.copytree(place / "scans", tmp_path / "scans")
    assert set(cells(tmp_path).cells) == set(before.cells)
    table = tmp_path / "scans" / "labels.csv"
    table.write_text(table.read_text().replace("000.png,stripes", "000.png,disc"))
    assert not set(cells(tmp_path).cells) & set(before.cells)


def test_some_classes_of_a_set(place: Path) -> None:
    whole = cells(place, data={"two": {"source": "scans/labels.csv", "classes": ["disc", "cross"]}})
    data = whole.sets["two"]
    data.write()
    lines = Path(data.source).read_text().splitlines()
    assert lines[0] == "image,label,group"
    assert len(lines) == 1 + 36  # of 60 scans, without the stripes and the unlabelled
    assert not any("stripes" in line for line in lines)


def test_a_share_of_the_training_images(place: Path) -> None:
    table = pd.read_csv(place / "scans" / "labels.csv").dropna(subset="label")
    table["split"] = np.where(np.arange(len(table)) % 3 == 0, "test", "train")
    table.drop(columns="group").to_csv(place / "scans" / "split.csv", index=False)
    half = cells(place, data={"half": {"source": "scans/split.csv", "train_share": 0.5}}).sets["half"]
    half.write()
    taken = pd.read_csv(half.source)
    counts, whole = (part.groupby(["split", "label"]).size() for part in (taken, table))
    assert counts["test"].equals(whole["test"])
    assert (counts["train"] == (whole["train"] / 2 + 0.5).astype(int)).all()


def test_given_splits_are_left_out_where_they_are_to_be_drawn_for_each_seed(place: Path) -> None:
    table = pd.read_csv(place / "scans" / "labels.csv")
    table["split"] = np.where(np.arange(len(table)) % 3 == 0, "test", "train")
    table.drop(columns="group").to_csv(place / "scans" / "split.csv", index=False)
    drawn = cells(place, data={"drawn": {"source": "scans/split.csv", "redraw_splits": True}}).sets["drawn"]
    drawn.write()
    taken = pd.read_csv(drawn.source)
    assert list(taken.columns) == ["image", "label"]
    assert taken["label"].isna().tolist() == table["label"].isna().tolist()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"methods": {"cosine": {}}, "claim": "cosine"}, "cosine: {method: cass"),
        ({"methods": {"cass": {"method_config": {"wdth": 3}}}}, "'width'"),
        ({"methods": {"cass": {"views": "papr"}}}, "'paper'"),
        ({"pretraining": {"lr": 20}}, "lr = 20"),
        ({"tuning": {"full": {"views": "papr"}}}, "tuning.full"),
        ({"tuning": {"full": {"epochs": 0}}}, "epochs = 0"),
        ({"data": {"scans": {"source": "scans/label.csv"}}}, "labels.csv"),
        ({"data": {"scans": {"source": "scans/images"}}}, "no labels"),
        ({"data": {"scans": {"source": "scans/labels.csv", "classes": ["discs"]}}}, "'disc'"),
        ({"data": {"cells": {"source": "generated", "classes": ["a"]}}}, "generated"),
        ({"data": {"cells": {"source": "generated", "redraw_splits": True}}}, "redraw_splits"),
        ({"data": {"scans": {"source": "scans/labels.csv", "train_share": 0.5}}}, "'split'"),
        ({"networks": {"tiny": {"cnn_weights": "gone.safetensors"}}}, "gone.safetensors"),
    ],
)
def test_mistakes_are_found_before_anything_is_computed(place: Path, change: dict[str, Any], says: str) -> None:
    with pytest.raises(CassError) as caught:
        cells(place, **change)
    assert says in str(caught.value)
    assert not (place / "out" / "cells").exists()
