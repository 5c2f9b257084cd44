from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cass.data.store.dataset import EpochBatches, StoredImages, in_order, to_images, train_loader
from cass.data.store.store import ImageStore

RNG = np.random.default_rng(0)
STORE = ImageStore(array=RNG.integers(0, 256, (20, 4, 4, 3), dtype=np.uint8), unreadable={})


@given(
    count=st.integers(2, 200),
    batch_size=st.integers(2, 40),
    world=st.integers(1, 4),
    parts=st.integers(1, 3),
    epoch=st.integers(0, 3),
)
def test_every_image_is_used_once_whatever_the_ranks(
    count: int, batch_size: int, world: int, parts: int, epoch: int
) -> None:
    smallest = 2 * world * parts
    if min(count, batch_size) < smallest:
        return
    ranks = [
        EpochBatches(count, batch_size=batch_size, rank=rank, world_size=world, parts=parts)
        for rank in range(world)
    ]
    for batches in ranks:
        batches.set_epoch(epoch)
    served = [list(batches) for batches in ranks]
    assert {len(part) for part in served} == {len(ranks[0])}
    assert sorted(position for part in served for batch, _ in part for position in batch) == list(range(count))
    assert min(len(batch) for part in served for batch, _ in part) > 1
    for step in range(0, len(ranks[0]), parts):
        of_step = [batch for part in served for batch in part[step : step + parts]]
        assert {total for _, total in of_step} == {sum(len(batch) for batch, _ in of_step)}


def test_ranks_share_the_batches_of_one_process() -> None:
    whole = [sorted(batch) for batch, _ in EpochBatches(64, batch_size=16)]
    halves = [EpochBatches(64, batch_size=16, rank=rank, world_size=2) for rank in range(2)]
    together = [sorted(first + second) for (first, _), (second, _) in zip(*halves, strict=True)]
    assert together == whole


def test_the_order_changes_with_epoch_and_seed() -> None:
    batches = EpochBatches(64, batch_size=16)
    first = list(batches)
    batches.set_epoch(1)
    assert list(batches) != first
    assert list(EpochBatches(64, batch_size=16, seed=1)) != first


@pytest.mark.parametrize("workers", [0, 2])
def test_any_number_of_workers_serves_the_same_batches(workers: int) -> None:
    dataset = StoredImages(STORE, range(2, 20), targets=np.eye(20, dtype=np.uint8))
    batches = EpochBatches(18, batch_size=4)
    loader = train_loader(dataset, batches, num_workers=workers, pin_memory=False)
    for epoch in range(2):
        batches.set_epoch(epoch)
        served = list(loader)
        assert len(served) == len(batches)
        for batch, (positions, total) in zip(served, batches, strict=True):
            rows = np.array(positions) + 2
            assert batch.rows.tolist() == rows.tolist()
            assert batch.total == total == len(rows)
            assert (batch.pixels.numpy() == STORE.array[rows]).all()
            assert batch.targets.argmax(dim=1).tolist() == rows.tolist()


def test_in_order_serves_every_row_once() -> None:
    batches = list(in_order(StoredImages(STORE, [5, 3, 9]), batch_size=2))
    assert [batch.rows.tolist() for batch in batches] == [[5, 3], [9]]
    assert [batch.positions.tolist() for batch in batches] == [[0, 1], [2]]
    assert batches[0].targets.shape == (2, 0)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_pixels_become_images_between_zero_and_one(dtype: type, top: int) -> None:
    pixels = np.array([0, 1, top - 1, top], dtype=dtype).reshape(1, 2, 2, 1)
    images = to_images(torch.from_numpy(pixels))
    assert images.shape == (1, 1, 2, 2)
    expected = torch.tensor([0, 1 / top, (top - 1) / top, 1.0])
    torch.testing.assert_close(images.flatten(), expected, rtol=0, atol=1e-7)


@given(
    count=st.integers(2, 60),
    batch_size=st.integers(2, 20),
    passes=st.integers(1, 5),
    epoch=st.integers(0, 3),
)
def test_passes_serve_every_image_as_often(count: int, batch_size: int, passes: int, epoch: int) -> None:
    batches = EpochBatches(count, batch_size=batch_size, passes=passes)
    batches.set_epoch(epoch)
    served = [position for batch, _ in batches for position in batch]
    assert np.bincount(served, minlength=count).tolist() == [passes] * count
    for start in range(0, len(served), count):
        assert sorted(served[start : start + count]) == list(range(count))


@given(
    sizes=st.lists(st.integers(1, 30), min_size=2, max_size=5),
    passes=st.integers(1, 4),
    seed=st.integers(0, 5),
)
def test_classes_are_served_evenly_and_their_images_take_turns(sizes: list[int], passes: int, seed: int) -> None:
    classes = np.repeat(np.arange(len(sizes)), sizes)
    batches = EpochBatches(len(classes), batch_size=8, passes=passes, classes=classes, seed=seed)
    seen = np.zeros(len(classes), dtype=int)
    for epoch in range(4):
        batches.set_epoch(epoch)
        served = [position for batch, _ in batches for position in batch]
        assert len(served) == len(classes) * passes
        shares = np.bincount(classes[served], minlength=len(sizes))
        assert shares.max() - shares.min() <= 1
        seen += np.bincount(served, minlength=len(classes))
        for kind in range(len(sizes)):
            assert np.ptp(seen[classes == kind]) <= 1
