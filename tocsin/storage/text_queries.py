"""What people type into the search box, understood: words, "phrases", beginnings* and -exclusions; pure.

Texts and queries are cut into the same folded words (`tocsin.folding`), so that `Éclair`, `eclair` and `ECLAIR` are one word on
either database, a script without spaces is searched character by character, and nothing that is typed is ever syntax of a database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tocsin.folding import Folded

LONGEST_QUERY = 500
"""Characters of a query."""
MOST_TERMS = 32
LONGEST_WORD = 100
"""Characters of a word that tell it from others; the rest of a longer one is cut off, in texts and in queries."""

_TERM = re.compile(r'(?P<no>-?)(?:"(?P<phrase>[^"]*)"?(?P<phrase_star>\*?)|(?P<plain>[^\s"]+))')
_QUOTES = str.maketrans(dict.fromkeys("«»“”„‟", '"'))


class UnsearchableText(ValueError):
    """The query holds nothing that could be found; the message says what it may hold."""


@dataclass(frozen=True, slots=True)
class Term:
    """Words that must stand next to each other in this order; with `beginning`, the last may go on."""

    words: tuple[str, ...]
    beginning: bool = False


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A mention is found where it has all of `wanted` and none of `excluded`."""

    wanted: tuple[Term, ...] = ()
    excluded: tuple[Term, ...] = ()


def words_of(text: str) -> list[str]:
    """The folded words of a text, in their order, each cut to `LONGEST_WORD`."""
    return [word.text[:LONGEST_WORD] for word in Folded.of(text).words()]


def parse(text: str) -> TextQuery:
    """Read a query. Raises UnsearchableText where no word is in it, or too many are.

    `air-france` and `l'avion` are phrases of two words; a quote that is never closed goes to the end.
    """
    wanted: list[Term] = []
    excluded: list[Term] = []
    for found in _TERM.finditer(text.translate(_QUOTES)):
        plain = found["plain"] or ""
        words = tuple(words_of(found["phrase"] if found["phrase"] is not None else plain.rstrip("*")))
        if words:
            beginning = bool(found["phrase_star"]) or plain.endswith("*")
            (excluded if found["no"] else wanted).append(Term(words, beginning))
    if not wanted and not excluded:
        raise UnsearchableText('there is no word in this; write words, "a phrase", a beginning*, or -excluded')
    if sum((len(term.words) for term in (*wanted, *excluded)), 0) > MOST_TERMS:
        raise UnsearchableText(f"these are more than {MOST_TERMS} words; leave some out")
    return TextQuery(tuple(wanted), tuple(excluded))
