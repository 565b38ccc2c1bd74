"""How surprising a count is: tail probabilities, as −log10 and as normal quantiles.

All functions work on plain floats; counts may be fractions, because they may have been corrected for a classifier's errors.
"""

from __future__ import annotations

from math import exp, log, log10

import numpy as np
from scipy.special import betainc, gammainc, gammaln, log_ndtr, ndtri_exp

LARGEST = 300.0
"""Surprises end here; a double holds no smaller probability."""
_LEAST_EXCESS = 1e-4


def count_surprise(count: float, mean: float, variance: float) -> float:
    """−log10 P(X ≥ count), X negative binomial with `mean` and `variance`; Poisson where the variance is not above the mean.

    P(X ≥ k) = I_{1−p}(k, r) with p = mean/variance and r = mean·p/(1−p) (Abramowitz & Stegun 26.5.26), and
    P(Poisson ≥ k) = P(k, mean), the regularised lower incomplete gamma function. 0 for a count of 0.
    """
    if count <= 0 or mean <= 0:
        return 0.0
    if variance <= mean * (1 + _LEAST_EXCESS):
        tail = float(gammainc(count, mean))
    else:
        p = mean / variance
        tail = float(betainc(count, mean * p / (1 - p), 1 - p))
    return _surprise(tail)


def share_surprise(count: float, total: float, share: float, concentration: float) -> float:
    """−log10 P(X ≥ count), X beta-binomial of `total` trials with mean `share` and `concentration` = α + β."""
    lowest, highest = int(np.ceil(count - 1e-9)), int(np.floor(total + 1e-9))
    if lowest <= 0 or highest <= 0:
        return 0.0
    lowest = min(lowest, highest)
    alpha, beta = share * concentration, (1 - share) * concentration
    k = np.arange(lowest, highest + 1)
    logs = (
        gammaln(highest + 1) - gammaln(k + 1) - gammaln(highest - k + 1)
        + gammaln(k + alpha) + gammaln(highest - k + beta) - gammaln(highest + concentration)
        + gammaln(concentration) - gammaln(alpha) - gammaln(beta)
    )  # fmt: skip
    top = float(logs.max())
    return _surprise(exp(min(0.0, top + log(float(np.exp(logs - top).sum())))))


def silence_surprise(mean: float, variance: float) -> float:
    """−log10 P(X = 0) of the same distribution as in `count_surprise`: how unlikely it is that nothing came."""
    if mean <= 0:
        return 0.0
    if variance <= mean * (1 + _LEAST_EXCESS):
        return min(LARGEST, mean / log(10))
    p = mean / variance
    return min(LARGEST, -mean * p / (1 - p) * log10(p))


def quantile(surprise: float) -> float:
    """The z whose upper normal tail is 10^−surprise: 3 for about 2.87, 7 for about 11.9."""
    return float(-ndtri_exp(-surprise * log(10))) if surprise > 0 else 0.0


def surprise_of(z: float) -> float:
    """The inverse of `quantile`: −log10 of the upper normal tail of z."""
    return -float(log_ndtr(-z)) / log(10)


def _surprise(tail: float) -> float:
    return min(LARGEST, -log10(tail)) if tail > 0 else LARGEST
