"""The stretch of time that a figure is of, and the campaigns that were entered beforehand for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Path
from sqlalchemy.orm import Session

from services.api.context import ApiContext, Context
from services.api.figure_answers import AnnotationAnswer
from services.api.mention_queries import Since, Until
from services.api.permission import Reader, unknown_brand
from tocsin.contracts.settings.detection import PlannedSettings
from tocsin.contracts.settings.run_time import PlannedCampaign
from tocsin.problems import Problem
from tocsin.storage import run_time_settings

USUAL_LENGTH = timedelta(days=7)
LONGEST = timedelta(days=3660)
UNKNOWN_BRAND: dict[int | str, dict[str, Any]] = {404: {"description": "Unknown brand"}}
"""For `responses=` of a route with a brand."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `since` (included) to `until`."""

    since: datetime
    until: datetime

    @property
    def before(self) -> Period:
        """The stretch of the same length before it. Raises the Problem of a time that no calendar has."""
        try:
            return Period(self.since - (self.until - self.since), self.since)
        except OverflowError as error:
            raise wrong_time("there is no time so long before it") from error


async def period(*, context: Context, since: Since = None, until: Until = None) -> Period:
    """The period of a request, the last seven days by default. Raises the Problem that says what is wrong with it."""
    end = until or context.clock.now()
    try:
        begin = since or end - USUAL_LENGTH
    except OverflowError as error:
        raise wrong_time("there is no time so long before it") from error
    if end <= begin:
        raise wrong_time("`until` must be after `since`")
    if end - begin > LONGEST:
        raise wrong_time(f"at most {LONGEST.days} days can be looked at together; ask for a shorter time")
    return Period(begin, end)


async def visible_brand(*, context: Context, principal: Reader, brand: Annotated[str, Path(max_length=100)]) -> str:
    """The brand of a path. Raises the Problem of one that is not there or not for this principal."""
    if not context.sees(principal, brand):
        raise unknown_brand(brand)
    return brand


def planned_campaigns(
    context: ApiContext, session: Session, brand: str, since: datetime, until: datetime
) -> list[PlannedSettings]:
    """The campaigns that were entered beforehand and run for a brand at any moment of a period, the earliest first.

    Those of tocsin.yaml, and those that were set at run time.
    """
    planned = [
        item
        for item in context.configuration.detection.planned
        if item.start < until and item.end > since and (not item.brands or brand in item.brands)
    ]
    planned += [
        item.value.planned(brand, item.begins, item.ends)
        for item in run_time_settings.campaigns(session, brand, since, until)
        if isinstance(item.value, PlannedCampaign)
    ]
    return sorted(planned, key=lambda item: (item.start, item.name))


def annotations_of(
    context: ApiContext, session: Session, brand: str, since: datetime, until: datetime
) -> tuple[AnnotationAnswer, ...]:
    """The same as the routes of figures answer them."""
    return tuple(AnnotationAnswer.of(item) for item in planned_campaigns(context, session, brand, since, until))


def wrong_time(message: str) -> Problem:
    """A stretch of time that cannot be looked at."""
    return Problem(422, detail=message, errors=[{"field": "since", "message": message}])


WantedPeriod = Annotated[Period, Depends(period)]
VisibleBrand = Annotated[str, Depends(visible_brand)]
