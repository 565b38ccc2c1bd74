"""Crisis words: the words that a community manager does not sleep through."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache


@lru_cache(maxsize=1024)
def crisis_word_finder(words: tuple[str, ...]) -> Callable[[str], bool]:
    """A function that tells whether a text has one of `words`, at the start of a word and in any case.

    A word in the list stands for everything that begins with it: `boycott` finds *boycotting* and *#Boycott2026*.
    """
    if not words:
        return _never
    alternatives = "|".join(re.escape(word.casefold()) for word in _longest_first(words))
    pattern = re.compile(rf"(?<!\w)(?:{alternatives})")

    def speaks_of_crisis(text: str) -> bool:
        return pattern.search(text.casefold()) is not None

    return speaks_of_crisis


def _never(_text: str) -> bool:
    return False


def _longest_first(words: Iterable[str]) -> list[str]:
    return sorted(set(words), key=lambda word: (-len(word), word))
