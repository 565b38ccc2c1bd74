"""People's corrections: a mention's tone or risk was read wrong, or it is not about us at all."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.api.context import ApiContext, Context
from services.api.cursors import Cursor
from services.api.one_turn import OneTurnRoute
from services.api.permission import Actor, Reader, unknown_brand
from services.api.routes.mentions import read_cursor
from services.api.schemas import Answer
from tocsin.contracts.events import Instant, SentimentLabel
from tocsin.problems import Problem
from tocsin.storage import audit, corrections, mentions
from tocsin.storage.merging import Correction

router = APIRouter(tags=["mentions"], route_class=OneTurnRoute)

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"description": "No such mention of a brand that you may see"}}


class CorrectionScope(StrEnum):
    """What a correction is about."""

    MENTION = "mention"
    STORY = "story"
    """The mention and all that tell the same within three days: the same text, or a similar embedding."""


class CorrectionRequest(BaseModel):
    """What is true instead; what is left out stays as the network says. With nothing given, an earlier correction is taken back."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            # A story can only be about the brand or not; tone and risk are corrected mention by mention.
            "anyOf": [
                {"properties": {"scope": {"const": "mention"}}},
                {"properties": {"sentiment": {"type": "null"}, "risky": {"type": "null"}}},
            ],
            "examples": [{"brand": "nordlys", "about_us": False, "scope": "story", "reason": "the lights"}],
        },
    )

    brand: str = Field(max_length=100)
    sentiment: SentimentLabel | None = None
    risky: bool | None = Field(default=None, description="Would a community manager want to see it?")
    about_us: bool | None = Field(default=None, description="false: it leaves every count and every list.")
    scope: CorrectionScope = CorrectionScope.MENTION
    reason: str = Field(default="", max_length=500)

    @model_validator(mode="after")
    def _tone_is_of_one_mention(self) -> Self:
        if self.scope is CorrectionScope.STORY and (self.sentiment is not None or self.risky is not None):
            raise ValueError("a story can be 'not about us' as a whole; correct tone and risk mention by mention")
        return self


class ExclusionAnswer(Answer):
    """A term that would keep such mentions out if it were written under `brands[].exclude`."""

    term: str
    in_story: int = Field(description="Mentions of this story in the last week that have it, of `story`.")
    story: int
    elsewhere: int = Field(description="Other mentions of the brand in the last week that have it, of `others`.")
    others: int


class CorrectionResult(Answer):
    """What was corrected. Figures follow with the next evaluation of the brand, within minutes."""

    corrected: tuple[UUID, ...]
    exclusions: tuple[ExclusionAnswer, ...] = Field(description="Proposals, where it is not about the brand.")


class CorrectionAnswer(Answer):
    """A correction that holds, and what the network says."""

    mention_id: UUID
    brand: str
    text: str
    by: str
    at: Instant
    sentiment: SentimentLabel | None
    risky: bool | None
    about_us: bool | None
    network_sentiment: SentimentLabel | None
    network_risk: float | None


class CorrectionList(Answer):
    """Corrections that hold, in the order of publication of their mentions."""

    corrections: tuple[CorrectionAnswer, ...]
    next: str | None = Field(description="Give it back as `cursor` for the page after this one; null on the last.")


@router.post(
    "/v1/mentions/{mention_id}/correction", summary="Correct what the network says of a mention", responses=_NOT_FOUND
)
def correct(*, context: Context, principal: Actor, mention_id: UUID, wanted: CorrectionRequest) -> CorrectionResult:
    """Kept apart from the network's own word, used in every figure, and exported as training data by `tocsin export labels`."""
    if not context.sees(principal, wanted.brand):
        raise unknown_brand(wanted.brand)
    now = context.clock.now()
    correction = Correction(principal.actor, now, wanted.sentiment, wanted.risky, wanted.about_us)
    proposed: list[corrections.Exclusion] = []
    with context.database.unit_of_work() as session:
        story = wanted.scope is CorrectionScope.STORY
        chosen = corrections.story_of(session, wanted.brand, mention_id) if story else [mention_id]
        done = mentions.correct(session, wanted.brand, chosen, correction)
        if not done:
            raise Problem(404, detail=f"there is no mention {mention_id} of {wanted.brand!r} that you may see")
        if wanted.about_us is False:
            proposed = corrections.propose_exclusions(
                session, wanted.brand, done, names=_names(context, wanted.brand), now=now
            )
        audit.record(
            session,
            at=now,
            actor=principal.actor,
            action="mention.corrected",
            target=f"mention:{mention_id}",
            brand=wanted.brand,
            details={
                "sentiment": wanted.sentiment,
                "risky": wanted.risky,
                "about_us": wanted.about_us,
                "scope": wanted.scope,
                "mentions": len(done),
                "reason": wanted.reason,
            },
        )
    return CorrectionResult(
        corrected=tuple(done),
        exclusions=tuple(
            ExclusionAnswer(
                term=item.term,
                in_story=item.in_story,
                story=item.story,
                elsewhere=item.elsewhere,
                others=item.others,
            )
            for item in proposed
        ),
    )


@router.get("/v1/corrections", summary="Corrections that hold", responses={404: {"description": "Unknown brand"}})
def list_corrections(
    *,
    context: Context,
    principal: Reader,
    brand: Annotated[str, Query(max_length=100)],
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(pattern=Cursor.PATTERN, description="`next` of the page before.")] = None,
) -> CorrectionList:
    """The corrected mentions of a brand whose text is still there, a page of them."""
    if not context.sees(principal, brand):
        raise unknown_brand(brand)
    place = read_cursor(cursor)
    after = (place.at, place.identifier) if place else None
    with context.database.read() as session:
        # One more than asked for tells whether there is a page after this one.
        found = list(corrections.labels(session, [brand], after=after, limit=limit + 1))
    page = found[:limit]
    more = len(found) > limit
    return CorrectionList(
        corrections=tuple(
            CorrectionAnswer(
                mention_id=label.mention_id,
                brand=label.brand,
                text=label.text,
                by=label.correction["by"],
                at=label.correction["at"],
                sentiment=label.correction["sentiment"],
                risky=label.correction["risky"],
                about_us=label.correction["about_us"],
                network_sentiment=label.correction["network"]["sentiment"],
                network_risk=label.correction["network"]["risk"],
            )
            for label in page
        ),
        next=str(Cursor(page[-1].published_at, page[-1].mention_id)) if more else None,
    )


def _names(context: ApiContext, brand: str) -> list[str]:
    settings = context.configuration.brand(brand)
    return [brand, *(settings.names if settings else ())]
