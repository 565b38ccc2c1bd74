"""`GET /v1/brands`: how each brand stands; `GET /v1/brands/{brand}/timeline`: what was said of it over time."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Query

from services.api.commands import sees_incident
from services.api.context import Context
from services.api.permission import Reader, unknown_brand
from services.api.schemas import BrandAnswer, BrandList, FiguresAnswer, TimelineAnswer
from services.api.spans import Bucket, TooManySpans, edges
from tocsin.contracts.events import Instant
from tocsin.contracts.incidents import Level
from tocsin.problems import Problem
from tocsin.storage import brands, incidents
from tocsin.storage.figures import count_spans

router = APIRouter(tags=["brands"])

_SHOWN_BY_DEFAULT = {
    Bucket.FIVE_MINUTES: timedelta(hours=6),
    Bucket.HOUR: timedelta(days=1),
    Bucket.DAY: timedelta(days=30),
}


@router.get("/v1/brands", summary="How each brand stands")
def list_brands(*, context: Context, principal: Reader) -> BrandList:
    """Level, score and reasons of every brand that you may see, in the order of tocsin.yaml."""
    wanted = context.brand_ids(principal)
    with context.database.read() as session:
        board = {status.brand: status for status in brands.board(session, wanted)}
        complete = context.complete_up_to(session)
        answers = []
        for brand in wanted:
            status = board.get(brand)
            open_incident = incidents.open_main(session, brand)
            answers.append(
                BrandAnswer(
                    id=brand,
                    name=context.directory.brand_name(brand),
                    level=status.level if status else Level.GREEN,
                    score=status.score if status else 0.0,
                    reasons=status.reasons if status else {},
                    evaluated_at=status.evaluated_at if status else None,
                    complete_up_to=complete or (status.complete_up_to if status else None),
                    incident=open_incident.id if open_incident and sees_incident(principal, open_incident) else None,
                )
            )
    return BrandList(brands=tuple(answers))


@router.get(
    "/v1/brands/{brand}/timeline",
    summary="Figures of a brand over time",
    responses={404: {"description": "Unknown brand"}},
)
def timeline(
    *,
    context: Context,
    principal: Reader,
    brand: Annotated[str, Path(max_length=100)],
    since: Annotated[Instant | None, Query(description="Default: some time before `until`, by the bucket.")] = None,
    until: Annotated[Instant | None, Query(description="Default: now.")] = None,
    bucket: Bucket = Bucket.HOUR,
) -> TimelineAnswer:
    """Mentions, authors, negative and harmful mentions in whole spans, from the one with `since` to the one with `until`."""
    if not context.sees(principal, brand):
        raise unknown_brand(brand)
    settings = context.configuration.brand(brand)
    zone = settings.time_zone if settings else "UTC"
    end = until or context.clock.now()
    try:
        borders = edges(since or end - _SHOWN_BY_DEFAULT[bucket], end, bucket, ZoneInfo(zone))
    except (TooManySpans, ValueError, OverflowError) as error:
        raise Problem(422, detail=str(error), errors=[{"field": "since", "message": str(error)}]) from error
    with context.database.read() as session:
        figures = count_spans(session, brand, borders, thresholds=context.thresholds)
        complete = context.complete_up_to(session)
    return TimelineAnswer(
        brand=brand,
        bucket=bucket,
        time_zone=zone,
        complete_up_to=complete,
        spans=tuple(FiguresAnswer.of(item) for item in figures),
    )
