"""`people`, `schedules`, `policies` and `channels`: the crisis protocol, as the team wrote it down beforehand."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from tocsin.contracts.settings.base import Duration, Identifier, Settings
from tocsin.contracts.settings.brands import TimeZone

TargetReference = Annotated[str, Field(pattern=r"^(person|schedule|channel):[a-z0-9][a-z0-9_-]{0,62}$")]
"""Whom a step rings: `person:lea`, `schedule:evenings` or `channel:control-room`."""


class TerminalChannel(Settings):
    """Prints each message on the terminal of the alert process."""

    kind: Literal["terminal"]
    id: Identifier
    wakes: bool = False


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
    """Allow an address on a private network or this machine, which is else refused (server-side request forgery)."""


ChannelSettings = Annotated[TerminalChannel | WebhookChannel, Field(discriminator="kind")]


class PersonSettings(Settings):
    """Somebody who can be called; `channels` are tried in their order, all at once for now."""

    id: Identifier
    name: str
    language: Literal["fr", "en"] = "en"
    time_zone: TimeZone = "UTC"
    channels: tuple[Identifier, ...] = Field(min_length=1)


class RotationSettings(Settings):
    """A layer of a schedule: `people` take turns, each for `length`, counted from `start` at `at` in the schedule's time zone."""

    people: tuple[Identifier, ...] = Field(min_length=1)
    start: date
    at: time = time(9, 0)
    length: Literal["day", "week"] = "week"


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
    """An escalation policy, by level; a level without one uses the next lower one that has."""

    id: Identifier
    orange: LevelPolicy
    red: LevelPolicy | None = None
    fallback: TargetReference | None = None
    """Rung when every round has passed and nobody has acknowledged."""
