"""From a network's raw numbers to labels: what every classifier does the same way."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.classify.classifiers.port import Labels

_FAINTEST = 1e-30
"""A vector whose largest component is smaller is one of zeros."""


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities over the last axis, in double precision so that they sum to 1."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


def shares(logits: Sequence[float], temperature: float) -> list[float]:
    """Probabilities of one text's answers that exclude each other.

    Plain numbers, as in `probability`: an array of so few takes longer to make than to count with.
    """
    largest = max(logits)
    odds = [math.exp((logit - largest) / temperature) for logit in logits]
    total = sum(odds)
    return [each / total for each in odds]


def probability(logit: float) -> float:
    """Probability of yes; never overflows."""
    return 0.5 * (1 + math.tanh(0.5 * logit))


def packed_embedding(vectors: NDArray[np.float32]) -> list[bytes]:
    """int8 bytes of each row of [rows, width], scaled so that the largest component is ±127: the cosine is kept."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    whole = np.rint(vectors * (127 / np.maximum(largest, _FAINTEST))).astype(np.int8)
    return [row.tobytes() for row in whole]


def empty_labels(width: int) -> Labels:
    """What is said of a text without a word: neutral without conviction (see `Classifier.classify`)."""
    sentiment = {"negative": 0.25, "neutral": 0.5, "positive": 0.25}
    return Labels(sentiment=sentiment, risk=0.0, kinds=(), toxicity=0.0, relevance=1.0, embedding=bytes(width))
