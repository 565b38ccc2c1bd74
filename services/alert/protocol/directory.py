"""The directory: who a policy's references mean right now, how they are reached, and what links in messages begin with.

It is read from the present configuration at every decision: an incident keeps its policy, but calls whoever is on call now.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from services.alert.protocol.schedules import Shift, changes, on_call, shifts
from tocsin.contracts.decisions import Language
from tocsin.contracts.oncall import Override
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.contracts.settings.channels import ChannelSettings
from tocsin.contracts.settings.protocol import HoursSettings, PersonSettings, ScheduleSettings, TeamSettings
from tocsin.contracts.settings.room import PlaybookSettings
from tocsin.contracts.settings.services import ApiSettings


class WrittenProtocol(Protocol):
    """The sections of `tocsin.yaml` that a directory is made of; `tocsin.config.Configuration` has them."""

    @property
    def brands(self) -> Sequence[BrandSettings]: ...
    @property
    def people(self) -> Sequence[PersonSettings]: ...
    @property
    def schedules(self) -> Sequence[ScheduleSettings]: ...
    @property
    def teams(self) -> Sequence[TeamSettings]: ...
    @property
    def channels(self) -> Sequence[ChannelSettings]: ...
    @property
    def playbooks(self) -> Sequence[PlaybookSettings]: ...
    @property
    def api(self) -> ApiSettings: ...


@dataclass(frozen=True, slots=True)
class Ring:
    """One time that a page goes out to somebody: on which channel, and how long after the step was rung.

    `round` tells the rings of one person in one step apart."""

    channel: str
    after: timedelta = timedelta(0)
    round: int = 0


@dataclass(frozen=True, slots=True)
class Recipient:
    """A person or a channel that is to be told something; a page rings as `rings` say, other messages go to `channels`."""

    target: str
    name: str
    language: Language
    time_zone: str
    channels: tuple[str, ...]
    rings: tuple[Ring, ...]
    """At least one a channel, in the order of time."""


@dataclass(frozen=True, slots=True)
class Directory:
    """People, schedules and channels by id; a reference that is no longer in the configuration reaches nobody."""

    people: Mapping[str, PersonSettings] = field(default_factory=dict)
    schedules: Mapping[str, ScheduleSettings] = field(default_factory=dict)
    channels: Mapping[str, ChannelSettings] = field(default_factory=dict)
    brand_names: Mapping[str, str] = field(default_factory=dict)
    public_url: str | None = None
    holidays: Mapping[str, Container[date]] = field(default_factory=dict)
    """The days off of the schedules that have some, by the schedule's id."""
    overrides: Sequence[Override] = ()
    playbooks: Sequence[PlaybookSettings] = ()
    teams: Mapping[str, TeamSettings] = field(default_factory=dict)

    @classmethod
    def of(cls, configuration: WrittenProtocol, holidays: Mapping[str, Container[date]] | None = None) -> Directory:
        """From the present configuration, and its holidays by the schedule's id; without what people agreed on since."""
        return cls(
            people={person.id: person for person in configuration.people},
            schedules={schedule.id: schedule for schedule in configuration.schedules},
            channels={channel.id: channel for channel in configuration.channels},
            brand_names={brand.id: brand.names[0] for brand in configuration.brands if brand.names},
            public_url=configuration.api.public_url,
            holidays=holidays or {},
            playbooks=configuration.playbooks,
            teams={team.id: team for team in configuration.teams},
        )

    def with_overrides(self, overrides: Iterable[Override]) -> Directory:
        """The same with the shifts that people took and gave; those of people who are not there any more do not count."""
        return replace(self, overrides=tuple(item for item in overrides if item.person in self.people))

    def on_call(self, schedule: str, at: datetime) -> str | None:
        """The id of the person on call for a schedule at an instant; None where that is nobody."""
        written = self.schedules.get(schedule)
        return on_call(written, at, self.holidays.get(schedule, ()), self.overrides) if written else None

    def changes(self, schedule: str, since: datetime, until: datetime) -> list[datetime]:
        """Every instant in [since, until) at which somebody else may be on call for a schedule, `since` first; UTC."""
        return changes(self.schedules[schedule], since, until, self.overrides)

    def shifts(self, schedule: str, since: datetime, until: datetime) -> list[Shift]:
        """Who is on call for a schedule from `since` to `until`, without gaps between them."""
        return shifts(self.schedules[schedule], since, until, self.holidays.get(schedule, ()), self.overrides)

    def recipient(self, reference: str, at: datetime) -> Recipient | None:
        """Whom `person:…`, `schedule:…` or `channel:…` means at an instant; None where that is nobody."""
        kind, _, identifier = reference.partition(":")
        if kind == "channel":
            channel = self.channels.get(identifier)
            if channel is None:
                return None
            return Recipient(
                reference, identifier, channel.language, channel.time_zone, (identifier,), (Ring(identifier),)
            )
        if kind == "schedule":
            found = self.on_call(identifier, at)
            if found is None:
                return None
            identifier = found
        person = self.people.get(identifier)
        if person is None:
            return None
        return Recipient(
            target=f"person:{person.id}",
            name=person.name,
            language=person.language,
            time_zone=person.time_zone,
            channels=person.every_channel,
            rings=rings_of(person),
        )

    def unfolded(self, references: Iterable[str]) -> tuple[str, ...]:
        """The references with the members of each team in its place; a team that is not there any more has none."""
        unfolded: list[str] = []
        for reference in references:
            kind, _, identifier = reference.partition(":")
            if kind == "team":
                team = self.teams.get(identifier)
                unfolded.extend(team.members if team is not None else ())
            else:
                unfolded.append(reference)
        return tuple(unfolded)

    def recipients(self, references: Sequence[str], at: datetime) -> tuple[Recipient, ...]:
        """Everybody that the references mean at an instant, each once, in order."""
        found: dict[str, Recipient] = {}
        for reference in self.unfolded(references):
            recipient = self.recipient(reference, at)
            if recipient is not None:
                found.setdefault(recipient.target, recipient)
        return tuple(found.values())

    def waits_until(self, target: str, at: datetime) -> datetime | None:
        """When a person's quiet hours end that it is in at an instant; None outside them. For what is below orange."""
        person = self.people.get(target.removeprefix("person:"))
        if person is None or person.quiet is None:
            return None
        return quiet_until(person.quiet, ZoneInfo(person.time_zone), at)

    def tells(self, channel: str) -> bool:
        """True where messages that escalate nothing go to the channel, too."""
        settings = self.channels.get(channel)
        return settings is not None and not settings.pages_only

    def wakes(self, recipient: Recipient) -> bool:
        """True where one of the recipient's channels wakes a person."""
        return any(self.channels[channel].wakes for channel in recipient.channels if channel in self.channels)

    def actor_name(self, actor: str) -> str:
        """How an actor is called in a message: a person's name, else the actor itself."""
        person = self.people.get(actor.removeprefix("person:")) if actor.startswith("person:") else None
        return person.name if person else actor

    def brand_name(self, brand: str) -> str:
        """The first name of a brand, else its id."""
        return self.brand_names.get(brand, brand)

    def link(self, incident: UUID) -> str | None:
        """The incident's page, where `api.public_url` says what it begins with."""
        return f"{self.public_url.rstrip('/')}/incidents/{incident}" if self.public_url else None


def rings_of(person: PersonSettings) -> tuple[Ring, ...]:
    """When a person is rung on which channel: `channels` and the first link at once, then one link after the other."""
    rings = [Ring(channel) for channel in person.channels]
    after = timedelta(0)
    links = person.chain * (person.chain_repeat + 1)
    for number, link in enumerate(links):
        after += link.wait if number else timedelta(0)
        rings.append(Ring(link.channel, after, number))
    # A first link that is rung at once anyway is rung once.
    return tuple({(ring.channel, ring.round): ring for ring in rings}.values())


def quiet_until(quiet: HoursSettings, zone: ZoneInfo, at: datetime) -> datetime | None:
    """When quiet hours end that `at` is within, on the wall clock of `zone`; None outside them."""
    local = at.astimezone(zone)
    for begins in (local.date() - timedelta(days=1), local.date()):
        begin = datetime.combine(begins, quiet.begin, zone)
        ends = begins if quiet.until > quiet.begin else begins + timedelta(days=1)
        end = datetime.combine(ends, quiet.until, zone)
        # Compared as instants: on the wall clock of one zone, Python would not see the night on which it jumps.
        if begin.astimezone(UTC) <= at < end.astimezone(UTC):
            return end.astimezone(UTC)
    return None
