"""The arithmetic of the bench of large caches."""

from uuid import UUID

import numpy as np

from bench.cache.scale import agreement
from bench.cache.scale_data import near, unit

A, B, C = (UUID(int=number) for number in range(3))


def test_agreement_is_the_share_of_what_exact_search_found_first() -> None:
    exact = [[(A, 0.9), (B, 0.85)], [(C, 0.95)], []]
    found = [[(A, 0.9)], [(C, 0.95)], [(B, 0.8)]]
    assert agreement(exact, found, 1) == 1
    assert agreement(exact, found, 8) == 2 / 3
    assert agreement([[]], [[]], 1) is None


def test_turned_vectors_have_the_cosine_that_was_asked_for() -> None:
    draw = np.random.default_rng(1)
    vectors = unit(draw.standard_normal((50, 384)))
    cosines = draw.uniform(0.8, 1, (50, 1))
    turned = near(vectors, cosines, draw)
    assert np.allclose((turned * vectors).sum(axis=1), cosines[:, 0], atol=1e-5)
    assert np.allclose(np.linalg.norm(turned, axis=1), 1, atol=1e-5)
