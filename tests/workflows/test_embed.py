from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import cass
from cass.errors import DataError, OutputError
from cass.models.checkpoints import load_branch
from tiny_runs import write_images, write_run


def matrix(table: pd.DataFrame, branch: str) -> np.ndarray:
    return np.stack(table[branch].to_list())


def same(a: Path, b: Path) -> bool:
    """Whether two outputs hold the same bytes in every cell."""
    return bool(pq.read_table(a).equals(pq.read_table(b)))


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_shards_cover_every_row_once_and_in_order(
    run: Path, images: Path, tmp_path: Path, short_shards: int
) -> None:
    result = cass.embed(run, images, out=tmp_path / "shards", device="cpu")
    assert result.images == 30
    files = sorted(path.name for path in (tmp_path / "shards").glob("*.parquet"))
    assert files == [f"part-{number:05d}.parquet" for number in range(5)]
    assert [pq.read_metadata(tmp_path / "shards" / name).num_rows for name in files] == [7, 7, 7, 7, 2]
    expected = sorted(path.relative_to(images).as_posix() for path in images.rglob("*.png"))
    table = pd.read_parquet(tmp_path / "shards")
    assert table["image"].to_list() == expected
    assert list(table.columns) == ["image", "cnn", "transformer"]
    assert ds.dataset(tmp_path / "shards").count_rows() == 30


def test_one_file_holds_what_the_folder_holds(run: Path, images: Path, tmp_path: Path, short_shards: int) -> None:
    cass.embed(run, images, out=tmp_path / "shards", device="cpu")
    result = cass.embed(run, images, out=tmp_path / "e.parquet", device="cpu")
    assert same(tmp_path / "e.parquet", tmp_path / "shards")
    assert pq.ParquetFile(tmp_path / "e.parquet").num_row_groups == 5
    assert result.widths == {"cnn": 16, "transformer": 32}
    assert hidden(tmp_path) == []


def test_embeddings_are_those_of_the_branch(run: Path, images: Path, tmp_path: Path) -> None:
    cass.embed(run, images, out=tmp_path / "e.parquet", device="cpu", branch="transformer")
    table = pd.read_parquet(tmp_path / "e.parquet")
    pixels = np.asarray(Image.open(images / table["image"][3]))
    branch = load_branch(run / "checkpoints" / "transformer.safetensors").eval()
    with torch.inference_mode():
        expected = branch.embed(torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None])[0]
    assert np.allclose(table["transformer"][3], expected, atol=1e-5)


def test_neither_batches_nor_borders_change_the_embeddings(
    run: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = []
    for batch_size, rows, chunk in ((64, 4096, 1024), (1, 4096, 5), (3, 11, 3), (64, 1, 1)):
        monkeypatch.setattr("cass.runs.shards.SHARD_ROWS", rows)
        monkeypatch.setattr("cass.data.store.stream.CHUNK_IMAGES", chunk)
        out = tmp_path / f"{len(tables)}.parquet"
        cass.embed(run, images, out=out, device="cpu", batch_size=batch_size)
        tables.append(pd.read_parquet(out))
    for table in tables[1:]:
        assert table["image"].equals(tables[0]["image"])
        for branch in ("cnn", "transformer"):
            assert np.abs(matrix(table, branch) - matrix(tables[0], branch)).max() < 1e-5


KILLED = """
import os, signal, sys
import cass.runs.shards as shards
from cass.cli import main
shards.SHARD_ROWS = 7
rename, left, how = os.replace, int(sys.argv.pop(1)), int(sys.argv.pop(1))
signal.signal(signal.SIGINT, signal.default_int_handler)
def replace(a, b):
    global left
    if str(b).endswith(".parquet"):
        left -= 1
        if left == 0 and "part-" not in str(b):
            rename(a, b)
        if left == 0:
            os.kill(os.getpid(), how)
    rename(a, b)
os.replace = replace
main()
"""


@pytest.mark.parametrize(
    ("how", "renames", "kept"),
    [
        pytest.param(signal.SIGKILL, 3, 2, id="killed while the third shard is written"),
        pytest.param(signal.SIGKILL, 6, 5, id="killed before it clears up"),
        pytest.param(signal.SIGINT, 3, 2, id="stopped with Ctrl-C"),
    ],
)
def test_a_killed_process_resumes_to_the_same_content(
    run: Path, images: Path, tmp_path: Path, short_shards: int, how: signal.Signals, renames: int, kept: int
) -> None:
    cass.embed(run, images, out=tmp_path / "whole.parquet", device="cpu")
    out = tmp_path / "e.parquet"
    line = ["embed", str(run), str(images), "--out", str(out), "--device", "cpu"]
    here = os.environ | {"PYTHONPATH": str(Path(cass.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(renames), str(int(how)), *line],
        capture_output=True,
        text=True,
        check=False,
        env=here,
    )
    assert done.returncode == (-signal.SIGKILL if how == signal.SIGKILL else 130), done.stderr
    assert done.stderr.startswith("Stopped.") == (how == signal.SIGINT)
    parts = tmp_path / ".e.parquet.parts"
    before = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    assert len(before) == kept
    with pytest.raises(OutputError, match=r"--resume|exists"):
        cass.embed(run, images, out=out, device="cpu")
    result = cass.embed(run, images, out=out, device="cpu", resume=True)
    assert result.images == 30
    assert same(out, tmp_path / "whole.parquet")
    assert hidden(tmp_path) == []


def test_stopped_at_any_rename_nothing_is_lost(
    run: Path, images: Path, tmp_path: Path, short_shards: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cass.embed(run, images, out=tmp_path / "whole.parquet", device="cpu", branch="cnn")
    rename, out = os.replace, tmp_path / "e.parquet"
    for stop in range(1, 9):
        count = 0

        def replace(a: Path, b: Path, stop: int = stop) -> None:
            nonlocal count
            count += 1
            if count == stop:
                raise KeyboardInterrupt
            rename(a, b)

        with monkeypatch.context() as patch:
            patch.setattr("os.replace", replace)
            with pytest.raises(KeyboardInterrupt):
                cass.embed(run, images, out=out, device="cpu", branch="cnn")
        cass.embed(run, images, out=out, device="cpu", branch="cnn", resume=True)
        assert same(out, tmp_path / "whole.parquet")
        out.unlink()
    assert hidden(tmp_path) == []


@pytest.fixture
def begun(run: Path, images: Path, tmp_path: Path, short_shards: int) -> Path:
    """A folder of shards of which two are missing and one is damaged."""
    out = tmp_path / "shards"
    cass.embed(run, images, out=out, device="cpu")
    (out / "part-00001.parquet").unlink()
    (out / "part-00004.parquet").unlink()
    (out / "part-00002.parquet").write_bytes(b"PAR1 and then nothing")
    (out / ".part-00004.parquet.partial").touch()
    return out


def test_resuming_a_folder_makes_only_what_is_missing(
    run: Path, images: Path, begun: Path, tmp_path: Path
) -> None:
    kept = {name: (begun / name).stat().st_mtime_ns for name in ("part-00000.parquet", "part-00003.parquet")}
    cass.embed(run, images, out=begun, device="cpu", resume=True)
    assert {name: (begun / name).stat().st_mtime_ns for name in kept} == kept
    cass.embed(run, images, out=tmp_path / "whole", device="cpu")
    assert same(begun, tmp_path / "whole")
    assert hidden(begun) == []
    assert cass.embed(run, images, out=begun, device="cpu", resume=True).images == 30


def test_another_job_is_not_continued(run: Path, images: Path, begun: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", seed=1)
    with pytest.raises(OutputError, match="another run or model"):
        cass.embed(other, images, out=begun, device="cpu", resume=True)
    with pytest.raises(OutputError, match="another --branch"):
        cass.embed(run, images, out=begun, device="cpu", branch="cnn", resume=True)
    fewer = shutil.copytree(images, tmp_path / "fewer")
    (fewer / "0" / "000.png").rename(fewer / "0" / "renamed.png")
    with pytest.raises(OutputError, match="another list of images"):
        cass.embed(run, fewer, out=begun, device="cpu", resume=True)
    (begun / "_job.json").write_text("{")
    with pytest.raises(OutputError, match=r"no _job\.json"):
        cass.embed(run, images, out=begun, device="cpu", resume=True)


def test_the_job_names_nobody(begun: Path, images: Path) -> None:
    text = (begun / "_job.json").read_text()
    assert str(images) not in text
    assert set(json.loads(text)) == {
        *("format", "command", "weights", "branch", "columns", "sensitivity"),
        *("images", "image_list", "image_size", "shard_rows"),
    }


def test_leftovers_are_refused_without_resume(run: Path, images: Path, begun: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="--resume"):
        cass.embed(run, images, out=begun, device="cpu")
    parts = tmp_path / ".e.parquet.parts"
    begun.rename(parts)
    with pytest.raises(OutputError, match="--resume, or remove"):
        cass.embed(run, images, out=tmp_path / "e.parquet", device="cpu")


def test_a_file_that_is_in_the_way_is_kept(run: Path, images: Path, begun: Path, tmp_path: Path) -> None:
    begun.rename(tmp_path / ".e.parquet.parts")
    (tmp_path / "e.parquet").write_text("somebody's")
    with pytest.raises(OutputError, match="exists"):
        cass.embed(run, images, out=tmp_path / "e.parquet", device="cpu", resume=True)
    assert (tmp_path / "e.parquet").read_text() == "somebody's"
    (tmp_path / "d.parquet").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        cass.embed(run, images, out=tmp_path / "d.parquet", device="cpu")
    with pytest.raises(OutputError, match=r"\.parquet file, or a folder"):
        cass.embed(run, images, out=tmp_path / "e.csv", device="cpu")


def test_an_unreadable_image_is_named_and_left_out(
    run: Path, tmp_path: Path, short_shards: int, caplog: pytest.LogCaptureFixture
) -> None:
    images = write_images(tmp_path / "images")
    whole = cass.embed(run, images, out=tmp_path / "whole", device="cpu")
    assert whole.unreadable == {}
    picture = (images / "1" / "012.png").read_bytes()
    (images / "1" / "012.png").write_bytes(picture[:100])
    with caplog.at_level("WARNING", logger="cass"):
        result = cass.embed(run, images, out=tmp_path / "shards", device="cpu")
    assert result.images == 29
    assert list(result.unreadable) == ["1/012.png"]
    assert any("1/012.png" in message for message in caplog.messages)
    table = pd.read_parquet(tmp_path / "shards")
    assert len(table) == 29
    assert "1/012.png" not in set(table["image"])
    assert list(cass.embed(run, images, out=tmp_path / "shards", device="cpu", resume=True).unreadable) == [
        "1/012.png"
    ]
    (images / "1" / "012.png").write_bytes(picture)
    mended = cass.embed(run, images, out=tmp_path / "shards", device="cpu", resume=True)
    assert mended.images == 30
    assert same(tmp_path / "shards", tmp_path / "whole")


def test_too_many_unreadable_images_stop_it_and_leave_nothing(run: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images")
    for name in ("000", "001"):
        (images / "0" / f"{name}.png").write_text("no picture")
    for out in (tmp_path / "e.parquet", tmp_path / "shards"):
        with pytest.raises(DataError, match="2 of 30 images"):
            cass.embed(run, images, out=out, device="cpu")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]
