"""Which words moved the risk: each is left out in turn, and what the network says then is compared (occlusion).

After Zeiler and Fergus (2014), on words instead of patches. All variants of a text go through the network together with the
text itself, because scores differ with what else is in a batch. The measure is the fall of the log-odds of
risk, not of risk itself: at 0.99 every single word could be missed, and still some carry it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from services.classify.classifiers.port import Classifier
from services.classify.labelling import Labelled
from services.classify.passages import Passage
from tocsin.clock import Clock
from tocsin.contracts.events import ExplainedWord, LabelQuality

PIECES = 24
"""Variants a text at most: the words of a longer one are left out several neighbours at a time."""
KEPT = 8
"""Words that an explanation names at most."""
FAINT = 0.3
"""A smaller move, in log-odds, may be noise. A move differs by 0.1 in the median with what else is in the batch, because of int8: of
those between 0.3 and 0.4 one in twenty changed its sign when the same 80 risky texts were explained together instead of alone, of
those between 0.2 and 0.3 one in eleven. And all 80 have a word that raised the risk."""

SAVED_SECONDS = 10.0
"""Explanations that nobody needed are saved up for so long: a crisis begins with many risky mentions at once."""

LOOKED_AT = 600
"""Characters of a passage whose words are left out: the network hardly reads further, and each piece of a longer
one would be a paragraph."""

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some neighbouring words of a passage: `passage[start:end]`."""

    start: int
    end: int


class Explainer:
    """Explains the riskiest mentions of each batch, as many as its allowance a second lets it.

    Bounded by time, because in a crisis everything is risky and one explanation takes up to 25 passes of the network: at one a
    second that is a tenth of what two cores do. A copy is not explained, the page takes the words of its like.
    """

    def __init__(self, classifier: Classifier, clock: Clock, a_second: float) -> None:
        self._classifier = classifier
        self._clock = clock
        self._a_second = a_second
        self._saved = a_second * SAVED_SECONDS
        self._since = clock.now()

    def of_the_riskiest(
        self, passages: Sequence[Passage], labelled: Sequence[Labelled]
    ) -> list[tuple[ExplainedWord, ...] | None]:
        """For each passage its explanation, or None where it is calm, a copy, or beyond the allowance."""
        explanations: list[tuple[ExplainedWord, ...] | None] = [None] * len(passages)
        if not self._a_second:
            return explanations
        threshold = self._classifier.thresholds.risk
        risky = [
            index
            for index, result in enumerate(labelled)
            if result.quality == LabelQuality.MODEL and result.labels.risk >= threshold
        ]
        chosen = sorted(risky, key=lambda index: -labelled[index].labels.risk)[: self._allowance()]
        self._saved -= len(chosen)
        made = explain(
            self._classifier,
            [passages[index].text for index in chosen],
            [passages[index].mention.text for index in chosen],
        )
        for index, words in zip(chosen, made, strict=True):
            explanations[index] = words
        return explanations

    def _allowance(self) -> int:
        now = self._clock.now()
        earned = max(0.0, (now - self._since).total_seconds()) * self._a_second
        self._since = now
        self._saved = min(self._saved + earned, max(1.0, self._a_second * SAVED_SECONDS))
        return int(self._saved)


def explain(classifier: Classifier, passages: Sequence[str], texts: Sequence[str]) -> list[tuple[ExplainedWord, ...]]:
    """For each passage, the words that moved its risk most, in the order of the text; places are those in `texts`.

    `passages[n]` is what was classified of `texts[n]`: words that stand in the passage only (a comparison turned round) are
    left out, because there is nothing to mark. A text without words has no explanation.
    """
    pieces = [_pieces(passage) for passage in passages]
    variants = [
        variant
        for passage, parts in zip(passages, pieces, strict=True)
        for variant in (passage, *(passage[: part.start] + passage[part.end :] for part in parts))
    ]
    odds = iter([_log_odds(labels.risk) for labels in classifier.classify(variants)])
    explanations = []
    for passage, text, parts in zip(passages, texts, pieces, strict=True):
        whole = next(odds)
        moves = [(part, whole - next(odds)) for part in parts]
        explanations.append(_marked(moves, _places(passage, text), text))
    return explanations


def _pieces(passage: str) -> list[_Piece]:
    words = [match.span() for match in _WORD.finditer(passage) if match.start() < LOOKED_AT]
    size = max(1, math.ceil(len(words) / PIECES))
    groups = [words[n : n + size] for n in range(0, len(words), size)]
    return [_Piece(group[0][0], group[-1][1]) for group in groups] if len(words) > 1 else []


def _log_odds(risk: float) -> float:
    bounded = min(max(risk, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


def _places(passage: str, text: str) -> dict[int, tuple[int, int]]:
    """Where each word of the passage stands in the text: by its first character in the passage, (start, end) there."""
    ours, theirs = list(_WORD.finditer(passage)), list(_WORD.finditer(text))
    matcher = SequenceMatcher(None, [word[0] for word in ours], [word[0] for word in theirs], autojunk=False)
    return {
        ours[block.a + n].start(): theirs[block.b + n].span()
        for block in matcher.get_matching_blocks()
        for n in range(block.size)
    }


def _marked(
    moves: Sequence[tuple[_Piece, float]], places: dict[int, tuple[int, int]], text: str
) -> tuple[ExplainedWord, ...]:
    strongest = sorted((move for move in moves if abs(move[1]) >= FAINT), key=lambda move: -abs(move[1]))[:KEPT]
    words = []
    for part, weight in strongest:
        found = [place for start, place in places.items() if part.start <= start < part.end]
        if not found:
            continue
        start, end = min(found)[0], max(found)[1]
        start, end = _bare(text, start, end)
        words.append(ExplainedWord(word=text[start:end], start=start, end=end, weight=round(weight, 2)))
    return tuple(sorted(words, key=lambda each: each.start))


def _bare(text: str, start: int, end: int) -> tuple[int, int]:
    """`text[start:end]` without the punctuation around it; all of it where nothing else is there, as in an emoji."""
    first, last = start, end
    while first < end and not _is_of_a_word(text[first]):
        first += 1
    while last > first and not _is_of_a_word(text[last - 1]):
        last -= 1
    return (first, last) if first < last else (start, end)


def _is_of_a_word(letter: str) -> bool:
    """Letters, digits, and the marks that belong to a letter: Hindi writes its vowels with them, Arabic its short ones."""
    return unicodedata.category(letter)[0] in "LNM"
