"""The state machine: one function through which every change of an incident goes. docs/protocol.md has it as a table.

What a command does stands in the file of its family: `opening`, `levels`, `holding`, `silencing`, `dividing`, `closing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from services.alert.protocol import closing, dividing, holding, levels, opening, silencing
from services.alert.protocol.commands import (
    Acknowledge,
    AcknowledgementDue,
    Assign,
    ChangeLevel,
    Command,
    Declare,
    Escalate,
    Mitigate,
    Note,
    Open,
    Reopen,
    Resolve,
    Review,
    SetLevel,
    SilenceDue,
    SilenceUntil,
    Split,
    StepDue,
    Unacknowledge,
    Unsilence,
)
from services.alert.protocol.directory import Directory
from services.alert.protocol.draft import Draft
from tocsin.contracts.decisions import Decision
from tocsin.contracts.incidents import Incident

Answer = Callable[[Draft, Any], Decision]
"""What a command of one kind does to a draft of the incident as it is."""

ANSWERS: Mapping[type[Any], Answer] = {
    Declare: opening.join,
    ChangeLevel: levels.change_level,
    SetLevel: levels.set_level,
    Acknowledge: holding.acknowledge,
    Unacknowledge: holding.unacknowledge,
    Mitigate: holding.mitigate,
    AcknowledgementDue: lambda draft, _: holding.acknowledgement_due(draft),
    Assign: holding.assign,
    Escalate: holding.escalate,
    StepDue: lambda draft, _: holding.step_due(draft),
    SilenceUntil: silencing.silence,
    Unsilence: silencing.unsilence,
    SilenceDue: lambda draft, _: silencing.silence_due(draft),
    Split: dividing.split,
    Resolve: closing.resolve,
    Review: closing.review,
    Reopen: closing.reopen,
    Note: closing.note,
}
"""Every command that an incident which is there answers."""


def decide(incident: Incident | None, command: Command, now: datetime, directory: Directory) -> Decision:
    """What `command` does to `incident` at `now` (aware, UTC).

    Without an incident only `Open` and `Declare` can be decided, and with one everything but `Open`; anything else is a bug
    and raises ValueError. Timers may go off early, late, or twice: what is not due any more changes nothing. A command that
    changes nothing returns the incident it was given, without events. Merging, which changes two, is `dividing.merge`.
    """
    if incident is None:
        if isinstance(command, Open):
            return opening.open_incident(command, now, directory)
        if isinstance(command, Declare):
            return opening.declare(command, now, directory)
        raise ValueError(f"{type(command).__name__} needs an incident; only Open and Declare make one")
    if isinstance(command, Open):
        raise ValueError(f"incident {incident.id} is open already; change its level instead")
    return ANSWERS[type(command)](Draft(incident, now, directory), command)
