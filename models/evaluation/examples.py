"""The hand-written sets, read: `kinds.tsv`, `stories.tsv`, `homonyms.tsv`, `comparisons.tsv`, `behaviour.tsv`.

All sentences are made up. Companies that exist are named in `homonyms.tsv` only, because their names are words; what is said
of them there is as invented as the rest.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class KindExample:
    """A mention of one kind of risk; `kind` is None where there is none."""

    kind: str | None
    language: str
    text: str


@dataclass(frozen=True)
class StoryExample:
    """One telling of an event; (`brand`, `event`) is the same for other tellings, in other languages."""

    brand: str
    event: str
    language: str
    text: str


@dataclass(frozen=True)
class Homonym:
    """A text with the brand's name in it, and whether it is about the brand."""

    language: str
    brand: str
    about: bool
    text: str


@dataclass(frozen=True)
class Comparison:
    """A text that names two brands; `expected` is what must be read for `brand` (see `behaviour.EXPECTATIONS`)."""

    language: str
    brand: str
    expected: str
    text: str


@dataclass(frozen=True)
class Sentence:
    """A sentence of the behavioural suite: what it is for, and what must come out."""

    capability: str
    expected: str
    language: str
    text: str


def kind_examples() -> list[KindExample]:
    """At least 25 mentions a kind in eight languages, and calm ones (some on touchy words)."""
    return [
        KindExample(None if row["kind"] == "none" else row["kind"], row["language"], row["text"])
        for row in _rows("kinds")
    ]


def story_examples() -> list[StoryExample]:
    """Three events a brand, each told in three languages."""
    return [StoryExample(**row) for row in _rows("stories")]


def homonyms() -> list[Homonym]:
    """Names that are words or places too, meant and not meant."""
    return [Homonym(row["language"], row["brand"], row["about"] == "yes", row["text"]) for row in _rows("homonyms")]


def comparisons() -> list[Comparison]:
    """Two brands side by side, each asked about."""
    return [Comparison(**row) for row in _rows("comparisons")]


def sentences() -> list[Sentence]:
    """What `behaviour` builds its cases from."""
    return [Sentence(**row) for row in _rows("behaviour")]


def _rows(name: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / f"{name}.tsv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
