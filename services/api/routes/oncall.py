"""`/v1/on-call`, `/v1/overrides`, `/v1/feeds`: who is on call, exchanged shifts, calendar feeds, the monthly statement."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal, Self
from uuid import UUID, uuid4

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.alert.protocol.directory import Directory
from services.api.context import Context
from services.api.instants import SentInstant
from services.api.oncall.exchanging import exchange, take_back
from services.api.oncall.feeds import calendar_of
from services.api.oncall.statements import statement
from services.api.one_turn import OneTurnRoute
from services.api.permission import Actor, Reader
from services.api.schemas import Answer
from tocsin.access.secrets import new_token
from tocsin.contracts.events import Instant
from tocsin.contracts.oncall import Override
from tocsin.contracts.settings.base import Identifier
from tocsin.problems import Problem
from tocsin.storage import audit, links, oncall
from tocsin.storage.oncall import Feed

router = APIRouter(tags=["on call"], route_class=OneTurnRoute)

WEEK = timedelta(days=7)
LONGEST = timedelta(days=92)
CALENDAR = f"{links.PREFIX}calendar/{{token}}.ics"


class ShiftAnswer(Answer):
    """A stretch of time with one person on call (`person` null: nobody)."""

    person: str | None
    name: str | None
    since: Instant
    until: Instant
    override: UUID | None = Field(description="The exchange that put the person there; null: the rotation did.")


class ScheduleAnswer(Answer):
    """A schedule: who is on call now, and the shifts without gaps between them."""

    schedule: str
    time_zone: str
    now: str | None = Field(description="The person on call at this moment.")
    shifts: tuple[ShiftAnswer, ...]


class OnCallAnswer(Answer):
    """Who is on call from `since` to `until`, by schedule."""

    since: Instant
    until: Instant
    schedules: tuple[ScheduleAnswer, ...]


class OverrideRequest(BaseModel):
    """`person` is on call for `schedule` then, whoever the rotation names: oneself, to take a shift, or another, to give it."""

    model_config = ConfigDict(extra="forbid")

    schedule: Identifier
    person: Identifier
    since: SentInstant
    until: SentInstant


class OverrideList(Answer):
    """Exchanged shifts, by their beginning."""

    overrides: tuple[Override, ...]


class FeedRequest(BaseModel):
    """What the calendar shows: a `schedule`, or the shifts of a `person` in all of them."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "oneOf": [
                {"required": ["schedule"], "properties": {"schedule": {"type": "string"}, "person": {"type": "null"}}},
                {"required": ["person"], "properties": {"person": {"type": "string"}, "schedule": {"type": "null"}}},
            ],
            "examples": [{"schedule": "weekend"}],
        },
    )

    schedule: Identifier | None = None
    person: Identifier | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.schedule is None) == (self.person is None):
            raise ValueError("give a schedule or a person, and not both")
        return self


class FeedAnswer(Answer):
    """A calendar feed. `path` is told only when it is made: whoever knows it reads the calendar."""

    id: UUID
    schedule: str | None
    person: str | None
    made_by: str
    made_at: Instant
    revoked_at: Instant | None
    path: str | None = None


class FeedList(Answer):
    """Every feed, the newest first, without their addresses."""

    feeds: tuple[FeedAnswer, ...]


@router.get("/v1/on-call", summary="Who is on call")
def show_on_call(
    *,
    context: Context,
    _principal: Reader,
    since: Annotated[SentInstant | None, Query(description="Default: now.")] = None,
    until: Annotated[SentInstant | None, Query(description="Default: a week after `since`.")] = None,
) -> OnCallAnswer:
    """Every schedule's shifts, exchanges counted in."""
    now = context.clock.now()
    begin = since or now
    end = until or begin + WEEK
    if not begin < end <= begin + LONGEST:
        message = f"must be after `since`, by {LONGEST.days} days at most"
        raise Problem(422, detail=f"until: {message}", errors=[{"field": "until", "message": message}])
    with context.database.read() as session:
        directory = context.directory.with_overrides(oncall.overrides(session, min(begin, now), until=max(end, now)))
    return OnCallAnswer(
        since=begin,
        until=end,
        schedules=tuple(
            ScheduleAnswer(
                schedule=schedule.id,
                time_zone=schedule.time_zone,
                now=directory.on_call(schedule.id, now),
                shifts=tuple(
                    ShiftAnswer(
                        person=shift.person,
                        name=_name(directory, shift.person),
                        since=shift.since,
                        until=shift.until,
                        override=shift.override.id if shift.override else None,
                    )
                    for shift in directory.shifts(schedule.id, begin, end)
                ),
            )
            for schedule in directory.schedules.values()
        ),
    )


@router.get(
    "/v1/on-call/statement",
    summary="The monthly statement per person, as CSV",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "One line a person"}},
)
def show_statement(
    *,
    context: Context,
    _principal: Reader,
    month: Annotated[str, Query(pattern=r"^2[0-9]{3}-(0[1-9]|1[0-2])$", examples=["2026-03"])],
) -> Response:
    """Hours on call (all, at night, on weekends, on holidays, exchanged), call-outs and acknowledgements of each person."""
    first = _first_of(month)
    with context.database.read() as session:
        written = statement(session, context.directory, first)
    headers = {"Content-Disposition": f'attachment; filename="on-call-{month}.csv"'}
    return Response(written, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/v1/overrides", summary="Exchanged shifts")
def list_overrides(
    *,
    context: Context,
    _principal: Reader,
    past: Annotated[bool, Query(description="Also what has passed or was taken back.")] = False,
) -> OverrideList:
    """Who took or gave which shift, who wrote it down and when."""
    now = context.clock.now()
    with context.database.read() as session:
        found = oncall.overrides(session, now - 10 * 365 * timedelta(days=1) if past else now, taken_back=past)
    return OverrideList(overrides=tuple(found))


@router.post("/v1/overrides", status_code=201, summary="Take a shift, or give it")
def add_override(*, context: Context, principal: Actor, wanted: OverrideRequest) -> Override:
    """Counts at once, in every process, and stays on record with your name. The last exchange of the same hours wins."""
    return exchange(
        context,
        principal,
        schedule=wanted.schedule,
        person=wanted.person,
        since=wanted.since,
        until=wanted.until,
    )


@router.post(
    "/v1/overrides/{override_id}/end",
    summary="Take an exchange back",
    responses={404: {"description": "No such override"}, 409: {"description": "It is over already"}},
)
def end_override(*, context: Context, principal: Actor, override_id: UUID) -> Override:
    """The rotation counts again from now on."""
    return take_back(context, principal, override_id)


@router.get("/v1/feeds", summary="Calendar feeds")
def list_feeds(*, context: Context, _principal: Reader) -> FeedList:
    """Which there are, who made them and when; never their addresses."""
    with context.database.read() as session:
        found = oncall.feeds(session)
    return FeedList(feeds=tuple(FeedAnswer.model_validate(feed, from_attributes=True) for feed in found))


@router.post("/v1/feeds", status_code=201, summary="Make a calendar feed")
def add_feed(*, context: Context, principal: Actor, wanted: FeedRequest) -> FeedAnswer:
    """Its address is told only now. Calendars can show no key, so the address itself is the secret; revoke what got out."""
    known = context.directory
    if wanted.schedule is not None and wanted.schedule not in known.schedules:
        raise _unknown("schedule", wanted.schedule, list(known.schedules))
    if wanted.person is not None and wanted.person not in known.people:
        raise _unknown("person", wanted.person, list(known.people))
    token = new_token()
    feed = Feed(uuid4(), wanted.schedule, wanted.person, principal.actor, context.clock.now())
    with context.database.unit_of_work() as session:
        oncall.add_feed(session, feed, token)
        details = {"schedule": wanted.schedule, "person": wanted.person}
        audit.record(
            session,
            at=feed.made_at,
            actor=principal.actor,
            action="feed.made",
            target=f"feed:{feed.id}",
            details={name: value for name, value in details.items() if value is not None},
        )
    answer = FeedAnswer.model_validate(feed, from_attributes=True)
    return answer.model_copy(update={"path": CALENDAR.format(token=token)})


@router.post(
    "/v1/feeds/{feed_id}/revoke",
    summary="Let a calendar feed show nothing any more",
    responses={404: {"description": "No such feed, or revoked before"}},
)
def revoke_feed(*, context: Context, principal: Actor, feed_id: UUID) -> FeedList:
    """Answers with the feeds that there are."""
    now = context.clock.now()
    with context.database.unit_of_work() as session:
        if not oncall.revoke_feed(session, feed_id, now):
            raise Problem(404, detail=f"there is no feed {feed_id} that shows anything; GET /v1/feeds lists them")
        audit.record(session, at=now, actor=principal.actor, action="feed.revoked", target=f"feed:{feed_id}")
        found = oncall.feeds(session)
    return FeedList(feeds=tuple(FeedAnswer.model_validate(feed, from_attributes=True) for feed in found))


@router.get(CALENDAR, include_in_schema=False)
def show_calendar(
    *, context: Context, token: str, lang: Annotated[Literal["fr", "en"] | None, Query()] = None
) -> Response:
    """The calendar behind a secret address; `?lang=fr` for French words, by default the person's."""
    now = context.clock.now()
    with context.database.read() as session:
        feed = oncall.feed_of(session, token)
        if feed is None:
            raise Problem(404, detail="there is no such calendar, or it was revoked; ask for another address")
        directory = context.directory.with_overrides(oncall.overrides(session, now - LONGEST))
    person = directory.people.get(feed.person or "")
    language = lang or (person.language if person is not None else "en")
    return Response(calendar_of(feed, directory, now, language), media_type="text/calendar; charset=utf-8")


def _name(directory: Directory, person: str | None) -> str | None:
    known = directory.people.get(person or "")
    return known.name if known is not None else None


def _first_of(month: str) -> date:
    first = date.fromisoformat(f"{month}-01")
    if not 2000 <= first.year <= 2100:
        message = "lies beyond 2000 to 2100"
        raise Problem(422, detail=f"month: {message}", errors=[{"field": "month", "message": message}])
    return first


def _unknown(field: str, given: str, known: list[str]) -> Problem:
    message = f"there is none {given!r}; known are {', '.join(known) or 'none'}"
    return Problem(422, detail=f"{field}: {message}", errors=[{"field": field, "message": message}])
