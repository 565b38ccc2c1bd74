"""The risk threshold for a day on which hardly anything is a risk."""

from __future__ import annotations

import numpy as np
import pytest

from tests.requirements import require_training

require_training()


from models.calibration import temperature_and_shift, threshold_at
from models.measures import probability_error


def test_the_rarer_risk_is_the_higher_its_threshold() -> None:
    chance = np.random.default_rng(3)
    risky, calm = chance.beta(4, 2, 2000), chance.beta(2, 4, 2000)
    rare, usual, even = (threshold_at(prevalence, risky, calm) for prevalence in (0.01, 0.1, 0.5))
    assert rare > usual > even


def test_scores_that_are_told_apart_are_told_apart_at_any_prevalence() -> None:
    risky, calm = np.full(50, 0.8), np.full(50, 0.2)
    assert 0.2 < threshold_at(0.01, risky, calm) <= 0.8


def test_a_probability_that_is_right_about_itself_has_no_error() -> None:
    scores = np.repeat([0.25, 0.75], 400)
    truth = np.concatenate([np.arange(400) % 4 == 0, np.arange(400) % 4 != 0]).astype(float)
    assert probability_error(truth, scores) == pytest.approx(0.0)
    assert probability_error(1 - truth, scores) == pytest.approx(0.5)


def test_a_head_that_is_too_sure_and_too_alarmed_is_brought_back() -> None:
    chance = np.random.default_rng(5)
    odds = chance.normal(-1, 1.5, 20_000)
    truth = (chance.random(20_000) < 1 / (1 + np.exp(-odds))).astype(float)
    temperature, shift = temperature_and_shift(3 * (odds + 2), truth)
    assert (temperature, shift) == pytest.approx((3, -2), rel=0.1)
