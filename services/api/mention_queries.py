"""What a request asks of the mentions, the same parameters on every route that lists, exports or counts them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from services.api.context import Context
from services.api.instants import SentInstant
from services.api.permission import Reader, unknown_brand
from tocsin.contracts.events import RiskKind, SentimentLabel, SourceKind
from tocsin.problems import Problem
from tocsin.storage.searches import MentionFilter
from tocsin.storage.text_queries import LONGEST_QUERY, TextQuery, UnsearchableText, parse

_Words = Annotated[list[Annotated[str, Query(max_length=200)]], Query(max_length=50)]

Brand = Annotated[str, Query(max_length=100, description="Id of the brand, as in tocsin.yaml.", examples=["nordlys"])]
Since = Annotated[
    SentInstant | None,
    Query(description="At or after it; RFC 3339 with an offset.", examples=["2026-03-10T00:00:00+01:00"]),
]
Until = Annotated[
    SentInstant | None, Query(description="Before it; RFC 3339 with an offset.", examples=["2026-03-11T00:00:00+01:00"])
]


async def mention_filter(
    *,
    context: Context,
    principal: Reader,
    brand: Brand,
    since: Since = None,
    until: Until = None,
    source: Annotated[_Words, Query(description="One of these sources.", examples=[["bluesky"]])] = [],  # noqa: B006 - FastAPI copies it
    source_kind: Annotated[list[SourceKind], Query(max_length=10, description="One of these kinds of source.")] = [],  # noqa: B006
    language: Annotated[
        _Words, Query(description="One of these; `pt` finds `pt-BR` too.", examples=[["fr", "en"]])
    ] = [],  # noqa: B006
    sentiment: Annotated[list[SentimentLabel], Query(max_length=3, description="One of these.")] = [],  # noqa: B006
    risk_at_least: Annotated[float | None, Query(ge=0, le=1, description="0–1.", examples=[0.5])] = None,
    risk_kind: Annotated[list[RiskKind], Query(max_length=12, description="One of these kinds of risk.")] = [],  # noqa: B006
    author: Annotated[
        _Words, Query(description="One of these: `author.key` of a mention, or a name, whatever case and accents.")
    ] = [],  # noqa: B006
    story: Annotated[_Words, Query(description="One of these, by the id in `GET …/stories` or in an incident.")] = [],  # noqa: B006
    hashtag: Annotated[_Words, Query(description="One of these hashtags.", examples=[["boycottacme"]])] = [],  # noqa: B006
    link: Annotated[
        list[Annotated[str, Query(max_length=2000)]],
        Query(max_length=20, description="One of these links in its text."),
    ] = [],  # noqa: B006
    campaign: Annotated[_Words, Query(description="One of these, by `utm_campaign` of a link.")] = [],  # noqa: B006
    text: Annotated[
        str | None,
        Query(
            max_length=LONGEST_QUERY,
            description=(
                'Words that must all be there, `"a phrase"`, `begin*`, `-without`; case and accents do not matter. '
                "Texts that the platform deleted are not found."
            ),
            examples=['rappel "verre brisé" -concours'],
        ),
    ] = None,
) -> MentionFilter:
    """The mentions that a request asks for. Raises the Problem of a brand that is not there, or of a text without words."""
    if not context.sees(principal, brand):
        raise unknown_brand(brand)
    return MentionFilter(
        brand=brand,
        since=since,
        until=until,
        sources=tuple(source),
        source_kinds=tuple(source_kind),
        languages=tuple(language),
        sentiments=tuple(sentiment),
        risk_at_least=risk_at_least,
        risk_kinds=tuple(risk_kind),
        authors=tuple(author),
        stories=tuple(item for item in story if "\0" not in item),
        hashtags=tuple(hashtag),
        links=tuple(link),
        campaigns=tuple(campaign),
        text=_understood(text),
    )


Wanted = Annotated[MentionFilter, Depends(mention_filter)]
"""The mentions that a request asks for; the brand is one that the principal may see."""


def _understood(text: str | None) -> TextQuery | None:
    if text is None:
        return None
    try:
        return parse(text)
    except UnsearchableText as error:
        raise Problem(422, detail=str(error), errors=[{"field": "text", "message": str(error)}]) from error
