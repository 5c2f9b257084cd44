"""What an audit has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["serious", "warning", "note"]
"""``serious``: figures on this set would be wrong; ``warning``: they may be; ``note``: good to know."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a set, or worth knowing.

    Attributes:
        level: How much it matters.
        topic: In a word or two, such as ``leakage``.
        what: What was found, with counts.
        fix: What to do about it, a command where there is one; "" where there is nothing to do.
        images: Rows of images that show it, at most 20.
        captions: What to say of each of ``images``, or nothing.
        families: Rows of images that belong together, where pairs or families were found; at most 20.
    """

    level: Level
    topic: str
    what: str
    fix: str = ""
    images: tuple[int, ...] = ()
    families: tuple[tuple[int, ...], ...] = ()
    captions: tuple[str, ...] = ()
