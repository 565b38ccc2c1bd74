"""What people may ask and when: a stale command is one thing, an illegal one another."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from services.alert.protocol.closing import LONGEST_NOTE, REOPEN_WITHIN
from services.alert.protocol.commands import (
    Acknowledge,
    AcknowledgementDue,
    ChangeLevel,
    Command,
    Note,
    Reopen,
    Resolve,
    StepDue,
)
from services.alert.protocol.decide import decide
from tests.team import DIRECTORY, START, judged, opening
from tocsin.contracts.decisions import RefusalKind
from tocsin.contracts.incidents import Incident, IncidentEventType, IncidentState, Level, Verdict

MINUTE = timedelta(minutes=1)


def in_state(state: IncidentState) -> Incident:
    incident = decide(None, opening(), START, DIRECTORY).incident
    if state is IncidentState.ACKNOWLEDGED:
        return decide(incident, Acknowledge("person:lea"), START, DIRECTORY).incident
    if state is IncidentState.RESOLVED:
        return decide(incident, Resolve("person:lea", verdict=Verdict.CRISIS), START, DIRECTORY).incident
    return incident


TRIGGERED, ACKNOWLEDGED, RESOLVED = IncidentState.TRIGGERED, IncidentState.ACKNOWLEDGED, IncidentState.RESOLVED

TRANSITIONS: list[tuple[IncidentState, Command, IncidentState | RefusalKind]] = [
    (TRIGGERED, Acknowledge("person:sam", Level.ORANGE), ACKNOWLEDGED),
    (TRIGGERED, Acknowledge("person:sam"), ACKNOWLEDGED),
    (TRIGGERED, Acknowledge("person:sam", Level.RED), ACKNOWLEDGED),
    (TRIGGERED, Acknowledge("person:sam", Level.YELLOW), RefusalKind.STALE),
    (TRIGGERED, Resolve("person:sam"), RESOLVED),
    (TRIGGERED, Resolve("person:sam", version=1), RefusalKind.STALE),
    (TRIGGERED, Reopen("person:sam"), RefusalKind.ILLEGAL),
    (TRIGGERED, Note("person:sam", "called the factory"), TRIGGERED),
    (TRIGGERED, Note("person:sam", "  "), RefusalKind.INVALID),
    (TRIGGERED, Note("person:sam", "x" * (LONGEST_NOTE + 1)), RefusalKind.INVALID),
    (TRIGGERED, StepDue(), TRIGGERED),
    (TRIGGERED, AcknowledgementDue(), TRIGGERED),
    (TRIGGERED, ChangeLevel(judged(Level.RED)), TRIGGERED),
    (ACKNOWLEDGED, Acknowledge("person:sam"), ACKNOWLEDGED),
    (ACKNOWLEDGED, Resolve("person:sam"), RESOLVED),
    (ACKNOWLEDGED, Reopen("person:sam"), RefusalKind.ILLEGAL),
    (ACKNOWLEDGED, StepDue(), ACKNOWLEDGED),
    (ACKNOWLEDGED, AcknowledgementDue(), TRIGGERED),
    (ACKNOWLEDGED, ChangeLevel(judged(Level.RED)), TRIGGERED),
    (ACKNOWLEDGED, ChangeLevel(judged(Level.GREEN)), ACKNOWLEDGED),
    (RESOLVED, Acknowledge("person:sam"), RefusalKind.ILLEGAL),
    (RESOLVED, Resolve("person:sam"), RESOLVED),
    (RESOLVED, Resolve("person:sam", verdict=Verdict.CRISIS, version=1), RESOLVED),
    (RESOLVED, Resolve("person:sam", verdict=Verdict.BUZZ), RefusalKind.ILLEGAL),
    (RESOLVED, Resolve("person:sam", verdict=Verdict.BUZZ, version=1), RefusalKind.STALE),
    (RESOLVED, Reopen("person:sam"), TRIGGERED),
    (RESOLVED, Reopen("person:sam", version=1), RefusalKind.STALE),
    (RESOLVED, Reopen("person:sam", beside=UUID(int=1)), RefusalKind.ILLEGAL),
    (RESOLVED, Note("person:sam", "the paper has called back"), RESOLVED),
    (RESOLVED, StepDue(), RESOLVED),
    (RESOLVED, AcknowledgementDue(), RESOLVED),
    (RESOLVED, ChangeLevel(judged(Level.RED)), RefusalKind.ILLEGAL),
]


@pytest.mark.parametrize(("state", "command", "expected"), TRANSITIONS)
def test_every_state_answers_every_command(
    state: IncidentState, command: Command, expected: IncidentState | RefusalKind
) -> None:
    incident = in_state(state)
    decision = decide(incident, command, START + 31 * MINUTE, DIRECTORY)
    if isinstance(expected, RefusalKind):
        assert decision.refused is not None
        assert decision.refused.kind is expected
        assert len(decision.refused.reason) > 20
        assert (decision.incident, decision.events, decision.notifications) == (incident, (), ())
    else:
        assert decision.refused is None
        assert decision.incident.state is expected


def test_the_table_leaves_out_no_command_in_any_state_that_can_be_reached() -> None:
    for state in (TRIGGERED, ACKNOWLEDGED, RESOLVED):
        asked = {type(command) for found, command, _ in TRANSITIONS if found is state}
        missing = {Acknowledge, Resolve, Reopen, StepDue, AcknowledgementDue, ChangeLevel} - asked
        assert not missing, f"{state}: {missing}"


def test_an_acknowledgement_fails_only_where_the_level_has_risen_since_it_was_shown() -> None:
    risen = decide(in_state(TRIGGERED), ChangeLevel(judged(Level.RED)), START, DIRECTORY).incident
    refused = decide(risen, Acknowledge("person:lea", Level.ORANGE), START, DIRECTORY).refused
    assert refused is not None
    assert "orange" in refused.reason
    assert "red" in refused.reason
    fallen = decide(risen, ChangeLevel(judged(Level.ORANGE)), START, DIRECTORY).incident
    assert decide(fallen, Acknowledge("person:lea", Level.RED), START, DIRECTORY).refused is None


def test_a_version_is_that_of_the_last_event_so_refreshed_evidence_makes_nobody_stale() -> None:
    incident = in_state(TRIGGERED)
    refreshed = decide(incident, ChangeLevel(judged(score=90.0)), START + MINUTE, DIRECTORY).incident
    assert decide(refreshed, Resolve("person:lea", version=incident.version), START, DIRECTORY).refused is None


def test_resolving_twice_is_one_event() -> None:
    again = decide(in_state(RESOLVED), Resolve("person:lea", verdict=Verdict.CRISIS), START + MINUTE, DIRECTORY)
    assert (again.events, again.notifications) == ((), ())


def test_reopening_starts_again_within_its_window_only() -> None:
    resolved = in_state(RESOLVED)
    reopened = decide(resolved, Reopen("person:sam"), START + REOPEN_WITHIN, DIRECTORY)
    assert reopened.refused is None
    assert [event.type for event in reopened.events] == [IncidentEventType.REOPENED, IncidentEventType.ESCALATED]
    assert (reopened.incident.verdict, reopened.incident.resolved_at, reopened.incident.start) == (None, None, 2)
    late = decide(resolved, Reopen("person:sam"), START + REOPEN_WITHIN + MINUTE, DIRECTORY)
    assert late.refused is not None


def test_a_command_without_its_incident_is_a_bug_and_says_so() -> None:
    with pytest.raises(ValueError, match="needs an incident"):
        decide(None, StepDue(), START, DIRECTORY)
    with pytest.raises(ValueError, match="open already"):
        decide(in_state(TRIGGERED), opening(), START, DIRECTORY)
