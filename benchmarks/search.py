"""The search for the default objective: comparisons with other objectives, and ablations.

The comparisons are listed in search.yaml. The rejected objectives and the ablations are defined here and are not
part of cass. Unless the name says otherwise, each starts like the default: pretrained batch-norm statistics are
kept, lower layers have a lower learning rate, and heads are fitted to the joint targets before the first step.
Usage: python benchmarks/search.py [--out runs/search] [--jobs N]
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path

import torch
from lightly.loss import NTXentLoss, VICRegLoss
from lightly.loss.lejepa_loss import SIGReg
from lightly.loss.visreg_loss import VISRegLoss
from torch import Tensor

import cass
from cass.methods.base import METHODS
from cass.methods.cass import CASS, cass_loss
from cass.methods.closed_form import joint_targets
from cass.types import StepOutput

SPREAD = 0.05


@METHODS.register("random-heads")
class RandomHeads(CASS):
    """The heads are randomly initialised instead of fitted."""

    def begin(self, embeddings, describe):
        heads = copy.deepcopy(self.heads.state_dict())
        super().begin(embeddings, describe)
        self.heads.load_state_dict(heads)


@METHODS.register("two-views")
class TwoViews(CASS):
    """Both branches see two views of an image."""

    num_views = 2

    def forward(self, views, positions):
        outputs = [super(TwoViews, self).forward([view], positions) for view in views]
        return StepOutput(torch.stack([output.loss for output in outputs]).mean())


@METHODS.register("transformer-targets")
class TransformerTargets(CASS):
    """The targets are computed from the Transformer's embeddings alone."""

    def begin(self, embeddings, describe):
        super().begin(embeddings, describe)
        self.targets = joint_targets([embeddings["transformer"]], width=self.config.width, power=self.config.power)
        self.fit_heads(embeddings)


@METHODS.register("network-targets")
class NetworkTargets(CASS):
    """The targets are computed from both branches' embeddings, even if randomly initialised."""

    def begin(self, embeddings, describe):
        super().begin(embeddings, describe)
        parts = list(embeddings.values())
        self.targets = joint_targets(parts, width=self.config.width, power=self.config.power)
        self.fit_heads(embeddings)


@METHODS.register("own-targets")
class OwnTargets(CASS):
    """Each branch predicts its own initial embeddings only, without those of the other branch."""

    def begin(self, embeddings, describe):
        super().begin(embeddings, describe)
        self.own = {
            name: joint_targets([embedding], width=self.config.width, power=self.config.power)
            for name, embedding in embeddings.items()
        }
        for name, targets in self.own.items():
            self.targets = targets
            self.fit_heads({name: embeddings[name]})

    def forward(self, views, positions):
        (view,) = views
        losses = [
            cass_loss(self.heads[name](branch.embed(view)), self.own[name].to(view.device)[positions])
            for name, branch in self._nets()
        ]
        return StepOutput(torch.stack(losses).mean())


class Live(CASS):
    """The current outputs of the branches are compared with each other; there are no fixed targets."""

    def forward(self, views, positions):
        (view,) = views
        first, second = (self.heads[name](branch.embed(view)).float() for name, branch in self._nets())
        return StepOutput(self.compare(first, second))

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        raise NotImplementedError


@METHODS.register("live-cosine")
class LiveCosine(Live):
    """The published loss: no spread term."""

    def compare(self, first, second):
        return cass_loss(first, second)


@METHODS.register("live-sigreg")
class LiveSIGReg(Live):
    """The published loss with SIGReg, which pulls the outputs towards an isotropic Gaussian."""

    def __init__(self, config, branches):
        super().__init__(config, branches)
        self.sigreg = SIGReg()

    def compare(self, first, second):
        return (1 - SPREAD) * cass_loss(first, second) + SPREAD * (self.sigreg(first) + self.sigreg(second)) / 2


@METHODS.register("live-visreg")
class LiveVISReg(Live):
    """VISReg between the branches."""

    def compare(self, first, second):
        return VISRegLoss()(local_proj=second[None], global_proj=first[None])


@METHODS.register("live-infonce")
class LiveInfoNCE(Live):
    """InfoNCE between the branches: the batch's other images are the negatives."""

    def compare(self, first, second):
        return NTXentLoss(temperature=0.1)(first, second)


@METHODS.register("live-vicreg")
class LiveVICReg(Live):
    """VICReg between the branches."""

    def compare(self, first, second):
        return VICRegLoss()(first, second)


def main() -> None:
    """Run search.yaml with the methods registered here."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/search"))
    parser.add_argument("--jobs", type=int)
    given = parser.parse_args()
    cass.benchmark(Path(__file__).with_suffix(".yaml"), out=given.out, jobs=given.jobs)
    print((given.out / "tables.md").read_text())


if __name__ == "__main__":
    main()
