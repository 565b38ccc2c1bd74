"""Texts made alike before they are compared: case and accents folded, invisible characters gone, words found in any script.

What is folded: case; accents (`é` → `e`); compatibility forms (`Ａ`, `𝐀` → `a`); ligatures and letters that are typed both
ways (`œ`, `ß`, `ø`, `ł`, `ı`); Arabic vowel signs, hamza and tatweel, Hebrew points; characters that nobody sees (zero-width
joiners, soft hyphens, marks of direction), with which words are hidden from filters. What is kept, because it makes another
word: vowel signs of Indic scripts and Thai, voicing marks of Japanese, and letters of another script that only look alike.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

_TYPED_BOTH_WAYS = {
    "œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "ı": "i", "þ": "th",
    "™": "", "®": "", "©": "", "℠": "", "ـ": "",
}  # fmt: skip
_VARIATION_SELECTORS = frozenset({*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)})
_KEPT_CLASSES = frozenset({0, 8, 9, *range(84, 133)})
"""Canonical combining classes of marks that make another word; the others are accents and points."""

_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ′`´", "'"))
_LOOSE = re.compile(r"[\s_\-‐‑‒–—]+")

# Scripts that put no space between words: each character is a word, and a Latin name may touch them.
_UNSPACED = (
    "\u0e01-\u0e30\u0e32\u0e33\u0e40-\u0e46\u0e80-\u0eb0\u0eb2\u0eb3\u0ebd-\u0ec6\u1000-\u102a\u1050-\u1055\u1780-\u17b3"
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)


class Word(NamedTuple):
    """A folded word and where it stands in the folded text."""

    text: str
    start: int
    end: int


class _Folds(dict[int, str]):
    """The fold of each character, made when it is first met: a table for str.translate."""

    def __missing__(self, code: int) -> str:
        folded = "".join(_fold_part(part) for part in unicodedata.normalize("NFKD", chr(code).casefold()))
        folded = unicodedata.normalize("NFC", folded)
        if chr(code) in _TYPED_BOTH_WAYS:
            folded = _TYPED_BOTH_WAYS[chr(code)]
        self[code] = folded
        return folded


def _fold_part(part: str) -> str:
    category = unicodedata.category(part)
    if category == "Cf" or ord(part) in _VARIATION_SELECTORS:
        return ""
    if category.startswith("M") and unicodedata.combining(part) not in _KEPT_CLASSES:
        return ""
    return _TYPED_BOTH_WAYS.get(part, part.casefold())


_FOLDS = _Folds()


@dataclass(frozen=True, slots=True)
class Folded:
    """A text, folded, that still knows where each of its characters came from."""

    original: str
    text: str

    @classmethod
    def of(cls, text: str) -> Folded:
        """Fold a text of any length, in one pass."""
        return cls(text, text.translate(_FOLDS))

    def words(self) -> list[Word]:
        """The words in their order; each character of a script without spaces, and each symbol, is a word of its own."""
        # _make, because a named tuple's own constructor takes longer than finding the word: this runs on every mention.
        return [Word._make((found[0], *found.span())) for found in _word_pattern().finditer(self.text)]

    def origin(self, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Spans of the folded text as spans of the original."""
        ends = list(accumulate(len(_FOLDS[ord(character)]) for character in self.original))
        return [(bisect_right(ends, start), bisect_right(ends, end - 1) + 1) for start, end in spans]


def gap(between: str) -> str:
    """What stands between two words, so that spaces, hyphens and underscores are alike, and all apostrophes are.

    `H&M` and `H & M` have the same gap, `Air-France` and `Air France` too, but `… by air. France …` has another.
    """
    alike = _LOOSE.sub(" ", between.translate(_APOSTROPHES))
    return alike if alike == " " else alike.strip()


@functools.cache
def _word_pattern() -> re.Pattern[str]:
    # Python's \w leaves out the marks without which no Indic word holds together; the ranges are made once, at first use.
    categories = [(code, unicodedata.category(chr(code))) for code in range(0x24, 0x20000)]
    kept = _ranges([code for code, category in categories if category.startswith("M")])
    symbols = _ranges([code for code, category in categories if category in {"So", "Sm", "Sc"}])
    return re.compile(
        f"[{_UNSPACED}][{kept}]*|(?:(?![{_UNSPACED}])[^\\W_]|[{kept}]|(?<=[^\\W_])_(?=[^\\W_]))+|[{symbols}]"
    )


def _ranges(codes: list[int]) -> str:
    """Code points as the ranges of a character class."""
    spans: list[list[int]] = []
    for code in codes:
        if spans and code == spans[-1][1] + 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in spans)
