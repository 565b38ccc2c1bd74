"""`GET /v1/mentions`: what was said of a brand, the newest first."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from services.api.context import Context
from services.api.cursors import Cursor, UnreadableCursor
from services.api.permission import Reader, unknown_brand
from services.api.schemas import MentionAnswer, MentionPage
from tocsin.contracts.events import Instant, SentimentLabel
from tocsin.problems import Problem
from tocsin.storage.searches import MentionFilter, find_mentions

router = APIRouter(tags=["mentions"])

Brand = Annotated[str, Query(description="Id of the brand, as in tocsin.yaml.", examples=["nordlys"])]
Since = Annotated[Instant | None, Query(description="Published at or after it; RFC 3339 with an offset.")]
Until = Annotated[Instant | None, Query(description="Published before it; RFC 3339 with an offset.")]


@router.get(
    "/v1/mentions", summary="Mentions of a brand, the newest first", responses={404: {"description": "Unknown brand"}}
)
def list_mentions(
    *,
    context: Context,
    principal: Reader,
    brand: Brand,
    since: Since = None,
    until: Until = None,
    source: Annotated[str | None, Query(max_length=100)] = None,
    language: Annotated[str | None, Query(max_length=35, description="Such as `pt`, which finds `pt-BR` too.")] = None,
    sentiment: SentimentLabel | None = None,
    risk_at_least: Annotated[float | None, Query(ge=0, le=1)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[
        str | None, Query(description="`next` of the page before; leave the other parameters as they were.")
    ] = None,
) -> MentionPage:
    """A page of mentions. What is written meanwhile neither repeats nor hides a mention on later pages."""
    if not context.sees(principal, brand):
        raise unknown_brand(brand)
    place = read_cursor(cursor)
    wanted = MentionFilter(brand, since, until, source, language, sentiment, risk_at_least)
    with context.database.read() as session:
        # One more than asked for tells whether there is a page after this one.
        found = find_mentions(session, wanted, limit=limit + 1, before=(place.at, place.identifier) if place else None)
    page, more = found[:limit], len(found) > limit
    return MentionPage(
        mentions=tuple(MentionAnswer.of(mention) for mention in page),
        next=str(Cursor(page[-1].published_at, page[-1].id)) if more else None,
    )


def read_cursor(text: str | None) -> Cursor | None:
    """The cursor of a request, or the 422 that names the field."""
    if text is None:
        return None
    try:
        return Cursor.parse(text)
    except UnreadableCursor as error:
        raise Problem(422, detail=str(error), errors=[{"field": "cursor", "message": str(error)}]) from error
