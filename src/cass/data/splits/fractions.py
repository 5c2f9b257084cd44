"""Which training images count as labelled when only a fraction of the labels is used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cass.errors import ConfigError, DataError
from cass.groups import group_codes


def label_subset(
    targets: NDArray[np.uint8],
    *,
    candidates: NDArray[np.integer],
    fraction: float,
    groups: NDArray[np.str_] | None,
    seed: int,
) -> NDArray[np.int64]:
    """Choose the images whose labels are used, as a clinic would label them: patient by patient.

    Groups come in one seeded random order, and a group is labelled completely before the next begins;
    only the last one may be cut, so that the fraction stays exact. For the same seed and candidates,
    the set of a smaller fraction lies inside the set of every larger one.

    Where each candidate has exactly one class, every class gives ``max(1, round(fraction * n_class))``
    images, half rounded up. Otherwise (multi-label) the set has ``max(1, round(fraction * n))`` images,
    or as many as it takes to have every class once.

    Args:
        targets: (N, K) 0/1 indicator.
        candidates: Indices in [0, N) of the labelled training images.
        fraction: Share of the candidates, in (0, 1].
        groups: (N,) group names, ``""`` for an image on its own, or None.
        seed: 0 or more.

    Returns:
        Sorted indices in [0, N), a subset of ``candidates`` with at least one image of each class that
        occurs among them.

    Raises:
        ConfigError: The fraction is outside (0, 1].
        DataError: There are no candidates; label some training images.
    """
    if not 0 < fraction <= 1:
        raise ConfigError(
            f"The label fraction {fraction} is outside (0, 1]", "Give a share such as 0.01, 0.1 or 1."
        )
    pool = np.sort(np.asarray(candidates, dtype=np.int64))
    if not len(pool):
        raise DataError("No training image has a label", "Label some images of the train split.")
    if fraction == 1:
        return pool
    codes = group_codes(groups, count=len(targets))[pool]
    codes = np.unique(codes, return_inverse=True)[1].astype(np.int64)
    rng = np.random.default_rng(seed)
    turn = rng.permutation(int(codes.max()) + 1)[codes]
    within = rng.permutation(len(pool))
    labels = targets[pool]
    if (labels.sum(axis=1) == 1).all():
        return _by_class(pool, labels.argmax(axis=1), order=np.lexsort((within, turn)), fraction=fraction)
    return _by_cover(pool, labels, turn=turn, within=within, fraction=fraction)


def _round_half_up(value: float) -> int:
    """Round half up; the tiny term corrects products such as 0.29 * 50 = 14.499999999999998."""
    return int(np.floor(value + 0.5 + 1e-9))


def _by_class(
    pool: NDArray[np.int64], classes: NDArray[np.int64], *, order: NDArray[np.int64], fraction: float
) -> NDArray[np.int64]:
    """The first share of every class in a common order."""
    chosen = []
    for label in np.unique(classes):
        members = order[classes[order] == label]
        chosen.append(members[: max(1, _round_half_up(fraction * len(members)))])
    return np.sort(pool[np.concatenate(chosen)])


def _by_cover(
    pool: NDArray[np.int64],
    labels: NDArray[np.uint8],
    *,
    turn: NDArray[np.int64],
    within: NDArray[np.int64],
    fraction: float,
) -> NDArray[np.int64]:
    """A prefix of one order that begins with an image of each class, the rarest class first."""
    order = np.lexsort((within, turn))
    cover: list[int] = []
    frequency = labels.sum(axis=0)
    for label in np.argsort(frequency, kind="stable"):
        if frequency[label] and not labels[cover, label].any():
            cover.append(int(order[labels[order, label] == 1][0]))
    # The groups begun by the cover are completed before any other.
    late = ~np.isin(turn, turn[cover])
    rank = np.full(len(pool), len(cover))
    rank[cover] = np.arange(len(cover))
    order = np.lexsort((within, turn, late, rank))
    count = max(1, len(cover), _round_half_up(fraction * len(pool)))
    return np.sort(pool[order[:count]])
