"""The table of docs/protocol.md is what the code does: every command in every state, rendered from the decisions themselves.

After a change that is meant, `python -m tests.unit.protocol.test_table` prints the new table for the docs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from services.alert.protocol.closing import REOPEN_WITHIN
from services.alert.protocol.commands import (
    Acknowledge,
    AcknowledgementDue,
    Assign,
    ChangeLevel,
    Command,
    Declare,
    Escalate,
    Merge,
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
from services.alert.protocol.decide import ANSWERS, decide
from services.alert.protocol.dividing import merge
from tests.team import DIRECTORY, INCIDENT, START, judged, opening, policy
from tocsin.contracts.decisions import Decision
from tocsin.contracts.incidents import Declaration, Incident, IncidentEventType, IncidentState, Level, Silence, Verdict

DOCS = Path(__file__).parents[3] / "docs" / "protocol.md"
BEGIN, END = "<!-- transitions -->", "<!-- end of transitions -->"
OTHER = UUID("99999999-2222-4333-8444-555555555555")
SOON = timedelta(minutes=1)
ROOM = ("playbook_", "step_", "statement_", "holding_", "approval_", "update_", "hand_over_", "shift_", "follow_up_")
LEA, SAM = "person:lea", "person:sam"

Preparation = Callable[[Incident], Incident]


@dataclass(frozen=True)
class Row:
    """One line of the table: a command, after a preparation, some time after the incident opened."""

    label: str
    command: Command | Callable[[Incident, datetime], Decision]
    after: timedelta = SOON
    given: Sequence[Command] = ()
    """What is done to the incident before, where its state allows it."""
    level: Level = Level.ORANGE
    """At which the incident opened."""


def declared(level: Level) -> Declare:
    said = Declaration(by=LEA, at=START, sentence="A journalist called.")
    return Declare(OTHER, ("lunea",), level, said, policy())


def another() -> Incident:
    return decide(None, Open(OTHER, "other", judged(), policy()), START, DIRECTORY).incident


def as_source(incident: Incident, now: datetime) -> Decision:
    return merge(incident, another(), Merge(SAM), now, DIRECTORY)[0]


def as_target(incident: Incident, now: datetime) -> Decision:
    gone, kept = merge(another(), incident, Merge(SAM), now, DIRECTORY)
    return gone if gone.refused else kept


def merged_before(incident: Incident, now: datetime) -> Decision:
    gone = merge(incident, another(), Merge(SAM), now, DIRECTORY)[0].incident
    return decide(gone, Reopen(SAM), now, DIRECTORY)


def with_silence(hours: int) -> SilenceUntil:
    return SilenceUntil(SAM, START + timedelta(hours=hours))


RED, YELLOW, GREEN = Level.RED, Level.YELLOW, Level.GREEN
ROWS = [
    Row("*Declare*, not worse", declared(Level.ORANGE)),
    Row("*Declare*, worse", declared(RED)),
    Row("*ChangeLevel*, the same", ChangeLevel(judged())),
    Row("*ChangeLevel*, higher", ChangeLevel(judged(RED))),
    Row("*ChangeLevel*, higher in a silence", ChangeLevel(judged(RED)), given=[with_silence(9)]),
    Row(
        "*ChangeLevel*, back to a level that it had before", ChangeLevel(judged()), given=[ChangeLevel(judged(YELLOW))]
    ),
    Row("*ChangeLevel*, lower, not green", ChangeLevel(judged(YELLOW))),
    Row("*ChangeLevel*, green", ChangeLevel(judged(GREEN))),
    Row("*ChangeLevel*, lower than a person raised it", ChangeLevel(judged(GREEN)), given=[SetLevel(SAM, RED)]),
    Row("*ChangeLevel*, the same, lowered by a person", ChangeLevel(judged()), given=[SetLevel(SAM, YELLOW)]),
    Row(
        "*ChangeLevel*, rising anew above what a person lowered",
        ChangeLevel(judged(RED)),
        given=[SetLevel(SAM, YELLOW)],
    ),
    Row("*SetLevel*, higher", SetLevel(SAM, RED)),
    Row("*SetLevel*, lower", SetLevel(SAM, YELLOW)),
    Row("*SetLevel*, the same", SetLevel(SAM, Level.ORANGE)),
    Row("*Acknowledge*", Acknowledge(SAM)),
    Row("*Acknowledge*, shown at a lower level", Acknowledge(SAM, YELLOW)),
    Row("*Mitigate*", Mitigate(SAM)),
    Row("*Mitigate*, shown at a lower level", Mitigate(SAM, YELLOW)),
    Row("*Unacknowledge*", Unacknowledge(SAM)),
    Row("*AcknowledgementDue* (timer)", AcknowledgementDue(), after=timedelta(minutes=30)),
    Row("*AcknowledgementDue* in a silence", AcknowledgementDue(), timedelta(minutes=30), given=[with_silence(9)]),
    Row("*AcknowledgementDue*, too early", AcknowledgementDue(), after=timedelta(minutes=29)),
    Row("*StepDue* (timer)", StepDue(), after=timedelta(minutes=5)),
    Row("*StepDue*, too early", StepDue(), after=timedelta(minutes=4)),
    Row("*StepDue* at green", StepDue(), timedelta(minutes=5), given=[ChangeLevel(judged(GREEN))]),
    Row("*StepDue* in a silence", StepDue(), timedelta(minutes=5), given=[with_silence(9)]),
    Row("*Escalate*", Escalate(SAM)),
    Row("*Escalate* in a silence", Escalate(SAM), given=[with_silence(9)]),
    Row("*Escalate* at yellow", Escalate(SAM), level=YELLOW),
    Row("*Escalate* at green", Escalate(SAM), given=[ChangeLevel(judged(GREEN))]),
    Row("*Assign*", Assign(LEA, "sam")),
    Row("*Assign*, the same person again", Assign(LEA, "sam"), given=[Assign(LEA, "sam")]),
    Row("*Assign*, nobody known", Assign(LEA, "zoe")),
    Row("*SilenceUntil*", with_silence(1)),
    Row("*SilenceUntil*, past or longer than 7 days", with_silence(-1)),
    Row("*Unsilence*", Unsilence(SAM), given=[with_silence(9)]),
    Row("*Unsilence* without a silence", Unsilence(SAM)),
    Row("*SilenceDue* (timer)", SilenceDue(), timedelta(minutes=20), given=[SilenceUntil(SAM, START + 20 * SOON)]),
    Row("*SilenceDue*, too early", SilenceDue(), given=[with_silence(9)]),
    Row("*Split*", Split(SAM, "s1", OTHER)),
    Row("*Split*, the same story again", Split(SAM, "s1", OTHER), given=[Split(SAM, "s1", OTHER)]),
    Row("*Merge*: goes on as part of another", as_source),
    Row("*Merge*: another goes on as part of it", as_target),
    Row("*Resolve*", Resolve(SAM)),
    Row("*Resolve* with another verdict than before", Resolve(SAM, verdict=Verdict.BUZZ)),
    Row("*Review* with a verdict", Review(SAM, Verdict.BUZZ)),
    Row("*Review* without any verdict", Review(SAM)),
    Row("*Reopen*", Reopen(SAM)),
    Row("*Reopen*, later than 7 days", Reopen(SAM), after=REOPEN_WITHIN + 2 * SOON),
    Row("*Reopen* beside another open one", Reopen(SAM, beside=OTHER)),
    Row("*Reopen*, merged before", merged_before),
    Row("*Note*", Note(SAM, "called the plant")),
    Row("*Note*, empty or too long", Note(SAM, " ")),
    *(
        Row(f"*{type(command).__name__}*, of an older version", command, given=given)
        for command, given in [
            (SetLevel(SAM, RED, 1), []),
            (Unacknowledge(SAM, 1), []),
            (Escalate(SAM, 1), []),
            (Assign(LEA, "sam", 1), []),
            (SilenceUntil(SAM, START + timedelta(hours=1), 1), []),
            (Unsilence(SAM, 1), [with_silence(9)]),
            (Split(SAM, "s1", OTHER, version=1), []),
            (Resolve(SAM, 1, Verdict.BUZZ), []),
            (Review(SAM, Verdict.BUZZ, version=1), []),
            (Reopen(SAM, 1), []),
        ]
    ),
]


def in_state(state: IncidentState, row: Row) -> Incident:
    """The incident, opened at START, with what the row prepares, in a state; what is not allowed there is left out."""
    incident = decide(None, opening(row.level), START, DIRECTORY).incident
    for command in [*ways_to(state)[:1], *row.given, *ways_to(state)[1:]]:
        incident = decide(incident, command, START, DIRECTORY).incident
    assert incident.state is state or row.given, f"{row.label}: {incident.state}"
    return incident


def ways_to(state: IncidentState) -> list[Command]:
    return {
        IncidentState.TRIGGERED: [],
        IncidentState.ACKNOWLEDGED: [Acknowledge(LEA)],
        IncidentState.MITIGATING: [Mitigate(LEA)],
        IncidentState.RESOLVED: [Acknowledge(LEA), Resolve(LEA)],
        IncidentState.REVIEWED: [Acknowledge(LEA), Resolve(LEA), Review(LEA, Verdict.CRISIS)],
    }[state]


def cell(state: IncidentState, row: Row) -> str:
    incident = in_state(state, row)
    now = START + row.after
    decision = row.command(incident, now) if callable(row.command) else decide(incident, row.command, now, DIRECTORY)
    if decision.refused is not None:
        assert (decision.events, decision.notifications, decision.opened) == ((), (), None)
        assert len(decision.refused.reason) > 20
        return f"**{decision.refused.kind}**"
    if not decision.events:
        return "nothing"
    told = ", ".join(f"`{event.type.removeprefix('incident.')}`" for event in decision.events)
    return told if decision.incident.state is incident.state else f"{told} → {decision.incident.state}"


def table() -> str:
    """The table as it stands in the docs."""
    states = list(IncidentState)
    lines = [f"| command | {' | '.join(f'from `{state}`' for state in states)} |", "|---" * (len(states) + 1) + "|"]
    lines += [f"| {row.label} | {' | '.join(cell(state, row) for state in states)} |" for row in ROWS]
    return "\n".join(lines)


def test_the_table_in_the_docs_is_what_the_code_does() -> None:
    written = DOCS.read_text("utf-8").partition(BEGIN)[2].partition(END)[0].strip()
    assert written == table(), "python -m tests.unit.protocol.test_table prints the table of today"


def test_the_table_has_every_command_that_an_incident_answers() -> None:
    assert {type(row.command) for row in ROWS if not callable(row.command)} == set(ANSWERS)


def test_the_table_has_every_kind_of_event_but_the_beginning() -> None:
    missing = {kind.removeprefix("incident.") for kind in IncidentEventType} - set(re.findall(r"`(\w+)`", table()))
    # What happens in the crisis room (services/alert/room) is no change of the incident itself.
    assert {kind for kind in missing if not kind.startswith(ROOM)} == {"opened"}


def test_incidents_begin_as_the_docs_say() -> None:
    silence = Silence(until=START + timedelta(hours=1), level=Level.ORANGE, by=LEA, at=START)
    for command, events in (
        (opening(), ["opened", "escalated"]),
        (opening(YELLOW), ["opened"]),
        (Open(INCIDENT, "lunea", judged(), policy(), silence=silence), ["opened"]),
        (Open(INCIDENT, "lunea", judged(RED), policy(), silence=silence), ["opened", "escalated"]),
        (declared(RED), ["opened", "escalated"]),
        (declared(YELLOW), ["opened"]),
    ):
        decision = decide(None, command, START, DIRECTORY)
        assert [event.type.removeprefix("incident.") for event in decision.events] == events
        assert decision.incident.state is IncidentState.TRIGGERED


if __name__ == "__main__":
    print(table())
