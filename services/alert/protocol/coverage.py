"""What is wrong with a protocol before its worst night: levels that reach nobody who wakes, minutes with nobody on call.

Whoever is on call is piecewise constant, so a policy is asked only where a schedule may change; between two such instants
nothing happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from services.alert.protocol.directory import Directory
from tocsin.contracts.settings.protocol import LevelPolicy, PolicySettings, ScheduleSettings

HORIZON = timedelta(days=28)
"""How far ahead it is looked."""
MOST_GAPS = 5
"""Gaps that a finding names; the others are counted."""


class Severity(StrEnum):
    ERROR = "error"
    """Somebody who should be woken would not be: the protocol cannot be used like that."""
    WARNING = "warning"
    """Others would be called; worth a look."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of time, UTC, `until` excluded."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where (`policies.night.red`), what, how to mend it, and when."""

    severity: Severity
    place: str
    message: str
    gaps: tuple[Gap, ...] = ()


def find_gaps(policies: Sequence[PolicySettings], directory: Directory, now: datetime) -> list[Finding]:
    """Everything that is wrong with the policies and the schedules that they use, in the 28 days from `now`."""
    findings: list[Finding] = []
    if not policies:
        return [Finding(Severity.ERROR, "policies", "there is none, so nobody is ever called; write one")]
    for policy in policies:
        levels = [("orange", policy.orange), *([("red", policy.red)] if policy.red else [])]
        for name, level in levels:
            findings.extend(_policy_findings(f"policies.{policy.id}.{name}", policy, level, directory, now))
        if policy.fallback and not _may_wake(policy.fallback, directory):
            message = (
                f"{policy.fallback} is reached on no channel that wakes, so the last resort sleeps on; give it one"
            )
            findings.append(Finding(Severity.WARNING, f"policies.{policy.id}.fallback", message))
    for schedule in _used_schedules(policies, directory):
        findings.extend(_schedule_findings(schedule, directory, now))
    return findings


def _policy_findings(
    place: str, policy: PolicySettings, level: LevelPolicy, directory: Directory, now: datetime
) -> Iterator[Finding]:
    rung = [reference for step in level.steps for reference in step.notify]
    everybody = [*rung, policy.fallback] if policy.fallback else rung
    zone = next((schedule.time_zone for schedule in _schedules(everybody, directory)), "UTC")
    if not any(_may_wake(reference, directory) for reference in everybody):
        yield Finding(
            Severity.ERROR,
            place,
            "reaches nobody on a channel that wakes; give somebody in its steps a channel with 'wakes: true'",
        )
        return
    if gaps := _asleep(everybody, directory, now):
        yield Finding(
            Severity.ERROR,
            place,
            f"wakes nobody at all during {_told(gaps, zone)}; add a layer that covers it, or a step that rings a person",
            tuple(gaps),
        )
    elif gaps := _asleep(rung, directory, now):
        yield Finding(
            Severity.ERROR,
            place,
            f"wakes only the fallback owner, {policy.fallback}, during {_told(gaps, zone)}; the last resort is no rota: "
            "add a layer that covers it, or a step that rings a person",
            tuple(gaps),
        )
    for number, step in enumerate(level.steps):
        if not any(_may_wake(reference, directory) for reference in step.notify):
            yield Finding(
                Severity.WARNING,
                f"{place}.steps[{number}]",
                "rings nobody on a channel that wakes, so whoever sleeps is rung by another step only",
            )


def _asleep(references: Sequence[str], directory: Directory, now: datetime) -> list[Gap]:
    """The stretches of the next 28 days in which none of the references wakes anybody."""
    return _gaps(
        _instants(_schedules(references, directory), directory, now),
        now + HORIZON,
        lambda at: any(directory.wakes(found) for found in directory.recipients(references, at)),
    )


def _schedule_findings(schedule: ScheduleSettings, directory: Directory, now: datetime) -> Iterator[Finding]:
    instants = _instants([schedule], directory, now)
    gaps = _gaps(instants, now + HORIZON, lambda at: directory.on_call(schedule.id, at) is not None)
    if gaps:
        yield Finding(
            Severity.WARNING,
            f"schedules.{schedule.id}",
            f"has nobody on call during {_told(gaps, schedule.time_zone)}; steps that ring it go on to the next at once",
            tuple(gaps),
        )


def _may_wake(reference: str, directory: Directory) -> bool:
    return any(_one_may_wake(member, directory) for member in directory.unfolded([reference]))


def _one_may_wake(reference: str, directory: Directory) -> bool:
    kind, _, identifier = reference.partition(":")
    if kind == "channel":
        channel = directory.channels.get(identifier)
        return channel is not None and channel.wakes
    people: Iterable[str] = [identifier]
    if kind == "schedule":
        schedule = directory.schedules.get(identifier)
        people = {person for layer in schedule.layers for person in layer.people} if schedule else []
    known = [directory.people[person] for person in people if person in directory.people]
    return any(
        directory.channels[channel].wakes
        for person in known
        for channel in person.every_channel
        if channel in directory.channels
    )


def _used_schedules(policies: Sequence[PolicySettings], directory: Directory) -> list[ScheduleSettings]:
    references: list[str] = []
    for policy in policies:
        for level in (policy.orange, policy.red):
            references += [reference for step in level.steps for reference in step.notify] if level else []
        references += [policy.fallback] if policy.fallback else []
    return _schedules(references, directory)


def _schedules(references: Iterable[str], directory: Directory) -> list[ScheduleSettings]:
    """The schedules among the references, each once."""
    unfolded = directory.unfolded(references)
    named = [reference.removeprefix("schedule:") for reference in unfolded if reference.startswith("schedule:")]
    return [directory.schedules[name] for name in dict.fromkeys(named) if name in directory.schedules]


def _instants(schedules: Sequence[ScheduleSettings], directory: Directory, now: datetime) -> list[datetime]:
    since = now.astimezone(UTC)
    instants = {since}
    for schedule in schedules:
        instants.update(directory.changes(schedule.id, since, since + HORIZON))
    return sorted(instants)


def _gaps(instants: Sequence[datetime], end: datetime, covered: Callable[[datetime], bool]) -> list[Gap]:
    gaps: list[Gap] = []
    for since, until in zip(instants, [*instants[1:], end], strict=True):
        if covered(since):
            continue
        if gaps and gaps[-1].until == since:
            gaps[-1] = Gap(gaps[-1].since, until)
        else:
            gaps.append(Gap(since, until))
    return gaps


def _told(gaps: Sequence[Gap], zone_name: str) -> str:
    zone = ZoneInfo(zone_name)
    minutes = sum(int((gap.until - gap.since) / timedelta(minutes=1)) for gap in gaps)
    named = [
        f"{gap.since.astimezone(zone):%Y-%m-%d %H:%M} to {gap.until.astimezone(zone):%Y-%m-%d %H:%M}"
        for gap in gaps[:MOST_GAPS]
    ]
    others = f" and {len(gaps) - MOST_GAPS} more stretches" if len(gaps) > MOST_GAPS else ""
    return f"{minutes} minutes of the next {HORIZON.days} days ({', '.join(named)}{others}, {zone_name})"
