"""`/v1/privacy`: erasing on a person's request, opening an author's name, and sealing an incident for a court."""

from __future__ import annotations

from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import select

from services.api.context import Context
from services.api.one_turn import OneTurnRoute
from services.api.permission import Actor, Admin, unknown_brand
from services.api.schemas import Answer
from tocsin.bus.erasure import BusErasure
from tocsin.contracts.events import Instant, mention_id
from tocsin.problems import Problem
from tocsin.storage import audit, erasures
from tocsin.storage.erasures import JOURNAL, ErasureJournal
from tocsin.storage.merging import author_key
from tocsin.storage.signing import AUTHORS, signing_key
from tocsin.storage.tables.mentions import LABELS_OF_MENTION, MentionBrandTable, MentionTable

router = APIRouter(tags=["privacy"], route_class=OneTurnRoute)

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "It is not there, or not of one of your brands"}}


class SourceMention(BaseModel):
    """A mention as its source names it."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=100)
    native_id: str = Field(min_length=1, max_length=1000)


class SourceAuthor(BaseModel):
    """An author as a source names them: by the id that the source gives, not the name."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(min_length=1, max_length=100)
    id: str = Field(min_length=1, max_length=2000)


class ErasureRequest(BaseModel):
    """Whose mentions go: some by id, some as their source names them, or all of an author."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "anyOf": [
                {"required": ["mentions"], "properties": {"mentions": {"minItems": 1}}},
                {"required": ["from_source"], "properties": {"from_source": {"minItems": 1}}},
                {"required": ["author"], "properties": {"author": {"type": "object"}}},
            ],
            "examples": [
                {"author": {"source": "mastodon", "id": "109348"}, "reason": "request of 12 March, ticket 4711"}
            ],
        },
    )

    mentions: tuple[UUID, ...] = Field(default=(), max_length=1000)
    from_source: tuple[SourceMention, ...] = Field(default=(), max_length=1000)
    author: SourceAuthor | None = None
    reason: str = Field(min_length=1, max_length=500, description="For the audit log; no name and no text.")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.mentions and not self.from_source and self.author is None:
            raise ValueError("name mentions, from_source or author")
        return self


class ErasureAnswer(Answer):
    """What is gone, and what goes when."""

    erased: tuple[UUID, ...] = Field(description="Ids that stay on the suppression list for good.")
    on_the_bus: str = Field(description="What holds for copies that are still on the bus.")
    gone_at_the_latest: Instant = Field(description="From when on no copy is left but sealed ones of a legal hold.")


class OpenAuthorRequest(BaseModel):
    """Why the name is needed; it stands in the audit log."""

    model_config = ConfigDict(extra="forbid")

    brand: str = Field(max_length=100)
    reason: str = Field(min_length=1, max_length=500)


class OpenAuthorAnswer(Answer):
    """Who wrote a mention, as far as the source said so."""

    key: str | None
    name: str | None
    role: str | None
    followers: int | None


@router.post("/v1/privacy/erasures", summary="Erase on a person's request")
def erase(*, context: Context, principal: Admin, wanted: ErasureRequest) -> ErasureAnswer:
    """Rows, stories, evidence, messages, the outbox and the embedded bus: at once. Repeating it changes nothing.

    Needs a key or person for all brands: a mention may be about several.
    """
    if principal.brands is not None:
        raise Problem(403, detail="an erasure concerns every brand; use a key of scope admin without a limit to brands")
    now = context.clock.now()
    chosen = {*wanted.mentions, *(mention_id(item.source, item.native_id) for item in wanted.from_source)}
    with context.database.unit_of_work() as session:
        if wanted.author is not None:
            key = signing_key(session, AUTHORS, now)
            for digest in (
                author_key(wanted.author.source, wanted.author.id, key),
                # What was written before the installation had a key.
                author_key(wanted.author.source, wanted.author.id),
            ):
                chosen.update(erasures.mentions_of_author(session, digest or ""))
        # Before the commit, so that no crash can leave an erasure that a restored backup would undo.
        ErasureJournal(context.home / JOURNAL).note(sorted(chosen), now)
        erased = erasures.erase(session, chosen, now=now)
        audit.record(
            session,
            at=now,
            actor=principal.actor,
            action="mentions.erased",
            target=f"{len(erased.mentions)} mentions",
            details={"reason": wanted.reason, "mentions": [str(item) for item in erased.mentions[:100]]},
        )
    context.database.forget_traces()
    bus = BusErasure(context.bus)
    for item in erased.mentions:
        bus.erase(item, erased.brands.get(item, ()))
    at_once = context.bus.erases_in_place
    retention = context.configuration.retention.bus
    return ErasureAnswer(
        erased=erased.mentions,
        on_the_bus=(
            "blanked at once"
            if at_once
            else f"copies on Kafka and in dead letters expire by retention, within {retention.days} days"
        ),
        gone_at_the_latest=now if at_once else now + retention,
    )


@router.post("/v1/mentions/{mention_id}/author", summary="Open the name of an author", responses=_NOT_FOUND)
def open_author(
    *, context: Context, principal: Actor, wanted: OpenAuthorRequest, mention_id: Annotated[UUID, Path()]
) -> OpenAuthorAnswer:
    """Names of private people are kept apart; who opens one says why, and it stands in the audit log."""
    if not context.sees(principal, wanted.brand):
        raise unknown_brand(wanted.brand)
    now = context.clock.now()
    with context.database.unit_of_work() as session:
        row = session.scalars(
            select(MentionTable)
            .join(MentionBrandTable, LABELS_OF_MENTION)
            .where(MentionTable.id == mention_id, MentionBrandTable.brand == wanted.brand)
        ).one_or_none()
        if row is None:
            raise Problem(404, detail=f"there is no mention {mention_id} of {wanted.brand!r} that you may see")
        audit.record(
            session,
            at=now,
            actor=principal.actor,
            action="author.opened",
            target=f"mention:{mention_id}",
            brand=wanted.brand,
            details={"reason": wanted.reason},
        )
        return OpenAuthorAnswer(
            key=row.author_key,
            name=row.author_name or row.author_name_hidden,
            role=row.author_role,
            followers=row.author_followers,
        )
