"""A made-up team and its protocol, for tests of the crisis protocol."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from services.alert.protocol.commands import Judged, Open
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from tocsin.contracts.incidents import Level, PolicySnapshot
from tocsin.contracts.settings.channels import TerminalChannel
from tocsin.contracts.settings.protocol import (
    LevelPolicy,
    PersonSettings,
    PolicySettings,
    RotationSettings,
    ScheduleSettings,
    StepSettings,
)

START = datetime(2026, 3, 2, 21, 0, tzinfo=UTC)
"""A Monday evening."""
INCIDENT = UUID("11111111-2222-4333-8444-555555555555")
REASONS = {"fr": "38 mentions hostiles en 3 h, 9 attendues.", "en": "38 hostile mentions in 3 h, 9 expected."}

PEOPLE = (
    PersonSettings(id="lea", name="Léa", language="fr", time_zone="Europe/Paris", channels=("phone-lea",)),
    PersonSettings(id="sam", name="Sam", language="en", time_zone="Europe/London", channels=("phone-sam", "pager")),
    PersonSettings(id="ines", name="Inès", language="fr", time_zone="Europe/Paris", channels=("phone-ines",)),
)
CHANNELS = tuple(
    TerminalChannel(kind="terminal", id=name, wakes=wakes)
    for name, wakes in (
        ("phone-lea", True),
        ("phone-sam", True),
        ("phone-ines", True),
        ("pager", True),
        ("wall", False),
    )
)
EVENINGS = ScheduleSettings(
    id="evenings",
    time_zone="Europe/Paris",
    layers=(RotationSettings(people=("lea", "sam"), start=date(2026, 3, 2), at=time(9, 0), length="week"),),
)
NOBODY = ScheduleSettings(
    id="nobody",
    layers=(RotationSettings(people=("lea",), start=date(2030, 1, 1)),),
)

DIRECTORY = Directory(
    people={person.id: person for person in PEOPLE},
    schedules={schedule.id: schedule for schedule in (EVENINGS, NOBODY)},
    channels={channel.id: channel for channel in CHANNELS},
    brand_names={"lunea": "Lunéa"},
    public_url="https://tocsin.example",
)


def steps(*written: tuple[int, list[str]]) -> tuple[StepSettings, ...]:
    """Steps from (wait in minutes, whom to ring)."""
    return tuple(StepSettings(wait=timedelta(minutes=wait), notify=tuple(notify)) for wait, notify in written)


def policy(**levels: LevelPolicy | str | None) -> PolicySnapshot:
    """A policy as an incident keeps it; orange by default rings Léa, then Sam after 5 min, once more after 10, then Inès."""
    written = {
        "orange": LevelPolicy(
            steps=steps((0, ["schedule:evenings", "channel:wall"]), (5, ["person:sam"])),
            repeat=1,
            repeat_after=timedelta(minutes=10),
            acknowledgement_timeout=timedelta(minutes=30),
        ),
        "red": LevelPolicy(
            steps=steps((0, ["person:lea", "person:sam"]), (3, ["person:ines"])),
            repeat=0,
            repeat_after=timedelta(minutes=3),
            acknowledgement_timeout=timedelta(minutes=15),
        ),
        "fallback": "person:ines",
        **levels,
    }
    return snapshot(PolicySettings.model_validate({"id": "night", **written}))


def judged(level: Level = Level.ORANGE, score: float = 60.0) -> Judged:
    """A judgement of that level."""
    return Judged(level=level, score=score, reasons=REASONS, evidence={"harmful": 38}, complete_up_to=START)


def opening(level: Level = Level.ORANGE, written: PolicySnapshot | None = None) -> Open:
    """The command that opens the incident."""
    return Open(incident_id=INCIDENT, brand="lunea", judged=judged(level), policy=written or policy())
