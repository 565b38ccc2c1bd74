"""From which scores a mention is about the brand, and harmful: what every figure depends on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From the neural network's card: the risk from which a mention is harmful whatever its sentiment, and the relevance from
    which it is about the brand (both 0–1)."""

    risk: float = 0.5
    relevance: float = 0.5
