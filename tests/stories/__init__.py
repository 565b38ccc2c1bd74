"""Texts that were written by hand to measure stories and near copies: made-up brands, events told in several languages.

`events.tsv`: brand, event, language, text; two texts of a brand tell one story when they are of one event. `copies.tsv`: `copy` or
`other`, language, two texts.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_HERE = Path(__file__).parent


class Told(NamedTuple):
    """A text of an event."""

    brand: str
    event: str
    language: str
    text: str


class Pair(NamedTuple):
    """Two texts, and whether one is a copy of the other."""

    copy: bool
    language: str
    one: str
    other: str


def events() -> list[Told]:
    """Every text of every event."""
    return [Told(*line.split("\t")) for line in _lines("events.tsv")]


def pairs() -> list[Pair]:
    """Every pair."""
    rows = [line.split("\t") for line in _lines("copies.tsv")]
    return [Pair(kind == "copy", language, one, other) for kind, language, one, other in rows]


def _lines(name: str) -> list[str]:
    return (_HERE / name).read_text(encoding="utf-8").splitlines()
