"""Collapse of a branch: what is measured of its embeddings, and the verdict over all of it.

The loss says nothing (it is lowest for a constant output), and no single measure is a verdict: a large
common mean lowers the spread of embeddings that are still as informative as before, and an effective
rank can stay high while only noise fills it. So geometry must fall and information with it.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

# Set by hand on the runs of docs/results.md and the readings of tests/evaluation/test_collapse.py.
LOW_SPREAD = 0.1
SPREAD_FALL = 0.25
RANK_FALL = 0.5
RANK_COLLAPSE = 0.25
SHARE_FALL = 0.8
KNN_FALL = 0.8
KNN_MARGIN = 0.02
CONSTANT_SPREAD = 1e-3
CONSTANT_SHARE = 0.05
FEWEST_IMAGES = 20

CollapseState: TypeAlias = Literal["no collapse", "COLLAPSED", "NEVER INFORMATIVE", "TOO FEW IMAGES"]

_COLLAPSED_ADVICE = (
    "Do not use this branch as it is: pretrain with the default method and objective, or lower --lr "
    "(1e-5 to 1e-4 with --optimizer adamw), and compare with fine-tuning --without-pretraining."
)
_UNINFORMATIVE_ADVICE = (
    "The network told images apart no better before the first step, so nothing was lost: start from pretrained "
    "weights, train for more epochs, or choose another network."
)
_FEW_ADVICE = "Judge by the comparison with --without-pretraining, or add unlabelled images."


def spread(embeddings: Tensor) -> float:
    """Measure how far L2-normalised embeddings spread: mean standard deviation a dimension, times √D.

    Args:
        embeddings: (N, D), N at least 2.

    Returns:
        0 where all are one point, near 1 where they are spread evenly over the sphere.
    """
    unit = F.normalize(embeddings.double(), dim=1)
    return float(unit.std(dim=0, unbiased=False).mean() * math.sqrt(unit.shape[1]))


def effective_rank(embeddings: Tensor) -> float:
    """Measure how many directions the centred embeddings fill: the exponential entropy of their spectrum.

    Args:
        embeddings: (N, D), N at least 2.

    Returns:
        From 1 to min(N - 1, D); 1 also where all embeddings are equal.

    Source:
        RankMe (Garrido et al., ICML 2023, arXiv 2210.02885), equation 1; here the embeddings are centred
        first, so that a common mean does not count as a direction.
    """
    centred = embeddings.double() - embeddings.double().mean(dim=0)
    values = torch.linalg.svdvals(centred)
    total = values.sum()
    if float(total) < 1e-12:
        return 1.0
    shares = values / total
    return float(torch.exp(-(shares * torch.log(shares + 1e-12)).sum()))


def between_image_share(first: Tensor, second: Tensor) -> float:
    """Measure the share of the embeddings' variance that lies between images.

    Args:
        first: Embeddings (N, D) of one augmentation of N images.
        second: Embeddings (N, D) of another augmentation of the same images.

    Returns:
        From 0 (the embedding only tells augmentations apart) to 1 (only images); 0 where nothing varies.
    """
    first, second = F.normalize(first.double(), dim=1), F.normalize(second.double(), dim=1)
    both = torch.cat([first, second])
    total = float((both - both.mean(dim=0)).square().sum(dim=1).mean())
    # Two draws an image: half the squared difference estimates the variance within the image.
    within = float((first - second).square().sum(dim=1).mean()) / 2
    return max(0.0, min(1.0, 1.0 - within / total)) if total > 1e-12 else 0.0


@dataclass(frozen=True)
class Reading:
    """What the collapse watch measured of one branch at one time.

    Attributes:
        spread: See :func:`spread`.
        effective_rank: See :func:`effective_rank`.
        between_image_share: See :func:`between_image_share`.
        knn_balanced_accuracy: Balanced accuracy of the nearest-neighbour probe, in [0, 1]; NaN without labels.
    """

    spread: float
    effective_rank: float
    between_image_share: float
    knn_balanced_accuracy: float

    def to_dict(self) -> dict[str, float]:
        """Return the measures by name."""
        return asdict(self)


@dataclass(frozen=True)
class CollapseVerdict:
    """Whether a branch has collapsed, why, and what to do.

    Attributes:
        state: ``no collapse``; ``COLLAPSED``; ``NEVER INFORMATIVE`` where the start already told images apart as
            little as now; ``TOO FEW IMAGES`` where the measures do not allow a verdict.
        reason: What was measured, in one sentence.
        advice: What to do; empty where nothing is wrong.
    """

    state: CollapseState
    reason: str
    advice: str

    @property
    def collapsed(self) -> bool:
        """Whether information was lost."""
        return self.state == "COLLAPSED"


def verdict(start: Reading, now: Reading, *, chance: float, images: int) -> CollapseVerdict:
    """Weigh the measures of a branch against those of its start.

    Args:
        start: The reading before the first step.
        now: The reading to judge.
        chance: Balanced accuracy of guessing, in [0, 1]: one over the number of classes.
        images: Number of images that were measured.

    Returns:
        Collapsed where the embedding hardly depends on the image any more; or where the spread has become
        small, absolutely and against the start, and the rank, the between-image share or the probe fell with
        it; or where the rank fell below a quarter and the share or the probe fell with it. Never informative
        where this holds, but the embedding hardly depended on the image at the start either, or its probe was
        at chance. Of fewer than 20 images only a constant embedding is judged.
    """
    reason = (
        f"spread {start.spread:.3f} -> {now.spread:.3f}, effective rank {start.effective_rank:.0f} -> "
        f"{now.effective_rank:.0f}, between-image share {start.between_image_share:.2f} -> "
        f"{now.between_image_share:.2f}"
    )
    probed = not math.isnan(start.knn_balanced_accuracy) and not math.isnan(now.knn_balanced_accuracy)
    gained = max(start.knn_balanced_accuracy - chance, 0.0) if probed else math.nan
    if probed:
        reason += f", kNN balanced accuracy {start.knn_balanced_accuracy:.3f} -> {now.knn_balanced_accuracy:.3f}"
    knn_fell = gained > KNN_MARGIN and now.knn_balanced_accuracy - chance < KNN_FALL * gained
    share_fell = now.between_image_share < SHARE_FALL * start.between_image_share
    information_fell = share_fell or knn_fell
    rank_left = now.effective_rank / start.effective_rank
    narrow = now.spread < LOW_SPREAD and now.spread < SPREAD_FALL * start.spread
    fell = (narrow and (rank_left < RANK_FALL or information_fell)) or (
        rank_left < RANK_COLLAPSE and information_fell
    )
    # The share is a ratio of variances: of few images it may be near 0 by chance.
    if images < FEWEST_IMAGES and (start.spread < CONSTANT_SPREAD or now.spread >= CONSTANT_SPREAD):
        return CollapseVerdict("TOO FEW IMAGES", f"{images} images; {reason}", _FEW_ADVICE)
    if not (fell or _is_blank(now)):
        return CollapseVerdict("no collapse", reason, "")
    if _is_blank(start) or (gained <= KNN_MARGIN and not _is_blank(now)):
        return CollapseVerdict("NEVER INFORMATIVE", reason, _UNINFORMATIVE_ADVICE)
    return CollapseVerdict("COLLAPSED", reason, _COLLAPSED_ADVICE)


def _is_blank(reading: Reading) -> bool:
    """Tell whether an embedding hardly depends on the image."""
    return reading.spread < CONSTANT_SPREAD or reading.between_image_share < CONSTANT_SHARE
