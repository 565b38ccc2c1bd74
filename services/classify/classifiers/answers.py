"""From a network's raw numbers to labels: what every classifier does the same way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.classify.classifiers.port import Labels


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities over the last axis, in double precision so that they sum to 1."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    exponentials = np.exp(shifted)
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


def sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probability of yes; never overflows."""
    probabilities: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64)))
    return probabilities


def packed_embedding(vectors: NDArray[np.float32]) -> list[bytes]:
    """int8 bytes of each row of [rows, width], scaled so that the largest component is ±127: the cosine is kept."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled = np.round(127 * vectors / np.maximum(largest, np.finfo(np.float32).tiny)).astype(np.int8)
    return [row.tobytes() for row in scaled]


def empty_labels(width: int) -> Labels:
    """What is said of a text without a word: neutral without conviction (see `Classifier.classify`)."""
    sentiment = {"negative": 0.25, "neutral": 0.5, "positive": 0.25}
    return Labels(sentiment=sentiment, risk=0.0, kinds=(), toxicity=0.0, relevance=1.0, embedding=bytes(width))
