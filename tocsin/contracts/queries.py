"""What a brand query may say: terms joined by OR, each a word, a "phrase", a #tag or an @handle.

Kept apart from the matching itself, so that `tocsin.yaml` can be checked without building anything.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_PIECE = re.compile(r'"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+)')
_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})
_UNKNOWN_OPERATOR = re.compile(r"AND|NOT|NEAR/\d+|(?:lang|source):\S+|\(.*|.*[)*]")


class UnreadableQuery(ValueError):
    """The query says something that cannot be read; the message says how to write it."""


class Term(NamedTuple):
    """What a text must contain: `words`, and right before it `sigil` (`#`, `@`, or nothing)."""

    words: str
    sigil: str = ""


def parse_query(query: str) -> tuple[Term, ...]:
    """The terms of a query such as `veloria OR "vélo ria" OR #veloriagate OR @veloria`, in their order.

    Raises UnreadableQuery where two terms are not joined by OR, a quotation mark is not closed, a term has no letter
    or digit, or an operator is used that this version does not know.
    """
    straight = query.translate(_QUOTES)
    if straight.count('"') % 2:
        raise UnreadableQuery(f'a quotation mark is not closed in {query!r}; write a phrase like "air france"')
    terms: list[Term] = []
    wants_term = True
    for piece in _PIECE.finditer(straight):
        phrase, word = piece["phrase"], piece["word"]
        if word == "OR":
            if wants_term:
                raise UnreadableQuery("an OR stands without a term before it; write: term OR term")
            wants_term = True
            continue
        if word is not None:
            _refuse_operators(word)
        if not wants_term:
            raise UnreadableQuery(
                f"{piece[0]!r} follows a term without OR; join terms with OR, or put a phrase into quotation marks"
            )
        terms.append(as_term(phrase if phrase is not None else word))
        wants_term = False
    if wants_term:
        raise UnreadableQuery("the query ends where a term should stand; write: term OR term")
    return tuple(terms)


def as_term(text: str) -> Term:
    """The term of a word, a phrase, a #tag or an @handle. Raises UnreadableQuery where it has nothing to look for."""
    bare = text.strip()
    sigil = bare[0] if bare[:1] in {"#", "@"} else ""
    words = bare.removeprefix(sigil).strip()
    if not any(_can_be_sought(character) for character in words):
        raise UnreadableQuery(f"{text!r} has no letter or digit to look for; take it out or write the name in full")
    return Term(words, sigil)


def _can_be_sought(character: str) -> bool:
    """Letters, digits, and symbols such as an emoji, which some brands go by; never punctuation alone."""
    return character.isalnum() or unicodedata.category(character) == "So"


def _refuse_operators(word: str) -> None:
    if _UNKNOWN_OPERATOR.fullmatch(word):
        raise UnreadableQuery(
            f'{word!r} is not known: a query is terms joined by OR, each a word, a "phrase", a #tag or an @handle'
        )
