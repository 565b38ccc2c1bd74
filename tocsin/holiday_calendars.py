"""Public holidays for schedules: the library's calendars behind the plain question whether a day is one."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterable, Mapping
from datetime import date
from functools import lru_cache

import holidays

from tocsin.contracts.settings.protocol import HolidaySettings, ScheduleSettings


def calendars_of(schedules: Iterable[ScheduleSettings]) -> Mapping[str, Container[date]]:
    """The days off of each schedule that has holidays, by the schedule's id; good for any year."""
    return {schedule.id: _DaysOff(schedule.holidays) for schedule in schedules if schedule.holidays is not None}


def unknown_holidays(country: str, subdivision: str | None) -> str | None:
    """What is wrong with a country or part of one; None where the library knows its holidays."""
    supported = holidays.list_supported_countries(include_aliases=True)
    if country not in supported:
        return f"the holidays of {country!r} are not known; give an ISO 3166 code such as 'FR', 'US' or 'IN'"
    if subdivision is not None and subdivision not in supported[country]:
        parts = ", ".join(supported[country][:12]) or "none"
        return f"{country!r} has no part {subdivision!r} with holidays of its own; known are {parts}"
    return None


class _DaysOff(Container[date]):
    def __init__(self, settings: HolidaySettings) -> None:
        self._settings = settings

    def __contains__(self, day: object) -> bool:
        if not isinstance(day, date) or day in self._settings.but_not:
            return False
        country = self._settings.country
        public = country is not None and day in _public(country, self._settings.subdivision, day.year)
        return public or day in self._settings.extra


_expanding = threading.Lock()


@lru_cache(maxsize=256)
def _public(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    # The library fills its calendars as it is asked, which threads must not do at once.
    with _expanding:
        return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))
