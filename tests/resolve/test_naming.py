from __future__ import annotations

from pathlib import Path

import pytest

from cass.errors import ConfigError, DataError, OutputError
from cass.resolve.naming import check_new_csv, check_parent, check_report, chosen, named
from cass.transforms.recipes import RECIPES


def test_the_class_of_an_error_is_kept() -> None:
    with pytest.raises(DataError, match=r"--labels: a.csv is empty. Fill it."), named("--labels"):
        raise DataError("a.csv is empty", "Fill it.")


def test_a_word_that_is_not_in_the_table() -> None:
    assert chosen("--views", "paper", RECIPES) is RECIPES["paper"]
    with pytest.raises(ConfigError, match=r"--views 'papre'.*Did you mean 'paper'\?"):
        chosen("--views", "papre", RECIPES)


def test_a_file_needs_its_folder(tmp_path: Path) -> None:
    check_parent(tmp_path / "a.json", option="--json")
    with pytest.raises(OutputError, match=r"--json .*nowhere does not exist"):
        check_parent(tmp_path / "nowhere" / "a.json", option="--json")


def test_a_report_replaces_another_file_only_when_told(tmp_path: Path) -> None:
    report, source = tmp_path / "a.html", tmp_path / "labels.csv"
    check_report(report, option="--html", inputs=[source], overwrite=False)
    report.write_text("earlier")
    source.write_text("image\n")
    with pytest.raises(OutputError, match="--overwrite"):
        check_report(report, option="--html", inputs=[source], overwrite=False)
    check_report(report, option="--html", inputs=[source], overwrite=True)
    (tmp_path / "linked.html").symlink_to(source)
    for name in ("labels.csv", "linked.html"):
        with pytest.raises(OutputError, match="is an input"):
            check_report(tmp_path / name, option="--html", inputs=[source], overwrite=True)


def test_a_csv_is_new_and_is_called_so(tmp_path: Path) -> None:
    check_new_csv(tmp_path / "a.csv")
    with pytest.raises(ConfigError, match=r"is not a \.csv file"):
        check_new_csv(tmp_path / "a.txt")
    (tmp_path / "a.csv").write_text("image\n")
    with pytest.raises(OutputError, match="already exists"):
        check_new_csv(tmp_path / "a.csv")
