"""Claims about methods whose differences are known."""

from __future__ import annotations

import re

import pytest

from cass.benchmarking.claims import claims_markdown, compare_methods
from cass.evaluation.comparisons import holm
from known_outcome import SEEDS, two_sets


def test_a_real_difference_is_claimed_and_an_absent_one_is_not() -> None:
    claims = {
        (claim.rival, claim.where): claim for claim in compare_methods(two_sets()) if claim.level == "overall"
    }
    assert claims[("dino", "all")].verdict == "better"
    assert claims[("dino", "all")].difference.interval.value == pytest.approx(0.1, abs=0.01)
    assert claims[("dino", "all")].difference.seeds == SEEDS
    assert claims[("none", "all")].verdict == "not worse"
    worse = [claim for claim in compare_methods(two_sets(gain=-0.1)) if claim.rival == "dino"]
    assert {claim.verdict for claim in worse} == {"worse"}


def test_a_method_with_one_branch_is_compared_on_that_branch_alone() -> None:
    places = [
        claim.where for claim in compare_methods(two_sets()) if (claim.level, claim.rival) == ("cell", "dino")
    ]
    assert sorted(places) == sorted(
        f"{data}, transformer, {labels}" for data in ("brain", "blood_cells") for labels in ("10%", "100%")
    )
    found = two_sets()
    dino = found.runs[(found.runs["method"] == "dino")].groupby("seed")["value"].mean()
    cass = found.runs[(found.runs["method"] == "cass") & (found.runs["branch"] == "transformer")]
    overall = [claim for claim in compare_methods(found) if (claim.level, claim.rival) == ("overall", "dino")]
    difference = (cass.groupby("seed")["value"].mean() - dino).mean()
    assert overall[0].difference.interval.value == pytest.approx(difference)


def test_families_are_the_levels_of_a_setting() -> None:
    claims = compare_methods(two_sets(batch_sizes=(16, 32)))
    for batch_size in (16, 32):
        family = [claim for claim in claims if claim.level == "cell" and claim.setting[2] == batch_size]
        assert len(family) == 4 + 12  # dino has one branch, none has three
        assert [c.corrected for c in family] == pytest.approx(holm([c.difference.p for c in family]))


def test_one_seed_makes_no_claim() -> None:
    alone = two_sets(seeds=1)
    assert {claim.verdict for claim in compare_methods(alone)} == {"no claim"}
    assert "one seed: no claim" in claims_markdown(alone)


def test_claims_are_sentences_with_numbers() -> None:
    text = claims_markdown(two_sets())
    assert re.search(r"On average over everything, cass is better than dino \(\+(9|10)\.\d points, 95%", text)
    assert "cass is not worse than none by 1 point or more" in text
    assert "On the confirmation sets at 10% of the labels, cass is better than dino" in text
    assert re.search(r"corrected p 0\.0\d\d, 5 seeds", text)
    assert "(family of 16)" in text
