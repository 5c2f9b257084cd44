"""Two candidates at once: the neighbourhood of an image, learned by some of the weights."""

from __future__ import annotations

from neighbourhood import Neighbourhood
from partial import Partial

from cass.methods.base import METHODS


@METHODS.register("cass-partial-neighbourhood")
class PartialNeighbourhood(Neighbourhood, Partial):
    """Some of the weights learn to predict how similar an image is to every other one."""

    class Config(Neighbourhood.Config, Partial.Config):
        """Settings of both."""
