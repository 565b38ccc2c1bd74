"""Prepared answers beside a mention: which are offered, with their gaps filled, and noting that one was used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from services.alert.room.answers import Request, fitting
from services.api.context import ApiContext
from tocsin.access.principals import Principal
from tocsin.contracts.settings.room import AnswerSettings
from tocsin.problems import Problem
from tocsin.storage import answers, audit
from tocsin.storage.answers import Answerable, AnswerUse
from tocsin.templating import TemplateRefused, fill_in


@dataclass(frozen=True, slots=True)
class OfferedAnswer:
    """A prepared answer, filled in for one mention; `text` is None where its template cannot be, and `why_not` says why."""

    id: str
    version: int
    kinds: tuple[str, ...]
    text: str | None
    service: str | None
    owner: str
    why_not: str | None = None


def offered(context: ApiContext, request: Request, author: str | None) -> list[OfferedAnswer]:
    """What may be answered to a mention."""
    return [
        _filled(context, settings, request.brand, author)
        for settings in fitting(context.configuration.answers, request)
    ]


def readable(context: ApiContext, session: Session, principal: Principal, brand: str, mention_id: UUID) -> Answerable:
    """A mention that may be answered. Raises a Problem (404) where there is none that this principal may see."""
    found = answers.find_answerable(session, mention_id, brand) if context.sees(principal, brand) else None
    if found is None:
        raise Problem(404, detail=f"there is no mention {mention_id} of brand {brand!r} that you may see and read")
    return found


def request_of(mention: Answerable) -> Request:
    """What an answer to a mention depends on."""
    return Request(mention.brand, mention.text, mention.language, mention.source, mention.risk_kinds)


def mark_used(
    context: ApiContext, principal: Principal, brand: str, mention_id: UUID, *, answer: str, version: int
) -> AnswerUse:
    """A person has posted a prepared answer, now. Raises a Problem: 404, or 412 where the answer has another version by now."""
    now = context.clock.now()
    settings = next((item for item in context.configuration.answers if item.id == answer), None)
    with context.database.unit_of_work() as session:
        mention = readable(context, session, principal, brand, mention_id)
        if settings is None or (settings.brands and brand not in settings.brands):
            raise Problem(404, detail=f"there is no prepared answer {answer!r} for brand {brand!r}")
        if settings.version != version:
            raise Problem(
                412, detail=f"this answer is at version {settings.version} by now; read it again, then say so"
            )
        use = AnswerUse(mention_id, answer, version, principal.actor, mention.published_at, now)
        if answers.note_use(session, brand, use):
            audit.record(
                session,
                at=now,
                actor=principal.actor,
                action="answer.used",
                target=str(mention_id),
                brand=brand,
                details={"answer": answer, "version": version},
            )
            return use
        noted = answers.uses(session, brand, [mention_id])[mention_id]
        return next(item for item in noted if item.answer == answer)


def uses_of(session: Session, brand: str, mention_ids: Sequence[UUID]) -> dict[UUID, list[tuple[str, str, datetime]]]:
    """What was answered to mentions: answer, who, when."""
    found = answers.uses(session, brand, list(mention_ids))
    return {
        mention_id: [(use.answer, use.actor, use.answered_at) for use in given] for mention_id, given in found.items()
    }


def _filled(context: ApiContext, settings: AnswerSettings, brand: str, author: str | None) -> OfferedAnswer:
    owner = context.directory.people.get(settings.owner)
    text, why_not = None, None
    try:
        text = fill_in(settings.text, {"brand": context.directory.brand_name(brand), "author": author or ""})
    except TemplateRefused as error:
        why_not = str(error)
    return OfferedAnswer(
        id=settings.id,
        version=settings.version,
        kinds=settings.kinds,
        text=text,
        service=settings.service,
        owner=owner.name if owner is not None else settings.owner,
        why_not=why_not,
    )
