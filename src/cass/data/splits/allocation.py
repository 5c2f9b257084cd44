"""Deal whole groups out to parts of given sizes, stratified."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cass.errors import DataError


def share_out(
    targets: NDArray[np.uint8],
    *,
    codes: NDArray[np.int64],
    labelled: NDArray[np.bool_],
    seed: int,
    ratios: Sequence[float] = (0.7, 0.1, 0.2),
) -> NDArray[np.int64]:
    """Deal images out by label, whole groups at a time; see :func:`allocate`.

    Groups without any label go to part 0, where they serve pretraining: nothing can be validated or tested on
    them. Where fewer groups have labels than there are parts, unlabelled images are dealt out as a stratum of
    their own. So are labelled images without any positive class.

    Args:
        targets: (N, K) 0/1 indicator.
        codes: (N,) group codes, consecutive from 0.
        labelled: (N,) bool.
        seed: 0 or more.
        ratios: P shares, positive.

    Returns:
        (N,) part of each image in [0, P); each part occurs, and part 0 has every class that occurs.

    Raises:
        DataError: Fewer groups than parts, or so few that each is the only one of its class; add
            images or give a split column.
    """
    groups = int(codes.max()) + 1 if len(codes) else 0
    fix = "Add images, or give a column 'split' that says which image belongs where."
    if groups < len(ratios):
        raise DataError(f"{len(codes)} images in {groups} groups cannot be split into {len(ratios)} parts", fix)
    negative = labelled & (targets.sum(axis=1) == 0)
    strata = np.column_stack([targets.astype(np.int64), negative, ~labelled])
    counts = np.zeros((groups, strata.shape[1]), dtype=np.int64)
    np.add.at(counts, codes, strata)
    dealt = np.bincount(codes, weights=labelled, minlength=groups) > 0
    if dealt.sum() < len(ratios):
        dealt[:] = True
    part = np.zeros(groups, dtype=np.int64)
    part[dealt] = allocate(
        counts[dealt],
        sizes=np.bincount(codes)[dealt],
        ratios=np.asarray(ratios, dtype=np.float64),
        covered=targets.shape[1],
        rng=np.random.default_rng(seed),
    )
    if len(np.unique(part)) < len(ratios):
        raise DataError(
            f"{groups} groups are too few to split: almost every one is the only one of its class", fix
        )
    return part[codes]


def allocate(
    counts: NDArray[np.int64],
    *,
    sizes: NDArray[np.int64],
    ratios: NDArray[np.float64],
    covered: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Give every group to one part so that each stratum is shared out near the ratios.

    Greedy, as scikit-learn's StratifiedGroupKFold is, which this generalises: parts may be unequal, images may
    have several labels, and part 0 is sure to see every class. The strata are dealt out rarest first, large
    groups before small ones, each to the part that lacks most of the stratum; a group of several strata goes to
    the part where it disturbs all of them least.

    Args:
        counts: (G, S) images of each stratum in each group; every row has a positive entry.
        sizes: (G,) images in each group.
        ratios: (P,) shares of the parts, positive; they need not sum to 1.
        covered: The first ``covered`` strata are classes that part 0 must have.
        rng: Decides between groups of similar size.

    Returns:
        (G,) part of each group in [0, P). A part stays empty only where filling it would take a class from part 0.

    Source:
        Sechidis et al., On the Stratification of Multi-Label Data, ECML PKDD 2011.
    """
    share = ratios / ratios.sum()
    part = np.full(len(counts), -1, dtype=np.int64)
    have = np.zeros((len(share), counts.shape[1]))
    # The size counts like a stratum, or else large groups would all go to one part.
    totals = np.maximum(np.append(counts.sum(axis=0), sizes.sum()), 1)
    whole = np.column_stack([counts, sizes]) / totals
    filled = np.zeros(len(share))
    # Sizes are compared by powers of two only, so that another seed gives another split.
    order = rng.permutation(len(counts))
    order = order[np.argsort(-np.floor(np.log2(sizes[order])), kind="stable")]

    while (part < 0).any():
        remaining = counts[part < 0].sum(axis=0)
        stratum = int(np.argmin(np.where(remaining > 0, remaining, np.iinfo(np.int64).max)))
        members = order[(part[order] < 0) & (counts[order, stratum] > 0)]
        # What rounding took from a part in earlier strata it gets back here.
        typical = float(np.median(sizes[members]))
        carry = np.clip(share * filled.sum() - filled, -typical, typical)
        want = share * counts[:, stratum].sum() + carry
        for group in members:
            new_to_first = (counts[group, :covered] > 0) & (have[0, :covered] == 0)
            if new_to_first.any():
                chosen = 0
            elif sizes[group] > 1 and np.count_nonzero(counts[group]) > 1:
                chosen = _least_imbalance(whole[group], np.column_stack([have, filled]) / totals, share)
            else:
                deficit = np.round(want - have[:, stratum], 9)
                chosen = int(np.flatnonzero(deficit == deficit.max())[-1])
            part[group] = chosen
            have[chosen] += counts[group]
            filled[chosen] += sizes[group]
    return _fill_empty(part, counts[:, :covered], sizes=sizes, parts=len(share))


def _least_imbalance(added: NDArray[np.float64], have: NDArray[np.float64], share: NDArray[np.float64]) -> int:
    """Choose the part in which a group of several strata disturbs the shares of all strata least.

    The measure is chi-squared, each stratum counting alike: the sum over strata and parts of (found - wanted)² /
    wanted, in shares of the stratum.

    Args:
        added: (S,) what the group holds of each stratum, as a share of the stratum.
        have: (P, S) what the parts have of it already.
        share: (P,) what they should have.
    """
    change = (added**2 + 2 * added * (have - share[:, None])) / share[:, None]
    return int(np.argmin(change.sum(axis=1)))


def _fill_empty(
    part: NDArray[np.int64], classes: NDArray[np.int64], *, sizes: NDArray[np.int64], parts: int
) -> NDArray[np.int64]:
    """Move the smallest spare group into each part that has none."""
    part = part.copy()
    for empty in range(parts - 1, 0, -1):
        if (part == empty).any():
            continue
        in_part = np.bincount(part, minlength=parts)
        kept = (classes > 0) & (part == 0)[:, None]
        needed = (kept & (kept.sum(axis=0) == 1)).any(axis=1)  # part 0's only group of a class
        spare = np.flatnonzero((in_part[part] > 1) & ~needed)
        if len(spare):
            # From part 0 first: it is the one that took the groups in.
            smallest = spare[np.lexsort((sizes[spare], part[spare]))[0]]
            part[smallest] = empty
    return part
