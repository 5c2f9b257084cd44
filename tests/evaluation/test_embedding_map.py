from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import TSNE

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


@pytest.mark.parametrize(("images", "perplexity"), [(20, 19 / 3), (120, 30.0)])
def test_the_map_is_that_of_scikit_learn_whatever_the_precision(images: int, perplexity: float) -> None:
    embeddings = np.random.default_rng(1).normal(np.arange(6), size=(images, 6)).astype(np.float32)
    centred = (embeddings - embeddings.mean(axis=0)).astype(np.float64)
    expected = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(centred)
    places = embedding_map(embeddings)
    assert places.tolist() == expected.round(2).tolist()


def test_rows_are_whole_numbers() -> None:
    assert shown_rows(3000).dtype == np.int64
    assert embedding_map(np.ones((9, 4))).shape == (9, 2)
