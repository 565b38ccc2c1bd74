"""Which brands a text speaks of, and where: every brand's terms in one pass over the text's words.

Terms match whole words, so `Delta` is not in `deltaplane`. A name of several words matches with spaces or hyphens between
them, and as one #hashtag or @handle (`#airfrance`). A term that begins with `#` or `@` matches only with that sign before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol, Self

from tocsin.contracts.queries import Term, as_term, parse_query
from tocsin.folding import Folded, Word, gap

PASSAGE_LENGTH = 2000
"""Characters around a brand's match that are classified; more than the neural network reads in any language."""


class Brand(Protocol):
    """What matching needs of a brand's settings."""

    @property
    def id(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def query(self) -> str | None: ...
    @property
    def exclude(self) -> str | None: ...


class Span(NamedTuple):
    """Where a term stands: `text[start:end]`, in characters."""

    start: int
    end: int


class _Pattern(NamedTuple):
    """A term taken apart: the words after the first, what stands before each of them, and the sign before the first."""

    brand: str
    rest: tuple[tuple[str, str], ...]
    sigils: str


class BrandMatcher:
    """Finds the brands of a text. Immutable and cheap to share between threads."""

    def __init__(
        self, terms: Mapping[str, Sequence[Term]], excluded: Mapping[str, Sequence[Term]] | None = None
    ) -> None:
        """`terms`: brand id → the terms that stand for it; a brand without any is never found.

        `excluded`: brand id → terms that say that a text is not about it, such as `"orange juice"` for Orange.
        """
        self._excluding = BrandMatcher(excluded) if excluded else None
        self._brands = frozenset(brand for brand, wanted in terms.items() if wanted)
        self._capitalised = frozenset(
            brand for brand, wanted in terms.items() if any(term.words[:1].isupper() for term in wanted)
        )
        self._patterns: dict[str, list[_Pattern]] = defaultdict(list)
        for brand, wanted in terms.items():
            for term in wanted:
                self._add(brand, term)

    @classmethod
    def of_brands(cls, brands: Iterable[Brand]) -> Self:
        """The matcher of the configured brands: the query of each, or its names where no query is written."""
        brands = tuple(brands)
        excluded = {brand.id: parse_query(brand.exclude) for brand in brands if brand.exclude is not None}
        return cls({brand.id: terms_of(brand) for brand in brands}, excluded)

    def has_query(self, brand: str) -> bool:
        """Whether there is anything to look for; a brand without terms is only fed by sources that name it."""
        return brand in self._brands

    def is_capitalised(self, brand: str) -> bool:
        """Whether any of the brand's names begins with a capital: then somebody who writes it small may mean a word."""
        return brand in self._capitalised

    def spans(self, text: str) -> dict[str, list[Span]]:
        """For each brand that is found, where; brands in the order of the text, spans too, each span once."""
        if not self._patterns:
            return {}
        folded = Folded.of(text)
        words = folded.words()
        found: dict[str, dict[tuple[int, int], None]] = {}
        for index, word in enumerate(words):
            for pattern in self._patterns.get(word.text, ()):
                end = _end_of_match(folded.text, words, index, pattern)
                if end is not None:
                    found.setdefault(pattern.brand, {})[(word.start, end)] = None
        if found and self._excluding is not None:
            for brand in self._excluding.spans(text):
                found.pop(brand, None)
        return {brand: [Span(*span) for span in folded.origin(list(spans))] for brand, spans in found.items()}

    def brands(self, text: str) -> tuple[str, ...]:
        """The brands that the text speaks of, in the order in which it does."""
        return tuple(self.spans(text))

    def matches(self, text: str, brand: str) -> bool:
        """Whether the text speaks of this brand."""
        return brand in self.spans(text)

    def passage(self, text: str, brand: str, limit: int = PASSAGE_LENGTH) -> str:
        """The passage around the brand's matches, at most `limit` characters; the beginning of the text without a match."""
        if len(text) <= limit:
            return text
        return passage(text, self.spans(text).get(brand, []), limit)

    def _add(self, brand: str, term: Term) -> None:
        folded = Folded.of(term.words)
        words = folded.words()
        if not words:
            return
        rest = tuple((gap(folded.text[before.end : word.start]), word.text) for before, word in pairwise(words))
        self._patterns[words[0].text].append(_Pattern(brand, rest, term.sigil))
        if rest and all(between in {" ", "'"} for between, _ in rest):
            joined = "".join(word.text for word in words)
            self._patterns[joined].append(_Pattern(brand, (), term.sigil or "#@"))


def terms_of(brand: Brand) -> tuple[Term, ...]:
    """The terms of a brand's query, else one for each of its names. Raises UnreadableQuery."""
    if brand.query is not None:
        return parse_query(brand.query)
    return tuple(as_term(name) for name in brand.names)


def passage(text: str, spans: Sequence[Span], limit: int = PASSAGE_LENGTH) -> str:
    """The window of at most `limit` characters that holds most of `spans`, cut between words where it can be.

    Of several such windows the first. What lies before a match is given less room than what follows: a name comes first,
    what is said of it later.
    """
    if len(text) <= limit:
        return text
    if not spans:
        return _cut(text, 0, limit)
    lead = limit // 3
    starts = [max(0, min(span.start - lead, len(text) - limit)) for span in spans]
    best = max(
        starts, key=lambda start: (sum(start <= span.start and span.end <= start + limit for span in spans), -start)
    )
    return _cut(text, best, limit)


def _cut(text: str, start: int, limit: int) -> str:
    window = text[start : start + limit]
    slack = max(1, limit // 10)
    if start > 0:
        head = window[:slack]
        skip = next((index + 1 for index, character in enumerate(head) if character.isspace()), 0)
        window = window[skip:]
    if start + limit < len(text):
        tail = window[-slack:]
        keep = next((index for index in range(len(tail) - 1, 0, -1) if tail[index].isspace()), len(tail))
        window = window[: len(window) - len(tail) + keep]
    return window.strip()


def _end_of_match(text: str, words: Sequence[Word], index: int, pattern: _Pattern) -> int | None:
    """Where the pattern ends that begins at `words[index]`, or None where it does not stand there."""
    first = words[index]
    if pattern.sigils and (first.start == 0 or text[first.start - 1] not in pattern.sigils):
        return None
    if index + len(pattern.rest) >= len(words):
        return None
    end = first.end
    for word, (between, wanted) in zip(words[index + 1 :], pattern.rest, strict=False):
        if word.text != wanted or gap(text[end : word.start]) != between:
            return None
        end = word.end
    return end
