"""`/v1/silences`: silences of whole brands, begun and ended by people, kept for good."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.api.command_schemas import BrandSilenceRequest
from services.api.commands import end_silence, silence_brand
from services.api.context import Context
from services.api.one_turn import OneTurnRoute
from services.api.permission import Actor, Reader
from services.api.schemas import Answer
from tocsin.contracts.events import Instant
from tocsin.contracts.incidents import Level
from tocsin.storage import silences
from tocsin.storage.silences import BrandSilence

router = APIRouter(tags=["silences"], route_class=OneTurnRoute)


class SilenceAnswer(Answer):
    """Incidents of `brand` up to `level` call nobody until `until`, unless it was ended before."""

    id: UUID
    brand: str
    level: Level
    until: Instant
    reason: str
    begun_by: str
    begun_at: Instant
    ended_by: str | None
    ended_at: Instant | None

    @classmethod
    def of(cls, silence: BrandSilence) -> SilenceAnswer:
        """From the silence as it is stored."""
        return cls.model_validate(silence, from_attributes=True)


class SilenceList(Answer):
    """Some silences, the newest first."""

    silences: tuple[SilenceAnswer, ...]


@router.get("/v1/silences", summary="Silences of brands, the newest first")
def list_silences(
    *,
    context: Context,
    principal: Reader,
    brand: Annotated[str | None, Query(max_length=100)] = None,
    over: Annotated[bool, Query(description="Also those that are over.")] = False,
) -> SilenceList:
    """Silences of the brands that you may see."""
    wanted = [brand] if brand is not None else context.brand_ids(principal)
    with context.database.read() as session:
        found = silences.listed(
            session,
            brands=[name for name in wanted if principal.sees(name)],
            now=None if over else context.clock.now(),
        )
    return SilenceList(silences=tuple(SilenceAnswer.of(silence) for silence in found))


@router.post(
    "/v1/silences",
    status_code=201,
    summary="Let a brand's incidents call nobody until an instant",
    responses={404: {"description": "Unknown brand"}},
)
def begin_silence(*, context: Context, principal: Actor, wanted: BrandSilenceRequest) -> SilenceAnswer:
    """Holds for the open incident and for those that open meanwhile, up to `level`.

    What is worse calls, and what a person declares.
    """
    silence = silence_brand(
        context, principal, brand=wanted.brand, level=wanted.level, until=wanted.until, reason=wanted.reason
    )
    return SilenceAnswer.of(silence)


@router.post(
    "/v1/silences/{silence_id}/end",
    summary="End a silence before its time",
    responses={404: {"description": "No such silence"}, 409: {"description": "It is over already"}},
)
def end_brand_silence(*, context: Context, principal: Actor, silence_id: UUID) -> SilenceAnswer:
    """The open incident is escalated again, at the level that it has now."""
    return SilenceAnswer.of(end_silence(context, principal, silence_id))
