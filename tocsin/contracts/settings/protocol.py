"""`people`, `schedules`, `policies` and `channels`: the crisis protocol, as the team wrote it down beforehand."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import date, time, timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from tocsin.contracts.settings.base import Duration, Identifier, Settings
from tocsin.contracts.settings.brands import TimeZone

TargetReference = Annotated[str, Field(pattern=r"^(person|schedule|channel):[a-z0-9][a-z0-9_-]{0,62}$")]
"""Whom a step rings: `person:lea`, `schedule:evenings` or `channel:control-room`."""


class TerminalChannel(Settings):
    """Prints each message on the terminal of the alert process."""

    kind: Literal["terminal"]
    id: Identifier
    wakes: bool = False
    language: Literal["fr", "en"] = "en"
    """Of messages to the channel itself; those to a person are in the person's."""
    time_zone: TimeZone = "UTC"


class WebhookChannel(Settings):
    """Posts each message as JSON, signed as Standard Webhooks say, to `url`."""

    kind: Literal["webhook"]
    id: Identifier
    url: str
    secret: SecretStr
    """`whsec_…`: base64 of 24 to 64 bytes; best given as `${NAME}` from the environment."""
    timeout: Duration = timedelta(seconds=10)
    wakes: bool = False
    """Does what listens there wake a person? An orange or red policy needs one that does."""
    allow_private_address: bool = False
    """Allow an address on a private network or this machine, and plain http, which are else refused (request forgery)."""
    language: Literal["fr", "en"] = "en"
    """Of messages to the channel itself; those to a person are in the person's."""
    time_zone: TimeZone = "UTC"

    @field_validator("secret")
    @classmethod
    def _secret_is_usable(cls, secret: SecretStr) -> SecretStr:
        text = secret.get_secret_value()
        try:
            key = b64decode(text.removeprefix("whsec_"), validate=True) if text.startswith("whsec_") else b""
        except ValueError:
            key = b""
        if not 24 <= len(key) <= 64:
            raise ValueError(
                "secret must be 'whsec_' and the base64 of 24 to 64 random bytes; make one with: "
                "python -c \"import base64, secrets; print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""
            )
        return secret

    @model_validator(mode="after")
    def _url_is_safe(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url must be complete, such as 'https://example.org/tocsin'")
        if parts.username or parts.password:
            raise ValueError("url must not hold a user or password; receivers check the signature instead")
        if parts.scheme == "http" and not self.allow_private_address:
            raise ValueError(
                "url must begin with https://; plain http is for private addresses (allow_private_address: true)"
            )
        return self

    @field_validator("timeout")
    @classmethod
    def _timeout_in_range(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(seconds=60):
            raise ValueError("timeout must be from '1 s' to '60 s'")
        return value


ChannelSettings = Annotated[TerminalChannel | WebhookChannel, Field(discriminator="kind")]


class PersonSettings(Settings):
    """Somebody who can be called; `channels` are tried in their order, all at once for now."""

    id: Identifier
    name: str
    language: Literal["fr", "en"] = "en"
    time_zone: TimeZone = "UTC"
    channels: tuple[Identifier, ...] = Field(min_length=1)


def _time_of_day(value: object) -> object:
    # YAML 1.1 reads an unquoted 22:00 as the number 22 * 60 + 0, and Pydantic would take that for seconds after midnight.
    if isinstance(value, int) and not isinstance(value, bool):
        if not 60 <= value < 24 * 60:
            raise ValueError(f"{value} is no time of day; write it with quotes, such as '22:00'")
        return time(value // 60, value % 60)
    if isinstance(value, str) and not re.fullmatch(r"\d{1,2}:\d{2}", value):
        raise ValueError(f"{value!r} is no time of day on the wall clock; write it like '09:00'")
    return value.rjust(5, "0") if isinstance(value, str) else value


TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
"""A time on the wall clock, to the minute, such as `09:00`; its zone is the schedule's."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class HoursSettings(Settings):
    """Hours of a day, on the wall clock. `until` at or before `begin` is on the next day; `00:00` twice is a whole day."""

    begin: TimeOfDay
    until: TimeOfDay


class RotationSettings(Settings):
    """A layer of a schedule: `people` take turns, each for `length`, counted from `start` at `at` in the schedule's time zone.

    With `weekdays` and `hours` the layer has somebody only then; hours over midnight belong to the day they began on.
    """

    people: tuple[Identifier, ...] = Field(min_length=1)
    start: date
    at: TimeOfDay = time(9, 0)
    length: Literal["day", "week"] = "week"
    weekdays: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    hours: HoursSettings = HoursSettings(begin=time(0), until=time(0))


class ScheduleSettings(Settings):
    """Who is on call when; later layers win where they have somebody."""

    id: Identifier
    time_zone: TimeZone = "UTC"
    layers: tuple[RotationSettings, ...] = Field(min_length=1)


class StepSettings(Settings):
    """One step: after `wait` since the one before (or the beginning), ring `notify`."""

    wait: Duration = timedelta(0)
    notify: tuple[TargetReference, ...] = Field(min_length=1)


class LevelPolicy(Settings):
    """What happens at one level: the steps, how often they are repeated, and how long an acknowledgement holds."""

    steps: tuple[StepSettings, ...] = Field(min_length=1)
    repeat: int = Field(default=2, ge=0, le=20)
    """How many times the steps begin again when nobody acknowledges."""
    repeat_after: Duration = timedelta(minutes=5)
    """The wait between the last step and the next round."""
    acknowledgement_timeout: Duration | None = timedelta(minutes=30)
    """How long an acknowledgement stops the escalation; it then begins again. Null: for good."""

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
