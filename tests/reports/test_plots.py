from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cass.evaluation.bootstrap import Interval
from cass.evaluation.classification import classification_report
from cass.reports import plots
from cass.reports.tables import WITH, WITHOUT, ResultRow


def check(path: Path) -> None:
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert min(image.size) > 200
        assert len(set(image.convert("L").resize((64, 64)).tobytes())) > 2
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_pretraining_with_and_without_a_probe(tmp_path: Path) -> None:
    history = pd.DataFrame({"epoch": [0, 1], "loss": [np.nan, 0.5], "cnn/spread": [0.5, 0.4]})
    history["cnn/knn_balanced_accuracy"] = np.nan
    plots.plot_pretraining(history, tmp_path / "new" / "plot.png")
    check(tmp_path / "new" / "plot.png")


def test_fine_tuning(tmp_path: Path) -> None:
    history = pd.DataFrame(
        {"epoch": [1, 2], "train/loss": [1, 0.5], "val/loss": [1, 0.7], "val/balanced_accuracy": [0.4, 0.6]}
    )
    plots.plot_fine_tuning(history, tmp_path / "plot.png")
    check(tmp_path / "plot.png")


def test_label_efficiency(tmp_path: Path) -> None:
    rows = [
        ResultRow(
            "cnn", start, fraction, int(100 * fraction), {"balanced_accuracy": Interval(0.5, 0.4, float("nan"))}
        )
        for start in (WITH, WITHOUT)
        for fraction in (0.01, 1.0)
    ]
    plots.plot_label_efficiency(rows, tmp_path / "plot.png", title="Label efficiency")
    check(tmp_path / "plot.png")


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_confusion(tmp_path: Path, task: str) -> None:
    targets = np.eye(3, dtype=np.uint8)[[0, 1, 2, 2]]
    report = classification_report(targets * 0.8 + 0.1, targets, classes=("a", "b", "c"), task=task)  # type: ignore[arg-type]
    plots.plot_confusion(report, tmp_path / "plot.png")
    check(tmp_path / "plot.png")


def test_a_multilabel_matrix_names_labels_and_counts() -> None:
    targets = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], dtype=np.uint8)
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.9], [0.1, 0.2]])
    names = ("oedema", "fibrosis of the left upper lobe")
    (axis,) = plots.confusion_figure(classification_report(scores, targets, classes=names, task="multilabel")).axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["oedema", "fibrosis of the\nleft upper lobe"]
    assert [text.get_text().replace("\n", " ") for text in axis.get_xticklabels()] == [
        "present, predicted",
        "present, missed",
        "absent, predicted",
        "absent, not predicted",
    ]
    cells = [text.get_text().splitlines()[0] for text in axis.texts]
    assert cells == ["1", "1", "1", "1", "2", "2"]  # empty cells stay empty


def test_the_line_of_the_kept_epoch_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kept = []
    monkeypatch.setattr(plots, "save_figure", lambda figure, path: kept.append(figure))
    history = pd.DataFrame(
        {"epoch": [0, 1], "train/loss": [1, 0.5], "val/loss": [0.6, 0.7], "val/balanced_accuracy": [0.4, 0.6]}
    )
    plots.plot_fine_tuning(history, tmp_path / "plot.png")
    for axis in kept[0].axes:
        assert "kept: the linear probe (epoch 0)" in [text.get_text() for text in axis.get_legend().get_texts()]


def test_a_title_is_not_wider_than_its_figure() -> None:
    figure, _ = plots.make_panels(1)
    plots.set_title(figure, "Mean over data sets and branches by batch size (95% intervals over seeds)")
    figure.draw_without_rendering()
    box = figure._suptitle.get_window_extent()  # type: ignore[attr-defined]
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
