"""From raw numbers to scores and bytes."""

from __future__ import annotations

import numpy as np
import pytest

from services.classify.classifiers.answers import packed_embedding, probability, shares, softmax


def test_probabilities_sum_to_one_however_large_the_logits() -> None:
    scores = softmax(np.array([[1000.0, 0.0, -1000.0], [1.0, 1.0, 1.0]], np.float32))
    assert scores.sum(axis=1) == pytest.approx([1.0, 1.0])
    assert scores[0] == pytest.approx([1.0, 0.0, 0.0])


def test_the_shares_of_one_text_are_those_of_the_batch() -> None:
    logits = np.array([[1000.0, 0.0, -1000.0], [0.3, -1.2, 2.0]], np.float32)
    for row, whole in zip(logits.tolist(), softmax(logits / np.float32(2)), strict=True):
        assert shares(row, 2.0) == pytest.approx(whole.tolist())


def test_a_logit_of_zero_is_one_half_and_extremes_do_not_overflow() -> None:
    assert [probability(logit) for logit in (0.0, 1e6, -1e6)] == [0.5, 1.0, 0.0]


def test_a_packed_embedding_keeps_the_cosine() -> None:
    vectors = np.random.default_rng(1).normal(size=(2, 384)).astype(np.float32)
    packed = [np.frombuffer(each, np.int8).astype(float) for each in packed_embedding(vectors)]

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    assert cosine(packed[0], packed[1]) == pytest.approx(cosine(vectors[0], vectors[1]), abs=0.01)
    assert [np.abs(each).max() for each in packed] == [127, 127]


def test_a_vector_of_zeros_stays_zeros() -> None:
    assert packed_embedding(np.zeros((1, 4), np.float32)) == [bytes(4)]
