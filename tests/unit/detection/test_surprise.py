"""The tails, against SciPy's slower distributions."""

from __future__ import annotations

from math import log10

import numpy as np
import pytest
from scipy import stats

from services.alert.detection.surprise import (
    LARGEST,
    count_surprise,
    quantile,
    share_surprise,
    silence_surprise,
)


@pytest.mark.parametrize(("count", "mean"), [(1, 0.2), (9, 3.0), (40, 18.5)])
def test_a_count_without_overdispersion_is_poisson(count: int, mean: float) -> None:
    assert count_surprise(count, mean, mean) == pytest.approx(-log10(stats.poisson.sf(count - 1, mean)))


@pytest.mark.parametrize(("count", "mean", "variance"), [(9, 3.0, 6.0), (40, 18.5, 60.0), (300, 100.0, 2000.0)])
def test_a_count_with_overdispersion_is_negative_binomial(count: int, mean: float, variance: float) -> None:
    p = mean / variance
    assert count_surprise(count, mean, variance) == pytest.approx(
        -log10(stats.nbinom.sf(count - 1, mean * p / (1 - p), p))
    )


def test_a_share_is_beta_binomial() -> None:
    expected = -log10(stats.betabinom.sf(19, 40, 0.3 * 50, 0.7 * 50))
    assert share_surprise(20, 40, 0.3, 50) == pytest.approx(expected)


def test_nothing_is_no_surprise_and_the_impossible_a_large_one() -> None:
    assert count_surprise(0, 5.0, 8.0) == 0
    assert count_surprise(10_000, 1.0, 1.0) == LARGEST
    assert share_surprise(0, 0, 0.3, 50) == 0


@pytest.mark.parametrize("variance", [5.0, 9.0])
def test_silence_is_as_improbable_as_a_count_of_none(variance: float) -> None:
    none = 10 ** -silence_surprise(5.0, variance)
    some = 10 ** -count_surprise(1, 5.0, variance)
    assert none + some == pytest.approx(1)


@pytest.mark.parametrize("z", [0.5, 3.0, 7.0, 20.0])
def test_quantile_and_surprise_are_inverse(z: float) -> None:
    # In logarithms, because the tail itself is 0 for a float long before z ends.
    assert quantile(float(-stats.norm.logsf(z) / np.log(10))) == pytest.approx(z)
