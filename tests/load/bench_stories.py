"""How well mentions are grouped, on texts that were written by hand: `python -m tests.load.bench_stories`.

Near copies: pairs in ten languages (`tests/stories/copies.tsv`). Stories: four brands with four or five events each, told in up to
eight languages (`tests/stories/events.tsv`), given their story one after the other in twenty random orders, as they would come.
Pairs of one brand are compared: two texts of one event should be together, two of different events of the brand should not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random

import numpy as np

from services.alert.detection.copies import copy_key
from services.alert.detection.stories import StoryBook, Telling
from services.classify.classifiers.shipped import open_classifier
from tests.stories import Told, events, pairs
from tocsin.contracts.settings.detection import StorySettings
from tocsin.network_card import SHIPPED

ORDERS = 20
_AT = datetime(2026, 3, 10, tzinfo=UTC)


@dataclass(frozen=True)
class Grouping:
    """Of pairs: how many that were put together belong together, how many that belong together were put so."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def embeddings(said: list[Told]) -> list[bytes]:
    """Each text as the shipped network embeds it."""
    return [bytes(labels.embedding) for labels in open_classifier(SHIPPED).classify([item.text for item in said])]


def auroc(said: list[Told], given: list[bytes], *, across: bool | None = None) -> float:
    """How often two texts of one event are nearer than two of different events of the brand; `across`: of other languages alone."""
    vectors = np.array([np.frombuffer(item, dtype=np.int8).astype(float) for item in given])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    same, other = [], []
    for one, two in combinations(range(len(said)), 2):
        left, right = said[one], said[two]
        if left.brand == right.brand and across in (None, left.language != right.language):
            (same if left.event == right.event else other).append(float(vectors[one] @ vectors[two]))
    return float((np.array(same)[:, None] > np.array(other)[None]).mean())


def grouping(said: list[Told], given: list[bytes], settings: StorySettings) -> Grouping:
    """How the pairs of a brand fall, over `ORDERS` orders."""
    right = together = belong = 0
    for order in range(ORDERS):
        for brand in sorted({item.brand for item in said}):
            texts = [(item, vector) for item, vector in zip(said, given, strict=True) if item.brand == brand]
            Random(order).shuffle(texts)
            tellings = [
                Telling(str(n), _AT + timedelta(minutes=n), item.text, copy_key(item.text), vector)
                for n, (item, vector) in enumerate(texts)
            ]
            found = StoryBook(settings).assign(tellings)
            for one, two in combinations(range(len(texts)), 2):
                same_event = texts[one][0].event == texts[two][0].event
                same_story = found[str(one)].story == found[str(two)].story
                right += same_event and same_story
                together += same_story
                belong += same_event
    return Grouping(right / max(together, 1), right / max(belong, 1))


def copies(settings: StorySettings) -> Grouping:
    """How the pairs of near copies fall."""
    right = together = belong = 0
    for pair in pairs():
        tellings = [
            Telling(str(n), _AT + timedelta(minutes=n), text, copy_key(text), None)
            for n, text in enumerate((pair.one, pair.other))
        ]
        found = StoryBook(settings).assign(tellings)
        same = found["0"].copies == found["1"].copies
        right, together, belong = right + (same and pair.copy), together + same, belong + pair.copy
    return Grouping(right / max(together, 1), right / max(belong, 1))


def main() -> None:
    """Print the table."""
    settings, said = StorySettings(), events()
    given = embeddings(said)
    found = copies(settings)
    print(f"near copies, {len(pairs())} pairs: precision {found.precision:.2f}, recall {found.recall:.2f}")
    print(
        f"embedding, {len(said)} texts: AUROC of one event against another of the brand {auroc(said, given):.3f}, "
        f"across languages {auroc(said, given, across=True):.3f}"
    )
    print("| similarity | precision | recall | F1 |\n|---|---|---|---|")
    for similarity in (0.36, 0.4, 0.44, 0.48, 0.52, 0.56):
        figure = grouping(said, given, settings.model_copy(update={"similarity": similarity}))
        usual = " (the default)" if similarity == settings.similarity else ""
        print(f"| {similarity}{usual} | {figure.precision:.2f} | {figure.recall:.2f} | {figure.f1:.2f} |")


if __name__ == "__main__":
    main()
