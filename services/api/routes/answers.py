"""Prepared answers beside a mention, saying that one was used, and how fast a brand answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from services.api.context import Context
from services.api.one_turn import OneTurnRoute
from services.api.permission import Actor, Reader, unknown_brand
from services.api.prepared_answers import mark_used, offered, readable, request_of
from services.api.routes.pages import Form
from services.api.schemas import Answer
from tocsin.contracts.events import Instant
from tocsin.problems import Problem
from tocsin.storage import answers

router = APIRouter(tags=["prepared answers"], route_class=OneTurnRoute)
page_router = APIRouter(include_in_schema=False)

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "No such mention or answer, or not your brand"}}
Brand = Annotated[str, Query(max_length=100, description="The mention's brand.")]


class OfferedAnswerAnswer(Answer):
    """A prepared answer with its gaps filled; Tocsin never posts it."""

    id: str
    version: int
    kinds: tuple[str, ...]
    text: str | None = Field(description="Null where its template cannot be filled in; `why_not` says why.")
    service: str | None = Field(description="Who takes over.")
    owner: str
    why_not: str | None


class AnswerUseAnswer(Answer):
    """A prepared answer that was used: `seconds` from the mention's publication to the answer."""

    answer: str
    version: int
    actor: str
    answered_at: Instant
    seconds: float


class MentionAnswers(Answer):
    """What may be answered to a mention, and what was."""

    offered: tuple[OfferedAnswerAnswer, ...]
    used: tuple[AnswerUseAnswer, ...]


class AnswerTimesAnswer(Answer):
    """How fast a brand answered mentions with prepared texts, in seconds."""

    brand: str
    since: Instant
    until: Instant
    answered: int
    median: float | None
    ninetieth: float | None
    by_answer: dict[str, int]


class UseAnswerRequest(BaseModel):
    """Which answer was used, in which version it was read."""

    model_config = ConfigDict(extra="forbid")

    answer: str = Field(max_length=100)
    version: int = Field(ge=1)


@router.get("/v1/mentions/{mention_id}/answers", summary="Prepared answers to a mention", responses=_NOT_FOUND)
def list_answers(*, context: Context, principal: Reader, mention_id: UUID, brand: Brand) -> MentionAnswers:
    """Those that fit its language, network, words and kinds of risk, the most fitting first."""
    with context.database.read() as session:
        mention = readable(context, session, principal, brand, mention_id)
        given = answers.uses(session, brand, [mention_id]).get(mention_id, [])
    found = offered(context, request_of(mention), mention.author)
    return MentionAnswers(
        offered=tuple(OfferedAnswerAnswer.model_validate(item, from_attributes=True) for item in found),
        used=tuple(_used(use) for use in given),
    )


@router.post(
    "/v1/mentions/{mention_id}/answers",
    summary="Say that a prepared answer was used",
    responses={**_NOT_FOUND, 412: {"description": "The answer has another version by now"}},
)
def use_answer(
    *, context: Context, principal: Actor, mention_id: UUID, brand: Brand, wanted: UseAnswerRequest
) -> AnswerUseAnswer:
    """The first time counts; saying it again changes nothing."""
    return _used(mark_used(context, principal, brand, mention_id, answer=wanted.answer, version=wanted.version))


@router.get("/v1/brands/{brand}/answers", summary="How fast a brand answers with prepared texts", responses=_NOT_FOUND)
def answer_figures(
    *, context: Context, principal: Reader, brand: str, days: Annotated[int, Query(ge=1, le=366)] = 30
) -> AnswerTimesAnswer:
    """Of the last `days` days."""
    if not context.sees(principal, brand):
        raise unknown_brand(brand)
    until = context.clock.now()
    since = until - timedelta(days=days)
    with context.database.read() as session:
        times = answers.answer_times(session, brand, since, until)
    return AnswerTimesAnswer(
        brand=brand,
        since=since,
        until=until,
        answered=times.answered,
        median=times.median,
        ninetieth=times.ninetieth,
        by_answer=times.by_answer,
    )


@page_router.post("/mentions/{mention_id}/answers")
def use_by_button(*, context: Context, principal: Actor, form: Form, mention_id: UUID) -> Response:
    """The button beside a mention; back to the page it was pressed on."""
    version = form.get("version", "")
    if not version.isdecimal():
        raise Problem(422, detail="version: give the number of the answer's version")
    mark_used(
        context, principal, form.get("brand", ""), mention_id, answer=form.get("answer", ""), version=int(version)
    )
    back = urlsplit(form.get("back", "/"))
    path = back.path if back.path.startswith("/") and not back.path.startswith("//") and not back.netloc else "/"
    return RedirectResponse(f"{path}#mention-{mention_id}", status_code=303)


def _used(use: answers.AnswerUse) -> AnswerUseAnswer:
    return AnswerUseAnswer(
        answer=use.answer,
        version=use.version,
        actor=use.actor,
        answered_at=use.answered_at,
        seconds=max(0.0, (use.answered_at - use.published_at).total_seconds()),
    )
