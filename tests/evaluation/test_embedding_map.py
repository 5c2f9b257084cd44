from __future__ import annotations

import numpy as np

from cass.evaluation.embedding_map import embedding_map, shown_rows


def test_images_that_look_alike_lie_together() -> None:
    rng = np.random.default_rng(0)
    kinds = np.repeat(np.arange(3), 20)
    embeddings = 8 * np.eye(3, 16)[kinds] + rng.normal(size=(60, 16))
    places = embedding_map(embeddings)
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(gaps, np.inf)
    assert (kinds[gaps.argmin(axis=1)] == kinds).mean() > 0.95
    assert np.array_equal(places, embedding_map(embeddings))


def test_alike_embeddings_lie_on_one_point() -> None:
    assert not embedding_map(np.ones((9, 4))).any()


def test_at_most_a_thousand_are_placed() -> None:
    assert shown_rows(30).tolist() == list(range(30))
    many = shown_rows(25_000)
    assert len(many) == 1000
    assert (many[0], many[-1]) == (0, 24_999)
