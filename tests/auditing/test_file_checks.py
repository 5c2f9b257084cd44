from __future__ import annotations

from dataclasses import replace

import numpy as np

from cass.auditing.facts import ImageFacts
from cass.auditing.file_checks import check_files
from cass.auditing.findings import Finding
from cass.data.formats.header import Header

USUAL = Header(width=40, height=30, format="PNG", mode="L", bits=8, orientation=1, make="", size=900)


def facts_of(*headers: Header, errors: dict[int, str] | None = None, constant: tuple[int, ...] = ()) -> ImageFacts:
    """Facts of images with these headers."""
    count = len(headers)
    numbers = {name: np.zeros(count) for name in ("mean", "spread", "border_mean", "border_even", "saturated")}
    return ImageFacts(
        digests=[str(row) for row in range(count)],
        headers=list(headers),
        errors=errors or {},
        constant=np.isin(np.arange(count), constant),
        thumbnails=np.zeros((count, 32, 32), dtype=np.uint8),
        **numbers,
    )


def found(facts: ImageFacts) -> dict[str, Finding]:
    return {finding.topic: finding for finding in check_files(facts, split_command="cass split")}


def test_usual_files_are_not_mentioned() -> None:
    assert not found(facts_of(*[USUAL] * 60))


def test_unreadable_files_are_serious_above_a_twentieth() -> None:
    few = found(facts_of(*[USUAL] * 60, errors={4: "truncated", 9: "truncated", 2: "empty"}))["unreadable"]
    assert few.level == "warning"
    assert few.what == "3 files unreadable: truncated (2); empty (1)."
    assert few.images == (2, 4, 9)
    assert few.captions == ("empty", "truncated", "truncated")
    assert few.fix.startswith("cass split ")
    many = dict.fromkeys(range(4), "truncated")
    assert found(facts_of(*[USUAL] * 60, errors=many))["unreadable"].level == "serious"


def test_a_constant_image_counts_only_if_it_can_be_read() -> None:
    empty = found(facts_of(*[USUAL] * 60, errors={3: "truncated"}, constant=(3, 5)))["empty"]
    assert empty.what == "1 image is of a single colour."
    assert empty.images == (5,)


def test_turned_images() -> None:
    turned = replace(USUAL, orientation=6)
    finding = found(facts_of(turned, *[USUAL] * 60, turned))["rotation"]
    assert finding.level == "note"
    assert finding.images == (0, 61)
    assert finding.what.startswith("2 images are stored rotated or mirrored")


def test_modes_that_few_images_have() -> None:
    colour, deep = replace(USUAL, mode="RGB"), replace(USUAL, bits=16)
    finding = found(facts_of(*[USUAL] * 120, colour, deep))["modes"]
    assert (
        finding.what == "2 images with an unusual colour mode (L of 16 bits, RGB of 8 bits); most are L of 8 bits."
    )
    assert finding.images == (120, 121)
    assert "modes" not in found(facts_of(*[USUAL] * 60, *[colour] * 2))  # 3% of the images are not few


def test_sizes_far_from_the_median() -> None:
    small, large = replace(USUAL, width=7), replace(USUAL, width=121, height=200)
    just = [replace(USUAL, width=8), replace(USUAL, width=120, height=120)]
    finding = found(facts_of(*[USUAL] * 60, small, large, *just))["sizes"]
    assert finding.images == (60, 61)
    assert "median (30 pixels)" in finding.what
