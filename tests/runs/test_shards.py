from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from cass.errors import OutputError
from cass.runs.shards import Shards, holds_shards, open_shards

SCHEMA = pa.schema([("image", pa.string())])
JOB = {"command": "embed", "images": 10}


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shards:
    monkeypatch.setattr("cass.runs.shards.SHARD_ROWS", 4)
    return open_shards(tmp_path / "out", JOB, schema=SCHEMA, resume=False)


def fill(shards: Shards, span: range, *, without: tuple[int, ...] = ()) -> None:
    table = pa.table({"image": [str(row) for row in span if row not in without]}, schema=SCHEMA)
    shards.write(span, table, unreadable=dict.fromkeys(without, "broken"))


def test_what_is_finished_is_taken_up_again(shards: Shards) -> None:
    assert shards.missing() == [range(4), range(4, 8), range(8, 10)]
    assert not holds_shards(shards.folder)
    fill(shards, range(4), without=(2,))
    fill(shards, range(8, 10))
    again = open_shards(shards.folder, JOB, schema=SCHEMA, resume=True)
    assert again.missing() == [range(4, 8)]
    assert again.written() == 5
    fill(again, range(4, 8))
    names = [name for table in again.tables() for name in table["image"].to_pylist()]
    assert names == ["0", "1", "3", "4", "5", "6", "7", "8", "9"]


def test_a_damaged_or_forgotten_shard_is_made_again(shards: Shards) -> None:
    for span in (range(4), range(4, 8)):
        fill(shards, span)
    shards.path(0).write_bytes(shards.path(0).read_bytes()[:40])
    again = open_shards(shards.folder, JOB, schema=SCHEMA, resume=True)
    assert again.missing() == [range(4), range(8, 10)]
    again.forget(1)
    assert again.missing() == [range(4), range(4, 8), range(8, 10)]


def test_work_of_another_job_is_not_mixed_in(shards: Shards) -> None:
    fill(shards, range(4))
    with pytest.raises(OutputError, match="unfinished work"):
        open_shards(shards.folder, JOB, schema=SCHEMA, resume=False)
    with pytest.raises(OutputError, match="another command"):
        open_shards(shards.folder, JOB | {"command": "predict"}, schema=SCHEMA, resume=True)
    with pytest.raises(OutputError, match="other classes"):
        open_shards(shards.folder, JOB, schema=SCHEMA.append(pa.field("b", pa.string())), resume=True)
