"""Second readings: how a text was judged by a reader who saw neither its label nor its set (`readings.tsv`).

The file holds no text, only its digest (`digest_of`), its language and one letter: `N` clearly negative, `n` rather negative,
`u` neutral, `p` rather positive, `P` clearly positive, `m` both at once. A letter becomes a soft label by what the target set's
own annotators said of the texts of that language that were read so: 'rather negative' is neutral to some annotators more often
than to others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LETTERS = "NnupPm"

_BEFOREHAND = 20.0
"""How many texts of a language it takes until its own annotators say as much as those of all languages together."""

Teacher = Callable[[str], Sequence[float] | None]
"""A text's soft sentiment (negative, neutral, positive), where it has one."""


def digest_of(text: str) -> int:
    """A prepared text's name in files that must not hold it."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def read_letters(path: Path = Path(__file__).parent / "readings.tsv") -> dict[int, tuple[str, str]]:
    """Language and letter by digest. Raises ValueError for a line that is not one, with its number."""
    found: dict[int, tuple[str, str]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()[1:], start=2):
        digest, _, rest = line.partition("\t")
        language, _, letter = rest.partition("\t")
        if not digest.isdecimal() or letter not in LETTERS or len(letter) != 1:
            raise ValueError(
                f"{path}, line {number}: wants a digest, a language and one letter of {LETTERS}, not {line!r}"
            )
        found[int(digest)] = (language, letter)
    return found


def meanings(
    letters: Mapping[int, tuple[str, str]], judged: Mapping[int, int]
) -> Callable[[str, str], NDArray[np.float64]]:
    """What a letter means in a language: the shares of the three sentiments among the `judged` texts (digest → sentiment) read so."""
    counts: dict[str, NDArray[np.float64]] = {}
    for digest, (language, letter) in letters.items():
        sentiment = judged.get(digest)
        if sentiment is not None:
            counts.setdefault(language, np.zeros((len(LETTERS), 3)))[LETTERS.index(letter), sentiment] += 1
    every = 1.0 + sum(counts.values(), np.zeros((len(LETTERS), 3)))
    every /= every.sum(1, keepdims=True)

    def meaning(language: str, letter: str) -> NDArray[np.float64]:
        row = LETTERS.index(letter)
        own: NDArray[np.float64] = counts.get(language, np.zeros_like(every))[row] + _BEFOREHAND * every[row]
        return own / own.sum()

    return meaning


def soft_readings(judged: Mapping[str, int], letters: Mapping[int, tuple[str, str]] | None = None) -> Teacher:
    """Soft sentiments of all texts that were read; `judged` is the target set's text → sentiment."""
    known = read_letters() if letters is None else letters
    meaning = meanings(known, {digest_of(text): sentiment for text, sentiment in judged.items()})
    told = {(language, letter): meaning(language, letter).tolist() for language, letter in {*known.values()}}

    def soft(text: str) -> Sequence[float] | None:
        found = known.get(digest_of(text))
        return None if found is None else told[found]

    return soft


def together(first: Teacher | None, second: Teacher | None) -> Teacher | None:
    """The mean of two opinions where a text has both, else the one that it has."""
    if first is None or second is None:
        return first or second

    def soft(text: str) -> Sequence[float] | None:
        one, other = first(text), second(text)
        if one is None or other is None:
            return one or other
        return [(a + b) / 2 for a, b in zip(one, other, strict=True)]

    return soft
