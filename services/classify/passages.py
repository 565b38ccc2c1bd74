"""What is classified of a mention: for each of its brands, the passage around the brand's match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.contracts.events import Mention
from tocsin.matching import BrandMatcher


@dataclass(frozen=True, slots=True)
class Passage:
    """What the network is shown of a mention for one brand."""

    mention: Mention
    brand: str
    text: str
    has_query: bool
    """Whether the brand has a query that matches; else somebody else said that the mention is about it."""


def passages_of(mention: Mention, brands: Sequence[str], matcher: BrandMatcher) -> list[Passage]:
    """A passage a brand; the whole text where the brand has no query or no match."""
    return [
        Passage(mention, brand, matcher.passage(mention.text, brand), matcher.matches(mention.text, brand))
        for brand in brands
    ]
