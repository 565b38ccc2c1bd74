"""`GET /v1/mentions`: what was said of a brand, searched, sorted, and in pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from services.api.context import Context
from services.api.cursors import Cursor, UnreadableCursor
from services.api.mention_queries import Wanted
from services.api.one_turn import OneTurnRoute
from services.api.permission import Reader
from services.api.schemas import MentionAnswer, MentionPage, SelectedMentionPage
from tocsin.problems import Problem
from tocsin.storage.searches import Place, Sort, find_mentions

router = APIRouter(tags=["mentions"], route_class=OneTurnRoute)

Fields = Annotated[
    str | None,
    Query(
        max_length=500,
        description="Only these fields of each mention, with commas between; left out: all of them.",
        examples=["id,published_at,text,sentiment"],
    ),
]


@router.get(
    "/v1/mentions",
    summary="Mentions of a brand, searched and sorted",
    responses={404: {"description": "Unknown brand"}},
    response_model=MentionPage | SelectedMentionPage,
)
def list_mentions(
    *,
    context: Context,
    _principal: Reader,
    wanted: Wanted,
    sort: Annotated[Sort, Query(description="What comes first; equals come the newest first.")] = Sort.NEWEST,
    fields: Fields = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[
        str | None,
        Query(
            pattern=Cursor.PATTERN, description="`next` of the page before; leave the other parameters as they were."
        ),
    ] = None,
) -> MentionPage | Response:
    """A page of mentions. What is written meanwhile neither repeats nor hides a mention on later pages.

    A mention whose engagement grows meanwhile may come again in lists by reach or engagement: it has moved.
    """
    chosen = read_fields(fields)
    place = _read_place(cursor, sort)
    with context.database.read() as session:
        # One more than asked for tells whether there is a page after this one.
        found = find_mentions(session, wanted, limit=limit + 1, sort=sort, after=place)
    page, more = found[:limit], len(found) > limit
    answer = MentionPage(
        mentions=tuple(MentionAnswer.of(mention) for mention in page),
        next=_cursor(page[-1].place(sort), sort) if more else None,
    )
    if chosen is None:
        return answer
    return JSONResponse(answer.model_dump(mode="json", include={"mentions": {"__all__": set(chosen)}, "next": True}))


def read_fields(text: str | None) -> list[str] | None:
    """The fields of a request, in their order, each once; None: all. Raises the 422 that names what is there."""
    if text is None:
        return None
    chosen = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in chosen if name not in MentionAnswer.model_fields]
    if unknown or not chosen:
        message = f"choose among {', '.join(MentionAnswer.model_fields)}"
        raise Problem(422, detail=f"fields: {message}", errors=[{"field": "fields", "message": message}])
    return chosen


def read_cursor(text: str | None) -> Cursor | None:
    """The cursor of a request, or the 422 that names the field."""
    if text is None:
        return None
    try:
        return Cursor.parse(text)
    except UnreadableCursor as error:
        raise _wrong_cursor(str(error)) from error


def _read_place(text: str | None, sort: Sort) -> Place | None:
    cursor = read_cursor(text)
    if cursor is None:
        return None
    if cursor.order != sort.value or (cursor.value is None) != (sort in (Sort.NEWEST, Sort.OLDEST)):
        raise _wrong_cursor("this cursor belongs to a list in another order; begin with the first page of this one")
    return Place(cursor.at, cursor.identifier, cursor.value)


def _cursor(place: Place, sort: Sort) -> str:
    return str(Cursor(place.at, place.id, sort.value, place.value))


def _wrong_cursor(message: str) -> Problem:
    return Problem(422, detail=message, errors=[{"field": "cursor", "message": message}])
