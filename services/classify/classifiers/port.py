"""What a classifier promises, whichever network is behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class ClassifierUnavailableError(Exception):
    """The classifier that the configuration names cannot be opened; the message says what is missing and how to mend it."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What the network says about one text. All scores are 0–1."""

    sentiment: dict[str, float]
    """`negative`, `neutral`, `positive`: calibrated probabilities that sum to 1; the label is the most probable one."""
    risk: float
    """How likely a community manager wants to see this because it can feed a bad buzz, whatever its tone."""
    kinds: tuple[tuple[str, float], ...]
    """Kinds of risk at or above their threshold with their scores, most probable first."""
    toxicity: float
    relevance: float
    """How likely the text speaks about a company or what it sells at all."""
    embedding: bytes
    """int8, one byte a dimension, each vector with a scale of its own: compare by cosine only. All zeros: no text."""

    @property
    def label(self) -> str:
        """The most probable sentiment."""
        return max(self.sentiment, key=self.sentiment.__getitem__)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on a head says yes."""

    risk: float
    """Chosen so that at most one calm mention in ten is let through."""
    relevance: float
    toxicity: float
    kinds: Mapping[str, float]
    """Of each kind of risk; empty for a network that names none."""


@dataclass(frozen=True, slots=True)
class HarmfulRate:
    """How often a mention is called harmful (negative, or risk at or above its threshold), measured on human labels."""

    tpr: float
    """Of the mentions that people called negative."""
    fpr: float
    """Of those that people called neutral or positive."""


class Classifier(Protocol):
    """One pass of a network over texts."""

    @property
    def name(self) -> str:
        """Which network, for the record: `tocsin-e5`."""

    @property
    def revision(self) -> str:
        """Changes whenever the same text may get other labels."""

    @property
    def thresholds(self) -> Thresholds:
        """From which score on each head says yes."""

    @property
    def harmful_rates(self) -> Mapping[str, HarmfulRate]:
        """By ISO language, and `default` for every other one; detection corrects its counts by them."""

    def classify(self, texts: Sequence[str]) -> list[Labels]:
        """Labels of each text, in order. Never fails on a text, whatever is in it.

        An empty text (a rating without a word) is neutral without conviction: 0.25, 0.5, 0.25, no risk, no toxicity,
        relevance 1 (nothing speaks against it), an embedding of zeros.
        """
