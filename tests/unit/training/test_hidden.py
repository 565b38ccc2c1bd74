"""Heads with a hidden layer say what no single direction says."""

from __future__ import annotations

import numpy as np

from tests.requirements import require_training

require_training()

import torch

from models.hidden import AS_TOLD, Hidden, Linear, fit_binary, fit_classes, fit_correction


def corners(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of which those are meant whose first two numbers have the same sign; and whether they have."""
    points = np.random.default_rng(3).normal(size=(count, 6)).astype(np.float32)
    return points, (points[:, 0] * points[:, 1] > 0).astype(float)


def test_it_tells_opposite_corners_from_the_others() -> None:
    points, meant = corners(6000)
    head = fit_binary(points[:4000], meant[:4000], np.ones(4000))
    assert np.mean((head(points[4000:])[:, 0] > 0) == meant[4000:]) > 0.7  # the best direction: 0.5


def test_a_row_without_weight_is_not_learnt() -> None:
    points, _ = corners(3000)
    known = np.where(points[:, 0] > 0, 1.0, 0.0)
    wrong = np.arange(3000) % 2 == 1
    head = fit_binary(points, np.where(wrong, 1 - known, known), np.where(wrong, 0.0, 1.0))
    assert np.mean((head(points)[:, 0] > 0) == known) > 0.95


def test_classes_are_told_apart() -> None:
    points, same = corners(6000)
    labels = (same + 2 * (points[:, 2] > 0)).astype(int)
    head = fit_classes(points[:5000], labels[:5000], 4)
    assert np.mean(head(points[5000:]).argmax(1) == labels[5000:]) > 0.6


def test_the_same_call_gives_the_same_head_and_leaves_chance_alone() -> None:
    points, meant = corners(600)
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    one, other = (fit_binary(points, meant, np.ones(600)) for _ in range(2))
    assert torch.equal(torch.rand(3), wanted)
    np.testing.assert_array_equal(one.inner.weights, other.inner.weights)
    np.testing.assert_array_equal(one.outer.bias, other.outer.bias)


def test_it_takes_features_as_they_are_whatever_their_size() -> None:
    points, meant = corners(2000)
    moved = points * np.array([100, 0.01, 1, 1, 1, 1], np.float32) + np.float32(7)
    one, other = fit_binary(points, meant, np.ones(2000)), fit_binary(moved, meant, np.ones(2000))
    np.testing.assert_allclose(one(points), other(moved), atol=0.05)


def test_what_it_says_can_be_multiplied() -> None:
    head = Hidden(
        Linear(np.ones((2, 1), np.float32), np.array([0.0, -1.0], np.float32)),
        Linear(np.array([[1.0, 1.0]], np.float32), np.array([0.5], np.float32)),
    )
    given = np.array([[-3.0], [0.5], [2.0]], np.float32)
    assert head(given)[:, 0].tolist() == [0.5, 1.0, 3.5]
    assert head.times(2)(given)[:, 0].tolist() == [1.0, 2.0, 7.0]


def test_each_group_has_its_own_share_of_what_is_meant() -> None:
    chance = np.random.default_rng(7)
    groups = np.repeat([0, 1], 5000)
    # Much more is meant in the second group, whose points lie elsewhere along the last axis: that axis itself means nothing.
    points = chance.normal(size=(10_000, 3)).astype(np.float32)
    points[:, 2] += 2 * groups
    meant = (chance.random(10_000) < 1 / (1 + np.exp(-points[:, 0] - 4 * groups + 2))).astype(float)
    weights = np.ones(10_000)
    plain, apart = fit_binary(points, meant, weights), fit_binary(points, meant, weights, groups)
    here, there = np.zeros((1, 3), np.float32), np.array([[0, 0, 2]], np.float32)
    assert (apart(there) - apart(here)).item() < 0.9 * (plain(there) - plain(here)).item()


def test_a_correction_mends_what_was_told_wrong_and_leaves_the_rest() -> None:
    chance = np.random.default_rng(9)
    points = chance.normal(size=(20_000, 4)).astype(np.float32)
    labels = (points[:, 0] > 0).astype(int)
    # What was told beforehand is right but where the second number is large.
    wrong = points[:, 1] > 1
    told = np.eye(2, dtype=np.float32)[np.where(wrong, 1 - labels, labels)]
    corrected = told + fit_correction(points, labels, told, np.ones(20_000))(points)
    assert np.mean(corrected.argmax(1)[wrong] == labels[wrong]) > 0.3
    assert np.mean(corrected.argmax(1)[~wrong] == labels[~wrong]) > 0.95


def test_rows_to_be_told_as_before_are_left_alone_by_a_correction_of_others_like_them() -> None:
    chance = np.random.default_rng(11)
    points = chance.normal(size=(8_000, 4)).astype(np.float32)
    told = np.tile(np.array([0.5, 0.0], np.float32), (8_000, 1))
    elsewhere = points[:, 0] > 0
    labels = np.where(elsewhere, AS_TOLD, 1)
    moved = fit_correction(points, labels, told, np.ones(8_000))(points)
    away = np.abs(moved[:, 1] - moved[:, 0])
    assert np.median(away[elsewhere]) < 0.5 * np.median(away[~elsewhere])
    heavier = fit_correction(points, labels, told, np.where(elsewhere, 1.0, 20.0))(points)
    assert np.median((heavier[:, 1] - heavier[:, 0])[elsewhere]) > np.median((moved[:, 1] - moved[:, 0])[elsewhere])
