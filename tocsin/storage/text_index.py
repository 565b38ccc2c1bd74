"""The full-text index: what of a mention is found by its words, and by where it comes from; the same on both databases.

Each row of `mention_brands` has its *tokens*: the folded words of the text (`tocsin.storage.text_queries`), and a *facet* for
each thing that is asked for by equality: brand, source, kind of source, language, author, risk kinds, hashtags, links, campaigns.
A facet is a digest behind an equals sign, which no word is. So any mixture of filters is one look into one inverted index.

- PostgreSQL keeps them as `tsvector` under a GIN index. It is built here and not by a text search configuration, which
  would cut and fold otherwise than SQLite.
- SQLite keeps them as text under an FTS5 table (`mention_tokens`) whose tokenizer takes every token as it stands; triggers keep the
  two in step. Its rows are numbered by the second of publication (`numbered`), so that the newest come first without sorting.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Dialect, Text, bindparam, cast
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from tocsin.folding import Folded
from tocsin.storage import link_parts
from tocsin.storage.text_queries import Term, TextQuery, words_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MOST_WORDS = 10_000
"""Words of one text that can be found; PostgreSQL keeps positions up to 16,383."""
MOST_BYTES = 400_000
"""Bytes of the words of one text; a `tsvector` holds less than 1 MiB with everything around them."""
MOST_POSITIONS = 255
"""Places of one word in one text, as PostgreSQL keeps them."""
SECOND = 1 << 30
"""How many numbers one second of publication has on SQLite."""

FTS5_TOKENIZER = "ascii tokenchars '_=$+<>|~'"
"""Takes every token as it stands: characters that are no ASCII are letters to it anyway."""


class Tokens(TypeDecorator[str]):
    """Tokens, separated by spaces, as `tokens` makes them; `tsvector` on PostgreSQL, which gives back its own way of writing."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TSVECTOR())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return _vector(value.split(" ")) if value is not None and dialect.name == "postgresql" else value

    def bind_expression(self, bindvalue: BindParameter[str]) -> ColumnElement[str]:
        # PostgreSQL takes no text for a tsvector unless told so.
        return cast(bindvalue, type_=self)


def facet(kind: str, value: str) -> str:
    """The token of a thing that is asked for by equality: `facet("source", "rss")`."""
    return "=" + blake2b(f"{kind}\0{value}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def language_facets(language: str | None) -> list[str]:
    """`pt-BR` is found as `pt-BR` and as `pt`."""
    parts = (language or "").lower().split("-")
    return [facet("language", "-".join(parts[:length])) for length in range(1, len(parts) + 1)] if parts[0] else []


def name_facet(name: str) -> str:
    """An author by name, whatever the case and accents; a leading @ says nothing."""
    return facet("author_name", Folded.of(name.strip().removeprefix("@")).text)


def folded_hashtag(tag: str) -> str:
    """A hashtag as it is indexed, from however it was typed."""
    return Folded.of(tag.strip().lstrip("#＃")).text


def tokens(
    *,
    brand: str,
    text: str | None,
    source: str | None,
    source_kind: str | None,
    language: str | None,
    author_key: str | None,
    author_name: str | None,
    risk_kinds: Iterable[str],
    url: str | None = None,
) -> str:
    """Everything that one mention of one brand is found by; no text, no words."""
    found = _within_bounds(words_of(text or ""))
    facets = [facet("brand", brand), *language_facets(language)]
    facets += [facet("risk_kind", kind) for kind in risk_kinds]
    facets += [facet("hashtag", tag) for tag in link_parts.hashtags_of(text)]
    facets += [facet("link", link_parts.plain(link)) for link in link_parts.links_of(text)]
    facets += [facet("campaign", tag.campaign) for tag in link_parts.campaign_tags(text, url) if tag.campaign]
    if source is not None:
        facets.append(facet("source", source))
    if source_kind is not None:
        facets.append(facet("source_kind", source_kind))
    if author_key is not None:
        facets.append(facet("author", author_key))
    if author_name is not None:
        facets.append(name_facet(author_name))
    return " ".join((*found, *facets))


def numbered(at: datetime, mention: uuid.UUID, brand: str) -> int:
    """A number for a row of SQLite's index: greater for a later second of publication; almost always one of its own."""
    digest = blake2b(mention.bytes + brand.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return first_number(at) + int.from_bytes(digest, "big") % SECOND


def first_number(at: datetime) -> int:
    """The lowest number of the second that `at` is in; whatever is before 1970 shares one, whatever is after 2242 another."""
    seconds = (at - _EPOCH) // timedelta(seconds=1)
    return min(max(seconds, 0), (1 << 33) - 1) * SECOND


def fts5_query(facets: Sequence[Sequence[str]], text: TextQuery | None) -> str:
    """A query for FTS5: one of each group of facets (there must be a group), and what the text query says."""
    parts = [_alternatives(group) for group in facets if group]
    parts += [_fts5_term(term) for term in (text.wanted if text else ())]
    query = " AND ".join(parts)
    for term in text.excluded if text else ():
        query = f"({query}) NOT {_fts5_term(term)}"
    return query


def tsquery(facets: Sequence[Sequence[str]], text: TextQuery | None) -> ColumnElement[Any]:
    """The same for PostgreSQL, as a bound value."""
    parts = ["(" + " | ".join(_lexeme(item) for item in group) + ")" for group in facets if group]
    parts += [_tsquery_term(term) for term in (text.wanted if text else ())]
    parts += [f"!({_tsquery_term(term)})" for term in (text.excluded if text else ())]
    return cast(bindparam(None, " & ".join(parts), type_=Text), postgresql.TSQUERY)


def _within_bounds(words: Sequence[str]) -> list[str]:
    kept, size = [], 0
    for word in words[:MOST_WORDS]:
        size += len(word.encode("utf-8", "surrogatepass"))
        if size > MOST_BYTES:
            break
        kept.append(word)
    return kept


def _alternatives(group: Sequence[str]) -> str:
    return "(" + " OR ".join(f'"{item}"' for item in group) + ")"


def _fts5_term(term: Term) -> str:
    phrase = " ".join(term.words).replace('"', '""')
    return f'"{phrase}"' + (" *" if term.beginning else "")


def _tsquery_term(term: Term) -> str:
    lexemes = [_lexeme(word) for word in term.words]
    return "(" + " <-> ".join(lexemes) + (":*" if term.beginning else "") + ")"


def _lexeme(token: str) -> str:
    return "'" + token.replace("\\", "\\\\").replace("'", "''") + "'"


def _vector(items: Sequence[str]) -> str:
    places: dict[str, list[int]] = {}
    for position, item in enumerate(items, start=1):
        known = places.setdefault(item, [])
        is_word = not item.startswith("=") or item == "="
        if is_word and len(known) < MOST_POSITIONS:
            known.append(position)
    return " ".join(_placed(item, positions) for item, positions in places.items() if item)


def _placed(item: str, positions: Sequence[int]) -> str:
    return _lexeme(item) + (":" + ",".join(map(str, positions)) if positions else "")
