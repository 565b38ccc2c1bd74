"""Who plays which role right now, and which playbook a crisis calls for."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from services.alert.protocol.directory import Directory, Recipient, WrittenProtocol
from services.alert.protocol.playbooks import playbook_for
from tocsin.contracts.incidents import Incident
from tocsin.contracts.settings.room import PlaybookSettings, RoleSettings


class WrittenRoom(WrittenProtocol, Protocol):
    """The sections of `tocsin.yaml` that a team is made of; `tocsin.config.Configuration` has them."""

    @property
    def roles(self) -> Sequence[RoleSettings]: ...
    @property
    def playbooks(self) -> Sequence[PlaybookSettings]: ...


@dataclass(frozen=True, slots=True)
class Team:
    """Roles and playbooks of the present configuration, with the directory that says whom a reference means."""

    directory: Directory
    roles: Mapping[str, RoleSettings] = field(default_factory=dict)
    playbooks: Sequence[PlaybookSettings] = ()

    @classmethod
    def of(cls, configuration: WrittenRoom, directory: Directory | None = None) -> Team:
        """From the present configuration; `directory` with its holidays and the shifts that people have exchanged."""
        return cls(
            directory=directory or Directory.of(configuration),
            roles={role.id: role for role in configuration.roles},
            playbooks=configuration.playbooks,
        )

    def holder(self, role: str, at: datetime) -> Recipient | None:
        """Who holds a role at an instant; None where nobody does."""
        found = self.roles.get(role)
        return self.directory.recipient(found.holder, at) if found else None

    def deputy(self, role: str, at: datetime) -> Recipient | None:
        """Who stands in for the holder of a role at an instant."""
        found = self.roles.get(role)
        return self.directory.recipient(found.deputy, at) if found and found.deputy else None

    def plays(self, actor: str, role: str, at: datetime) -> bool:
        """True where the actor is the holder or the deputy of the role at that instant."""
        people = (self.holder(role, at), self.deputy(role, at))
        return any(person is not None and person.target == actor for person in people)

    def role_name(self, role: str, language: str) -> str:
        """How a role is called, else its id."""
        found = self.roles.get(role)
        if found is None:
            return role
        names: Mapping[str, str] = found.name  # type: ignore[assignment]
        return names.get(language) or next(iter(names.values()))

    def playbook_for(self, incident: Incident) -> PlaybookSettings | None:
        """Which of them an incident calls for; None where none is for its brand."""
        return playbook_for(self.playbooks, incident)

    def playbook(self, begun: str) -> PlaybookSettings | None:
        """A playbook by its id, or by the id with version that a room keeps; None where it is not in the configuration."""
        wanted = begun.partition("@")[0]
        return next((playbook for playbook in self.playbooks if playbook.id == wanted), None)

    def is_on_call(self, actor: str, incident: Incident, at: datetime) -> bool:
        """True for whoever has the incident in hand, and for whoever one of its policy's schedules names now."""
        held = incident.acknowledged
        if held is not None and held.by == actor:
            return True
        return any(
            self.directory.on_call(schedule, at) == actor.removeprefix("person:")
            for schedule in schedules_of(incident, self.directory)
            if actor.startswith("person:")
        )


def schedules_of(incident: Incident, directory: Directory) -> tuple[str, ...]:
    """The schedules that an incident's policy rings, in its order."""
    if incident.policy is None:
        return ()
    levels = [level for level in (incident.policy.orange, incident.policy.red) if level is not None]
    references = directory.unfolded(reference for level in levels for step in level.steps for reference in step.notify)
    names = [reference.partition(":")[2] for reference in references if reference.startswith("schedule:")]
    return tuple(dict.fromkeys(names))


def version_of(playbook: PlaybookSettings) -> str:
    """The id of a playbook with a hash of what it says."""
    return f"{playbook.id}@{hashlib.sha256(playbook.model_dump_json().encode()).hexdigest()[:12]}"
