"""`people`, `schedules` and `policies`: the crisis protocol, as the team wrote it down beforehand."""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from tocsin.contracts.settings.base import Duration, Identifier, Settings
from tocsin.contracts.settings.brands import TimeZone
from tocsin.contracts.settings.channels import MailAddress, PhoneNumber

TARGET_PATTERN = r"^(person|schedule|team|channel):[a-z0-9][a-z0-9_-]{0,62}$"
COUNTRY_PATTERN = r"^[A-Z]{2}$"
SLACK_MEMBER_PATTERN = r"^[UW][A-Z0-9]{4,}$"
PAGERDUTY_USER_PATTERN = r"^P[A-Z0-9]{4,}$"
TargetReference = Annotated[str, Field(pattern=TARGET_PATTERN)]
"""Whom a step rings: `person:lea`, `schedule:evenings` (whoever is on call), `team:crisis-cell` or `channel:control-room`."""
MEMBER_PATTERN = r"^(person|schedule):[a-z0-9][a-z0-9_-]{0,62}$"


def _time_of_day(value: object) -> object:
    # YAML 1.1 reads an unquoted 22:00 as the number 22 * 60 + 0, and Pydantic would take that for seconds after midnight.
    if isinstance(value, int) and not isinstance(value, bool):
        if not 60 <= value < 24 * 60:
            raise ValueError(f"{value} is no time of day; write it with quotes, such as '22:00'")
        return time(value // 60, value % 60)
    if isinstance(value, str) and not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", value):
        raise ValueError(f"{value!r} is no time of day on the wall clock; write it like '09:00'")
    return value.rjust(5, "0") if isinstance(value, str) else value


_AS_WRITTEN = WithJsonSchema(
    {"type": "string", "pattern": r"^\d{1,2}:\d{2}$", "examples": ["09:00"]}, mode="validation"
)

TimeOfDay = Annotated[time, BeforeValidator(_time_of_day), _AS_WRITTEN]
"""A time on the wall clock, to the minute, such as `09:00`; its zone is the schedule's."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class HoursSettings(Settings):
    """Hours of a day, on the wall clock. `until` at or before `begin` is on the next day; `00:00` twice is a whole day."""

    begin: TimeOfDay
    until: TimeOfDay


class ChainLink(Settings):
    """One link of a person's chain: `wait` after the one before (or after the person was rung first), ring `channel`."""

    channel: Identifier
    wait: Duration = timedelta(minutes=1)

    @field_validator("wait")
    @classmethod
    def _wait_in_range(cls, value: timedelta) -> timedelta:
        if not timedelta(0) <= value <= timedelta(hours=1):
            raise ValueError("wait must be from '0 s' to '1 h'")
        return value


class PersonSettings(Settings):
    """Somebody who can be called: on all `channels` at once, and along the `chain` until somebody has acknowledged.

    A link of the chain that fails (no connection, refused, nobody picks up) lets the next one begin at once.
    """

    id: Identifier
    name: str
    language: Literal["fr", "en"] = "en"
    time_zone: TimeZone = "UTC"
    channels: tuple[Identifier, ...] = ()
    chain: tuple[ChainLink, ...] = ()
    chain_repeat: int = Field(default=0, ge=0, le=10)
    """How many times the chain begins again."""
    phone: PhoneNumber | None = None
    mail: MailAddress | None = None
    slack: str | None = Field(default=None, pattern=SLACK_MEMBER_PATTERN)
    """The person's member id in Slack."""
    pagerduty: str | None = Field(default=None, pattern=PAGERDUTY_USER_PATTERN)
    """The person's user id in PagerDuty, so that what they acknowledge there is theirs here."""
    quiet: HoursSettings | None = None
    """Hours on the person's clock in which messages below orange wait; orange and red never do."""
    access: tuple[Literal["read", "act", "admin"], ...] = ("read", "act")
    """What the person may do once signed in to the page; `admin` is everything, also keys and privacy."""
    brands: tuple[Identifier, ...] = ()
    """The brands that the person sees; none written: all."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self.channels and not self.chain:
            raise ValueError("channels: name at least one channel, here or in 'chain'")
        return self

    @property
    def every_channel(self) -> tuple[str, ...]:
        """The channels rung at once, then those of the chain, each once."""
        return tuple(dict.fromkeys((*self.channels, *(link.channel for link in self.chain))))


class HolidaySettings(Settings):
    """The days off of a schedule: the public holidays of a country (or a part of it), and what the team adds or takes away."""

    country: str | None = Field(default=None, pattern=COUNTRY_PATTERN)
    """ISO 3166-1, such as `FR`."""
    subdivision: str | None = None
    """ISO 3166-2 without the country, such as `BY` of Germany, where it has holidays of its own."""
    extra: tuple[date, ...] = ()
    """Days on which this team does not work, although it is no public holiday."""
    but_not: tuple[date, ...] = ()
    """Public holidays on which this team works."""


class RotationSettings(Settings):
    """A layer of a schedule: `people` take turns, each for `length`, counted from `start` at `at` in the schedule's time zone.

    With `weekdays` and `hours` the layer has somebody only then; hours over midnight belong to the day they began on.
    """

    people: tuple[Identifier, ...] = Field(min_length=1)
    start: date
    at: TimeOfDay = time(9, 0)
    length: Literal["day", "week"] | Duration = "week"
    """`day`, `week`, or hours of which a whole number make a day, such as `12 h`."""
    weekdays: tuple[Weekday, ...] = Field(default=("mon", "tue", "wed", "thu", "fri", "sat", "sun"), min_length=1)
    hours: HoursSettings = HoursSettings(begin=time(0), until=time(0))
    holidays: Literal["as_usual", "off", "also", "only"] = "as_usual"
    """On the schedule's holidays: as on any such weekday; not on duty; on duty whatever the weekday; on duty only then."""

    @field_validator("length")
    @classmethod
    def _divides_a_day(cls, length: str | timedelta) -> str | timedelta:
        if isinstance(length, timedelta) and (
            not timedelta(hours=1) <= length <= timedelta(days=1) or timedelta(days=1) % length
        ):
            raise ValueError(
                "length must be 'day', 'week', or hours of which a whole number make a day, such as '12 h'"
            )
        return length


class ScheduleSettings(Settings):
    """Who is on call when; later layers win where they have somebody."""

    id: Identifier
    time_zone: TimeZone = "UTC"
    holidays: HolidaySettings | None = None
    layers: tuple[RotationSettings, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_the_holidays_that_it_names(self) -> Self:
        if self.holidays is None and any(layer.holidays != "as_usual" for layer in self.layers):
            raise ValueError("holidays: a layer asks for them; write which, such as 'holidays: {country: FR}'")
        return self


class TeamSettings(Settings):
    """People who are rung together: persons, and whoever is on call for a schedule at that moment."""

    id: Identifier
    members: tuple[Annotated[str, Field(pattern=MEMBER_PATTERN)], ...] = Field(min_length=1)


LONGEST_WAIT = timedelta(days=1)


class StepSettings(Settings):
    """One step: after `wait` since the one before (or the beginning), ring `notify`."""

    wait: Duration = timedelta(0)
    """A day at most."""
    notify: tuple[TargetReference, ...] = Field(min_length=1)

    @field_validator("wait")
    @classmethod
    def _wait_in_range(cls, value: timedelta) -> timedelta:
        if value > LONGEST_WAIT:
            raise ValueError("wait must be from '0 s' to '1 d'; a crisis does not wait for longer")
        return value


class LevelPolicy(Settings):
    """What happens at one level: the steps, how often they are repeated, and how long an acknowledgement holds."""

    steps: tuple[StepSettings, ...] = Field(min_length=1)
    repeat: int = Field(default=2, ge=0, le=20)
    """How many times the steps begin again when nobody acknowledges."""
    repeat_after: Duration = timedelta(minutes=5)
    """The wait between the last step and the next round; a day at most."""
    acknowledgement_timeout: Duration | None = timedelta(minutes=30)
    """How long an acknowledgement stops the escalation; it then begins again. Null: for good."""

    @field_validator("repeat_after")
    @classmethod
    def _wait_in_range(cls, value: timedelta) -> timedelta:
        if value > LONGEST_WAIT:
            raise ValueError("repeat_after must be from '0 s' to '1 d'")
        return value

    @model_validator(mode="after")
    def _timeout_in_range(self) -> Self:
        held = self.acknowledgement_timeout
        if held is not None and not timedelta(minutes=5) <= held <= timedelta(days=4):
            raise ValueError("acknowledgement_timeout must be from '5 min' to '4 d', or null")
        return self


class PolicySettings(Settings):
    """An escalation policy, by level; without `red`, red is handled like orange."""

    id: Identifier
    orange: LevelPolicy
    red: LevelPolicy | None = None
    fallback: TargetReference | None = None
    """Rung when every round has passed and nobody has acknowledged."""
    escalation: Literal["tocsin", "pagerduty"] = "tocsin"
    """Who goes on calling people until somebody acknowledges; never both."""

    @property
    def last_resort(self) -> str | None:
        """Who is told that nobody can be called any more: the fallback owner, or PagerDuty where that escalates."""
        return self.orange.steps[0].notify[0] if self.escalation == "pagerduty" else self.fallback


class DrillSettings(Settings):
    """An exercise on a schedule: rings `people`, each by themselves, or walks through a `policy`."""

    id: Identifier
    people: tuple[Identifier, ...] = ()
    policy: Identifier | None = None
    brand: Identifier | None = None
    """The brand that the messages name; by default the first one."""
    level: Literal["orange", "red"] = "orange"
    start: date
    """The day of the first one."""
    at: TimeOfDay = time(10, 0)
    time_zone: TimeZone = "UTC"
    every: Duration = timedelta(days=28)
    """Whole days."""

    @model_validator(mode="after")
    def _is_clear(self) -> Self:
        if bool(self.people) == (self.policy is not None):
            raise ValueError("give either 'people' or a 'policy'")
        if self.every < timedelta(days=1) or self.every % timedelta(days=1):
            raise ValueError("every must be whole days, such as '28 d'")
        return self
