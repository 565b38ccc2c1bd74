"""`GET /v1/brands`: how each brand stands; `GET /v1/brands/{brand}/timeline`: what was said of it over time."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query

from services.api.commands import sees_incident
from services.api.context import Context
from services.api.figure_answers import SpanAnswer, TimelineAnswer
from services.api.instants import SentInstant
from services.api.one_turn import OneTurnRoute
from services.api.periods import VisibleBrand, annotations_of
from services.api.permission import Reader
from services.api.schemas import BrandAnswer, BrandList
from services.api.spans import Bucket, TooManySpans, Unit, edges
from tocsin.contracts.incidents import Level, decided_in_words
from tocsin.problems import Problem
from tocsin.storage import brands, incidents
from tocsin.storage.figures import count_spans, split_spans
from tocsin.storage.tallies import Split

router = APIRouter(tags=["brands"], route_class=OneTurnRoute)


@router.get("/v1/brands", summary="How each brand stands")
def list_brands(*, context: Context, principal: Reader) -> BrandList:
    """Level, score and reasons of every brand that you may see, in the order of tocsin.yaml."""
    wanted = context.brand_ids(principal)
    with context.database.read() as session:
        board = {status.brand: status for status in brands.board(session, wanted)}
        complete = context.complete_up_to(session)
        opened = incidents.open_mains(session, wanted)
        answers = []
        for brand in wanted:
            status = board.get(brand)
            open_incident = opened.get(brand)
            answers.append(
                BrandAnswer(
                    id=brand,
                    name=context.directory.brand_name(brand),
                    level=status.level if status else Level.GREEN,
                    score=status.score if status else 0.0,
                    reasons=status.reasons if status else {},
                    decided=decided_in_words(status.evidence) if status else {},
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
    _principal: Reader,
    brand: VisibleBrand,
    since: Annotated[SentInstant | None, Query(description="Default: some time before `until`, by the bucket.")] = None,
    until: Annotated[SentInstant | None, Query(description="Default: now.")] = None,
    bucket: Annotated[
        str,
        Query(
            pattern=Bucket.PATTERN,
            description="`5min`, `hour`, `6hour`, `day`, `week`, `month`, or any number of these; at most 1,000 spans.",
            examples=["hour"],
        ),
    ] = "hour",
    split: Annotated[Split | None, Query(description="Tell the figures apart by this, too.")] = None,
) -> TimelineAnswer:
    """All figures in whole spans, from the one with `since` to the one with `until`; days, weeks and months are the brand's."""
    settings = context.configuration.brand(brand)
    zone = settings.time_zone if settings else "UTC"
    end = until or context.clock.now()
    try:
        length = Bucket.parse(bucket)
        borders = edges(since or end - _shown_by_default(length), end, length, ZoneInfo(zone))
    except (TooManySpans, ValueError, OverflowError) as error:
        raise Problem(422, detail=str(error), errors=[{"field": "since", "message": str(error)}]) from error
    with context.database.read() as session:
        spans: list[SpanAnswer]
        if split is None:
            counted = count_spans(session, brand, borders, thresholds=context.thresholds)
            spans = [SpanAnswer.of_span(whole, None) for whole in counted]
        else:
            apart = split_spans(session, brand, borders, split=split, thresholds=context.thresholds)
            spans = [SpanAnswer.of_span(whole, parts) for whole, parts in apart]
        complete = context.complete_up_to(session)
        annotations = annotations_of(context, session, brand, borders[0], borders[-1])
    return TimelineAnswer(
        brand=brand,
        bucket=str(length),
        time_zone=zone,
        split=split,
        complete_up_to=complete,
        annotations=annotations,
        spans=tuple(spans),
    )


def _shown_by_default(bucket: Bucket) -> timedelta:
    """24 hours in hours, 30 days in days, and about as many spans of any other length."""
    return {Unit.MINUTE: 72, Unit.HOUR: 24, Unit.DAY: 30, Unit.WEEK: 26, Unit.MONTH: 12}[bucket.unit] * bucket.length
