"""Whether a matched name looks like the brand's, or like the word that it is too: *orange juice*, *in total*, *an apple*.

The network says how likely a text speaks of a company at all; how the name is written says whether it is this one. Two signs
speak against the brand, each by a factor on the odds of relevance: the name is written small by somebody who writes other
words with capitals, and an article stands before it that one does not put before a company.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tocsin.matching import Span

WRITTEN_SMALL = 0.22
BEHIND_AN_ARTICLE = 0.22
"""Factors of e^-1.5, one size for both: chosen by hand. On `models/evaluation/homonyms.tsv` they take the AUROC from 0.79 to 0.86."""

_ARTICLE = re.compile(
    r"(?:\b(?:une?|des|quelques|cette|an?|some|this|these|unas?|unos|este|esta|ese|esa|ein|eine[nmrs]?|kein\w*|diese\w*)|\d)\s+$",
    re.IGNORECASE,
)


def odds_of_the_brand(text: str, spans: Sequence[Span], *, capitalised: bool) -> float:
    """The factor on the odds of relevance, at most 1, that the writing of all matches of a name speaks for.

    `capitalised`: whether the brand writes its own name with a capital; one that does not may be written small.
    """
    if not spans:
        return 1.0
    factor = 1.0
    small = all(text[span.start].islower() and text[: span.start][-1:] not in {"#", "@"} for span in spans)
    if capitalised and small and any(letter.isupper() for letter in text):
        factor *= WRITTEN_SMALL
    if all(_ARTICLE.search(text, max(0, span.start - 16), span.start) for span in spans):
        factor *= BEHIND_AN_ARTICLE
    return factor


def weighed(relevance: float, factor: float) -> float:
    """A probability with its odds multiplied."""
    return relevance * factor / (relevance * factor + (1 - relevance)) if relevance < 1 else relevance
