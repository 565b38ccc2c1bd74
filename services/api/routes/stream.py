"""`GET /v1/stream`: incidents and levels as they happen, as server-sent events that can be resumed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from services.api.context import ApiContext, Context
from services.api.live import LOOKED_AT_EVERY, BrandLevel, Head
from services.api.one_turn import OneTurnRoute
from services.api.permission import Reader
from tocsin.access.principals import AccessDenied, Principal
from tocsin.problems import Problem
from tocsin.storage import outbox
from tocsin.storage.database import DatabaseUnavailable

router = APIRouter(tags=["incidents"], route_class=OneTurnRoute)

MOST_STREAMS = 200
"""Streams of one process; a page of the events is cheap, but each holds a connection."""
RECOGNISED_EVERY = 30.0
"""Seconds after which a stream looks again whether its key or session still holds."""
RETRY_MILLISECONDS = 3000
_PAGE = 200


async def _place(
    context: Context,
    last_event_id: Annotated[
        str | None,
        Header(
            # By digits alone it is not told from a number, which may be larger than any position.
            pattern=r"^ *[0-9]{1,18} *$",
            description="The `id` of the last event that was received; what came after it is sent first.",
            examples=["4711"],
        ),
    ] = None,
) -> int:
    """The position to go on after; refuses, before the stream begins, what is none, and one stream too many."""
    if context.open_streams.count >= MOST_STREAMS:
        raise Problem(503, detail="too many streams are open here; try again later", headers={"Retry-After": "30"})
    if last_event_id is None:
        return context.live.look().position
    return int(last_event_id)


@router.get(
    "/v1/stream",
    summary="Incidents and levels as they happen",
    response_class=EventSourceResponse,
    responses={503: {"description": "Too many streams are open in this process"}},
)
async def stream(
    *, context: Context, principal: Reader, request: Request, first_position: Annotated[int, Depends(_place)]
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events.

    `incident` has an `id` and the event of the incident as it goes on the bus; `level` has no `id` and tells how a brand
    stands, first of all brands, then of those that have changed; `gap` says that what came after `Last-Event-ID` is partly
    forgotten: read `GET /v1/incidents` anew. A `level` may be told twice and a change between two looks not at all; incidents
    are told completely and in order.
    """
    yield ServerSentEvent(comment="tocsin", retry=RETRY_MILLISECONDS)
    with context.open_streams:
        async for event in _events(context, principal, request, first_position):
            yield event


async def _events(
    context: ApiContext, principal: Principal, request: Request, position: int
) -> AsyncIterator[ServerSentEvent]:
    told: dict[str, BrandLevel] = {}
    oldest = await run_in_threadpool(_oldest_position, context)
    if oldest is not None and position < oldest - 1:
        yield ServerSentEvent(event="gap", data={"after": position, "next": oldest})
    recognised_at = anyio.current_time()
    while True:
        try:
            if anyio.current_time() - recognised_at >= RECOGNISED_EVERY:
                await run_in_threadpool(request.state.recognise_again)
                recognised_at = anyio.current_time()
            head = await run_in_threadpool(context.live.look)
            for event in _changed_levels(context, principal, head, told):
                yield event
            while position < head.position:
                page = await run_in_threadpool(_page_after, context, position)
                if not page:
                    break
                for item in page:
                    position = item.position
                    value: dict[str, Any] = json.loads(item.event.value)
                    if all(map(principal.sees, [value.get("brand", ""), *value.get("also", ())])):
                        yield ServerSentEvent(event="incident", id=str(position), data=value)
        except AccessDenied:
            return
        except DatabaseUnavailable:
            # The connection stays, and goes on where it was when the database is back.
            pass
        await anyio.sleep(LOOKED_AT_EVERY)


def _changed_levels(
    context: ApiContext, principal: Principal, head: Head, told: dict[str, BrandLevel]
) -> list[ServerSentEvent]:
    events = []
    for brand in context.brand_ids(principal):
        now = head.levels.get(brand)
        before = told.get(brand)
        if now is None or (
            before is not None and before.level is now.level and round(before.score) == round(now.score)
        ):
            continue
        told[brand] = now
        data = {"brand": brand, "level": now.level, "score": now.score, "evaluated_at": now.evaluated_at}
        events.append(ServerSentEvent(event="level", data=data))
    return events


def _oldest_position(context: ApiContext) -> int | None:
    with context.database.read() as session:
        return outbox.first_position(session)


def _page_after(context: ApiContext, position: int) -> list[outbox.OutboxEvent]:
    with context.database.read() as session:
        return outbox.after(session, position, _PAGE)
