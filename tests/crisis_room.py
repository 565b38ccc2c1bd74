"""A made-up crisis room, played through by hand or by its timer, for tests of what goes on in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import yaml

from services.alert.protocol.commands import Acknowledge, ChangeLevel, Command, Resolve
from services.alert.protocol.decide import decide as decide_incident
from services.alert.room.commands import RoomCommand
from services.alert.room.decide import command, due, observe
from services.alert.room.statements import HoldingText
from services.alert.room.team import Team
from tests.team import DIRECTORY, START, judged, opening
from tocsin.contracts.decisions import Notification, RefusalKind
from tocsin.contracts.incidents import Incident, IncidentEvent, Level
from tocsin.contracts.room import Facts, Room, RoomDecision
from tocsin.contracts.settings.room import PlaybookSettings, RoleSettings

LEA, SAM, INES = "person:lea", "person:sam", "person:ines"
FACTS = Facts(harmful=24, harmful_before=60, mentions=80, authors=41, zone="Europe/Paris")

ROLES = [
    RoleSettings(id="lead", name={"fr": "Pilote", "en": "Lead"}, holder=LEA, deputy=SAM),  # type: ignore[arg-type]
    RoleSettings(id="spokesperson", name={"fr": "Porte-parole", "en": "Spokesperson"}, holder=INES, deputy=SAM),  # type: ignore[arg-type]
    RoleSettings(id="legal", name={"fr": "Juridique", "en": "Legal"}, holder=SAM, deputy=INES),  # type: ignore[arg-type]
]
PLAYBOOK = PlaybookSettings.model_validate(
    yaml.safe_load(
        """
id: house-fire
name: {fr: Au feu, en: Fire}
orange:
  update_every: 30 min
  steps:
    - {id: freeze, title: {fr: Suspendre les publications, en: Freeze scheduled posts}, role: lead, due: 5 min, required: true}
    - {id: capture, title: {fr: Capturer les preuves, en: Capture evidence}, role: lead, due: 10 min}
red:
  steps:
    - {id: cell, title: {fr: Réunir la cellule, en: Gather the crisis team}, role: spokesperson, due: 15 min, required: true}
approvals: {orange: [spokesperson], red: [spokesperson, legal], deadline: 15 min}
updates_by: lead
stakeholders: ["person:ines", "channel:wall"]
escalate_after: 5 min
"""
    )
)
TEAM = Team(directory=DIRECTORY, roles={role.id: role for role in ROLES}, playbooks=[PLAYBOOK])


@dataclass
class CrisisRoom:
    """One incident with its room; everything that was told and recorded since it was made is kept."""

    level: Level = Level.ORANGE
    team: Team = TEAM
    now: datetime = START
    told: list[Notification] = field(default_factory=list)
    events: list[IncidentEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.incident: Incident = decide_incident(None, opening(self.level), self.now, self.team.directory).incident
        found = observe(None, self.incident, self.now, self.team)
        assert found.room is not None
        self.room: Room = found.room
        self._keep(found)

    def ask(self, asked: RoomCommand, actor: str = LEA, *, holding: HoldingText | None = None) -> RoomDecision:
        """A person asks for something now."""
        found = command(
            self.room,
            self.incident,
            asked,
            actor=actor,
            now=self.now,
            team=self.team,
            facts=FACTS,
            holding=holding,
        )
        self._keep(found)
        return found

    def done(self, asked: RoomCommand, actor: str = LEA, *, holding: HoldingText | None = None) -> RoomDecision:
        """A person asks for something and gets it."""
        found = self.ask(asked, actor, holding=holding)
        assert found.decision.refused is None, found.decision.refused
        return found

    def refused(
        self, asked: RoomCommand, actor: str = LEA, *, holding: HoldingText | None = None
    ) -> tuple[RefusalKind, str]:
        """A person asks for something and does not get it; nothing changes."""
        before = self.room, self.incident, len(self.events), len(self.told)
        found = self.ask(asked, actor, holding=holding)
        assert found.decision.refused is not None, "it was allowed"
        assert (self.room, self.incident, len(self.events), len(self.told)) == before
        return found.decision.refused.kind, found.decision.refused.reason

    def incident_does(self, wanted: Command) -> None:
        """The incident changes by the protocol, and the room takes note of it."""
        decided = decide_incident(self.incident, wanted, self.now, self.team.directory)
        assert decided.refused is None, decided.refused
        self.incident = decided.incident
        self._keep(observe(self.room, self.incident, self.now, self.team))

    def acknowledge(self, actor: str = LEA) -> None:
        self.incident_does(Acknowledge(actor))

    def rise(self, level: Level = Level.RED) -> None:
        self.incident_does(ChangeLevel(judged(level)))

    def close(self, actor: str = LEA) -> None:
        self.incident_does(Resolve(actor))

    def pass_time(self, minutes: float) -> None:
        """Let time pass; what is due on the way happens at its instant."""
        until = self.now + timedelta(minutes=minutes)
        for _ in range(200):
            at = self.room.next_at
            if at is None or at > until:
                break
            self.now = max(self.now, at)
            self._keep(due(self.room, self.incident, self.now, self.team, FACTS))
        self.now = until

    def heard(self, kind: str, since: int = 0) -> list[tuple[str, str]]:
        """(minutes since the start, name) of each call or message of that kind, once a person and instant."""
        found = [
            (f"{(item.created_at - START).total_seconds() / 60:g}", item.name)
            for item in self.told[since:]
            if item.kind == kind
        ]
        return list(dict.fromkeys(found))

    def happened(self) -> list[str]:
        """The types of all events, without `incident.`."""
        return [event.type.removeprefix("incident.") for event in self.events]

    def _keep(self, found: RoomDecision) -> None:
        if found.decision.refused is not None:
            return
        assert found.room is not None
        self.room, self.incident = found.room, found.decision.incident
        self.events.extend(found.decision.events)
        self.told.extend(found.decision.notifications)
