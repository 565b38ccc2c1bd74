"""Figures of incidents: how fast people were, and how right the bell was."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from services.api.context import ApiContext, Context
from services.api.one_turn import OneTurnRoute
from services.api.periods import UNKNOWN_BRAND, Period, WantedPeriod
from services.api.permission import Reader, unknown_brand
from services.api.response_answers import (
    AlertQualityAnswer,
    IncidentTimesAnswer,
    PeriodQualityAnswer,
    PeriodTimesAnswer,
    ResponseTimesAnswer,
    change_of_quality,
    change_of_times,
)
from tocsin.access.principals import Principal
from tocsin.contracts.alert_quality import AlertQuality, alert_quality
from tocsin.storage.responses import ResponseTimes, response_times

router = APIRouter(tags=["figures"], route_class=OneTurnRoute)

Brand = Annotated[
    str | None, Query(max_length=100, description="Left out: all that you may see.", examples=["nordlys"])
]


@router.get("/v1/response-times", summary="Time to notice, acknowledge, answer and speak", responses=UNKNOWN_BRAND)
def list_response_times(
    *, context: Context, principal: Reader, wanted: WantedPeriod, brand: Brand = None
) -> ResponseTimesAnswer:
    """Seconds, for the incidents that were opened in the period, and in the period of the same length before."""
    brands = _brands(context, principal, brand)
    with context.database.read() as session:
        earlier, times = _both(session, brands, wanted)
    before = PeriodTimesAnswer.of(earlier, since=wanted.before.since, until=wanted.before.until)
    now = PeriodTimesAnswer.of(times, since=wanted.since, until=wanted.until)
    return ResponseTimesAnswer.of(
        times,
        since=wanted.since,
        until=wanted.until,
        before=before,
        change=change_of_times(before, now),
        incidents=tuple(IncidentTimesAnswer.of(item) for item in times),
    )


@router.get("/v1/alert-quality", summary="Precision of alerts, and misses", responses=UNKNOWN_BRAND)
def show_alert_quality(
    *, context: Context, principal: Reader, wanted: WantedPeriod, brand: Brand = None
) -> AlertQualityAnswer:
    """By the verdicts that people gave to the incidents that were opened in the period, and in the one before."""
    brands = _brands(context, principal, brand)
    with context.database.read() as session:
        before, now = (_quality(times) for times in _both(session, brands, wanted))
    return AlertQualityAnswer.of(
        now,
        since=wanted.since,
        until=wanted.until,
        before=PeriodQualityAnswer.of(before, since=wanted.before.since, until=wanted.before.until),
        change=change_of_quality(before, now),
    )


def _brands(context: ApiContext, principal: Principal, brand: str | None) -> list[str]:
    if brand is None:
        return context.brand_ids(principal)
    if not context.sees(principal, brand):
        raise unknown_brand(brand)
    return [brand]


def _both(session: Session, brands: list[str], wanted: Period) -> tuple[list[ResponseTimes], list[ResponseTimes]]:
    """The incidents of the period before, and of the period."""
    return (
        response_times(session, brands, wanted.before.since, wanted.since),
        response_times(session, brands, wanted.since, wanted.until),
    )


def _quality(times: list[ResponseTimes]) -> AlertQuality:
    return alert_quality((item.opened_by, item.verdict) for item in times)
