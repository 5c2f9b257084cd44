from __future__ import annotations

from pathlib import Path

import pytest

from cass.config.finetune import FinetuneConfig
from cass.config.pretrain import PretrainConfig
from cass.errors import OutputError
from cass.runs.folder import (
    branch_files,
    check_free,
    claimed,
    read_config,
    read_summary,
    staged,
    write_metrics,
    write_start,
)


def test_an_output_is_free_where_nothing_would_be_lost(tmp_path: Path) -> None:
    check_free(tmp_path / "new" / "deeper")
    check_free(tmp_path)
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError, match=r"is not empty.*--json"):
        check_free(tmp_path, option="--json")
    with pytest.raises(OutputError, match="exists"):
        check_free(tmp_path / "file")
    with pytest.raises(OutputError, match="cannot be written"):
        check_free(tmp_path / "file" / "below")


def test_a_staged_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(RuntimeError), staged(out) as folder:  # noqa: PT012
        (folder / "half").write_text("")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with staged(out) as folder:
        (folder / "whole").write_text("")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["whole"]


def test_a_configuration_is_read_back_and_another_commands_is_refused(tmp_path: Path) -> None:
    config = PretrainConfig(data="scans", out=tmp_path, epochs=3)
    write_start(tmp_path, config)
    assert read_config(tmp_path, PretrainConfig, written_by="cass pretrain") == config
    with pytest.raises(OutputError, match="is not a run folder of cass finetune"):
        read_config(tmp_path, FinetuneConfig, written_by="cass finetune")
    with pytest.raises(OutputError, match="Run cass pretrain first"):
        read_config(tmp_path / "nothing", PretrainConfig, written_by="cass pretrain")


@pytest.mark.parametrize("text", [None, "{half", ""])
def test_a_run_without_a_readable_summary_has_not_finished(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "summary.json").write_text(text)
    with pytest.raises(OutputError, match="no finished run"):
        read_summary(tmp_path, written_by="cass pretrain")


def test_branches_are_found_with_the_cnn_first(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no finished branches"):
        branch_files(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    for name in ("transformer", "cnn"):
        (tmp_path / "checkpoints" / f"{name}.safetensors").write_bytes(b"")
    assert list(branch_files(tmp_path)) == ["cnn", "transformer"]


def test_metrics_are_one_row_per_epoch(tmp_path: Path) -> None:
    write_metrics(tmp_path / "metrics.csv", [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    assert (tmp_path / "metrics.csv").read_text() == "epoch,loss\n1,0.5\n2,0.25\n"


def test_a_run_that_is_not_there_is_not_called_unfinished(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"nowhere does not exist\. Make it with cass finetune"):
        read_summary(tmp_path / "nowhere", written_by="cass finetune")


def test_a_run_of_a_later_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text('{"format": 2}')
    with pytest.raises(OutputError, match="run format 2; this cass knows 1"):
        read_summary(tmp_path, written_by="cass pretrain")
    (tmp_path / "summary.json").write_text('{"kind": "pretrain"}')  # as version 0.1 wrote it
    assert read_summary(tmp_path, written_by="cass pretrain")["kind"] == "pretrain"


def test_partial_files_of_a_killed_process_do_not_take_a_folder(tmp_path: Path) -> None:
    (tmp_path / ".config.yaml.partial-0123456789ab").touch()
    check_free(tmp_path)
    with claimed(tmp_path):
        assert not list(tmp_path.iterdir())
        with pytest.raises(OutputError, match="Another process is writing"), claimed(tmp_path):
            pass
    with claimed(tmp_path):
        pass
