"""Figures of incidents: how fast people were, and how right the bell was."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from services.api.context import ApiContext, Context
from services.api.figure_answers import AlertQualityAnswer, IncidentTimesAnswer, ResponseTimesAnswer, TimesAnswer
from services.api.periods import UNKNOWN_BRAND, WantedPeriod
from services.api.permission import Reader, unknown_brand
from tocsin.access.principals import Principal
from tocsin.contracts.alert_quality import BY_PEOPLE, alert_quality
from tocsin.storage.responses import ResponseTimes, response_times

router = APIRouter(tags=["figures"])

Brand = Annotated[
    str | None, Query(max_length=100, description="Left out: all that you may see.", examples=["nordlys"])
]


@router.get("/v1/response-times", summary="Time to notice, acknowledge, answer and speak", responses=UNKNOWN_BRAND)
def list_response_times(
    *, context: Context, principal: Reader, wanted: WantedPeriod, brand: Brand = None
) -> ResponseTimesAnswer:
    """Seconds, for the incidents that were opened in the period."""
    brands = _brands(context, principal, brand)
    with context.database.read() as session:
        times = response_times(session, brands, wanted.since, wanted.until)
    return ResponseTimesAnswer(
        since=wanted.since,
        until=wanted.until,
        notice=_summary([item.notice for item in times]),
        acknowledge=_summary([item.acknowledge for item in times]),
        first_answer=_summary([item.first_answer for item in times]),
        first_statement=_summary([item.first_statement for item in times]),
        incidents=tuple(_answer(item) for item in times),
    )


@router.get("/v1/alert-quality", summary="Precision of alerts, and misses", responses=UNKNOWN_BRAND)
def show_alert_quality(
    *, context: Context, principal: Reader, wanted: WantedPeriod, brand: Brand = None
) -> AlertQualityAnswer:
    """By the verdicts that people gave to the incidents that were opened in the period."""
    brands = _brands(context, principal, brand)
    with context.database.read() as session:
        times = response_times(session, brands, wanted.since, wanted.until)
    quality = alert_quality((item.opened_by, item.verdict) for item in times)
    return AlertQualityAnswer.of(quality, since=wanted.since, until=wanted.until)


def _brands(context: ApiContext, principal: Principal, brand: str | None) -> list[str]:
    if brand is None:
        return context.brand_ids(principal)
    if not context.sees(principal, brand):
        raise unknown_brand(brand)
    return [brand]


def _summary(seconds: Sequence[float | None]) -> TimesAnswer:
    known = sorted(item for item in seconds if item is not None)
    if not known:
        return TimesAnswer(incidents=0, median=None, ninetieth=None)
    ninetieth = known[max(0, -(-9 * len(known) // 10) - 1)]
    return TimesAnswer(incidents=len(known), median=statistics.median(known), ninetieth=ninetieth)


def _answer(times: ResponseTimes) -> IncidentTimesAnswer:
    return IncidentTimesAnswer(
        incident=times.incident_id,
        brand=times.brand,
        opened_at=times.opened_at,
        verdict=times.verdict,
        declared=times.opened_by.startswith(BY_PEOPLE),
        notice=times.notice,
        acknowledge=times.acknowledge,
        first_answer=times.first_answer,
        first_statement=times.first_statement,
    )
