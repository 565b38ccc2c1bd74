"""The walk through a policy: who is rung when, what acknowledgements and levels do to it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from services.alert.protocol.commands import (
    Acknowledge,
    AcknowledgementDue,
    ChangeLevel,
    Resolve,
    StepDue,
)
from services.alert.protocol.decide import decide
from tests.team import DIRECTORY, START, judged, opening, policy, steps
from tocsin.contracts.decisions import Decision, NotificationKind
from tocsin.contracts.incidents import Incident, IncidentEventType, IncidentState, Level, PolicySnapshot, TimerKind
from tocsin.contracts.settings.protocol import LevelPolicy

MINUTE = timedelta(minutes=1)


def opened(level: Level = Level.ORANGE, written: PolicySnapshot | None = None) -> Decision:
    return decide(None, opening(level, written), START, DIRECTORY)


def called(decision: Decision) -> list[str]:
    return [item.name for item in decision.notifications if item.kind is NotificationKind.PAGE]


def told(decision: Decision) -> list[tuple[str, str, str]]:
    return [(item.kind.value, item.name, item.channel) for item in decision.notifications]


def walk(incident: Incident, until: datetime) -> list[tuple[int, list[str]]]:
    """Let the timers go off as they are due; (minutes since START, who is called) for each."""
    rung = []
    while incident.timers and incident.timers[0].due_at <= until:
        timer = incident.timers[0]
        command = StepDue() if timer.kind is TimerKind.STEP else AcknowledgementDue()
        decision = decide(incident, command, timer.due_at, DIRECTORY)
        rung.append((int((timer.due_at - START) / MINUTE), called(decision)))
        incident = decision.incident
    return rung


def test_an_orange_incident_rings_whoever_is_on_call_at_once() -> None:
    decision = opened()
    assert told(decision) == [("page", "Léa", "phone-lea"), ("page", "wall", "wall")]
    assert [event.type for event in decision.events] == [IncidentEventType.OPENED, IncidentEventType.ESCALATED]
    assert [event.sequence for event in decision.events] == [1, 2]
    assert decision.incident.version == 2
    assert decision.incident.start == 1


@pytest.mark.parametrize("level", [Level.GREEN, Level.YELLOW])
def test_below_orange_nobody_is_woken(level: Level) -> None:
    decision = opened(level)
    assert decision.notifications == ()
    assert decision.incident.timers == ()


def test_steps_rounds_and_fallback_come_at_their_times_and_then_it_is_silent() -> None:
    incident = opened().incident
    assert walk(incident, START + 24 * 60 * MINUTE) == [
        (5, ["Sam", "Sam"]),  # on each of the two channels
        (15, ["Léa", "wall"]),
        (20, ["Sam", "Sam"]),
        (30, ["Inès"]),
    ]


def test_every_page_has_a_key_of_its_own_and_the_same_page_the_same_id() -> None:
    incident = opened().incident
    pages = list(opened().notifications)
    while incident.timers:
        decision = decide(incident, StepDue(), incident.timers[0].due_at, DIRECTORY)
        pages += decision.notifications
        incident = decision.incident
    assert len({page.id for page in pages}) == len(pages)
    assert [page.id for page in opened().notifications] == [page.id for page in pages[:2]]


def test_a_timer_that_goes_off_early_or_twice_changes_nothing() -> None:
    incident = opened().incident
    early = decide(incident, StepDue(), START + 4 * MINUTE, DIRECTORY)
    assert (early.incident, early.events, early.notifications) == (incident, (), ())
    after = decide(incident, StepDue(), START + 5 * MINUTE, DIRECTORY).incident
    assert decide(after, StepDue(), START + 5 * MINUTE, DIRECTORY).incident == after


def test_after_an_outage_one_step_is_rung_and_the_next_keeps_its_whole_wait() -> None:
    incident = opened().incident
    late = decide(incident, StepDue(), START + 120 * MINUTE, DIRECTORY)
    assert called(late) == ["Sam", "Sam"]
    assert late.incident.timers[0].due_at == START + 130 * MINUTE


def test_nobody_on_call_rings_the_next_step_at_once_and_tells_the_fallback() -> None:
    written = policy(orange=LevelPolicy(steps=steps((0, ["schedule:nobody"]), (5, ["person:sam"])), repeat=0))
    decision = opened(written=written)
    assert called(decision) == ["Inès", "Sam", "Sam"]
    escalated = [event.data for event in decision.events if event.type is IncidentEventType.ESCALATED]
    assert escalated[0]["nobody_on_call"] == ["schedule:nobody"]
    assert [item["name"] for item in escalated[0]["fallback_told"]] == ["Inès"]
    assert "nobody_on_call" not in escalated[1]


def test_a_policy_that_reaches_nobody_does_not_spin() -> None:
    written = policy(
        orange=LevelPolicy(steps=steps((0, ["schedule:nobody"]), (0, ["schedule:nobody"])), repeat=3), fallback=None
    )
    decision = opened(written=written)
    assert decision.notifications == ()
    assert decision.incident.timers[0].due_at == START + 5 * MINUTE  # the next round, not at once


def test_an_incident_without_a_policy_opens_and_calls_nobody() -> None:
    command = opening()
    decision = decide(None, type(command)(command.incident_id, command.brand, command.judged, None), START, DIRECTORY)
    assert decision.incident.state is IncidentState.TRIGGERED
    assert decision.notifications == ()
    assert decision.incident.timers == ()


def test_an_acknowledgement_stops_the_escalation_and_tells_the_others() -> None:
    incident = decide(opened().incident, StepDue(), START + 5 * MINUTE, DIRECTORY).incident
    decision = decide(incident, Acknowledge("person:sam", Level.ORANGE), START + 6 * MINUTE, DIRECTORY)
    assert decision.incident.state is IncidentState.ACKNOWLEDGED
    assert told(decision) == [("acknowledged", "Léa", "phone-lea"), ("acknowledged", "wall", "wall")]
    assert [(timer.kind, timer.due_at) for timer in decision.incident.timers] == [
        (TimerKind.ACKNOWLEDGEMENT, START + 36 * MINUTE)
    ]


def test_an_acknowledgement_that_times_out_starts_again_with_whoever_is_on_call_then() -> None:
    monday_morning = START + timedelta(days=6, hours=11, minutes=15)  # 9:15 in Paris; Sam's week began at 9
    incident = decide(None, opening(), monday_morning - 40 * MINUTE, DIRECTORY).incident
    assert incident.reached[0].name == "Léa"
    held = decide(incident, Acknowledge("person:lea"), monday_morning - 30 * MINUTE, DIRECTORY).incident
    decision = decide(held, AcknowledgementDue(), monday_morning, DIRECTORY)
    assert [event.type for event in decision.events] == [
        IncidentEventType.UNACKNOWLEDGED,
        IncidentEventType.ESCALATED,
    ]
    assert decision.events[0].data == {"why": "timed_out", "was": "person:lea"}
    assert called(decision) == ["Sam", "Sam", "wall"]
    assert decision.incident.start == 2
    assert decision.incident.acknowledged is None


def test_an_acknowledgement_without_a_timeout_holds_for_good() -> None:
    written = policy(orange=LevelPolicy(steps=steps((0, ["person:lea"])), acknowledgement_timeout=None))
    held = decide(opened(written=written).incident, Acknowledge("person:lea"), START, DIRECTORY).incident
    assert held.timers == ()


def test_acknowledging_again_renews_it() -> None:
    held = decide(opened().incident, Acknowledge("person:lea"), START, DIRECTORY).incident
    renewed = decide(held, Acknowledge("person:sam"), START + 20 * MINUTE, DIRECTORY).incident
    assert renewed.acknowledged is not None
    assert renewed.acknowledged.by == "person:sam"
    assert renewed.timers[0].due_at == START + 50 * MINUTE
    assert decide(renewed, AcknowledgementDue(), START + 30 * MINUTE, DIRECTORY).incident == renewed


def test_a_rising_level_starts_again_with_the_steps_of_that_level() -> None:
    decision = decide(opened().incident, ChangeLevel(judged(Level.RED)), START + MINUTE, DIRECTORY)
    assert called(decision) == ["Léa", "Sam", "Sam"]
    assert decision.incident.start == 2
    assert walk(decision.incident, START + 60 * MINUTE) == [(4, ["Inès"]), (7, ["Inès"])]


def test_a_rising_level_breaks_an_acknowledgement_of_a_lower_one() -> None:
    held = decide(opened().incident, Acknowledge("person:lea"), START, DIRECTORY).incident
    decision = decide(held, ChangeLevel(judged(Level.RED)), START + MINUTE, DIRECTORY)
    assert decision.incident.state is IncidentState.TRIGGERED
    assert [event.type for event in decision.events] == [
        IncidentEventType.LEVEL_CHANGED,
        IncidentEventType.UNACKNOWLEDGED,
        IncidentEventType.ESCALATED,
    ]
    assert called(decision) == ["Léa", "Sam", "Sam"]


def test_a_level_that_rises_again_to_what_was_acknowledged_leaves_the_acknowledgement() -> None:
    held = decide(opened(Level.RED).incident, Acknowledge("person:lea"), START, DIRECTORY).incident
    fell = decide(held, ChangeLevel(judged(Level.ORANGE)), START + MINUTE, DIRECTORY).incident
    decision = decide(fell, ChangeLevel(judged(Level.RED)), START + 2 * MINUTE, DIRECTORY)
    assert decision.incident.state is IncidentState.ACKNOWLEDGED
    assert called(decision) == []


def test_falling_to_green_stops_the_pages_and_rising_again_begins_them_anew() -> None:
    calm = decide(opened().incident, ChangeLevel(judged(Level.GREEN)), START + MINUTE, DIRECTORY).incident
    assert calm.state is IncidentState.TRIGGERED
    assert calm.calm_since == START + MINUTE
    assert calm.timers == ()
    again = decide(calm, ChangeLevel(judged(Level.ORANGE)), START + 2 * MINUTE, DIRECTORY)
    assert called(again) == ["Léa", "wall"]
    assert again.incident.calm_since is None


def test_falling_to_a_lower_level_above_green_goes_on_with_the_steps_that_began() -> None:
    red = opened(Level.RED).incident
    fell = decide(red, ChangeLevel(judged(Level.YELLOW)), START + MINUTE, DIRECTORY)
    assert called(fell) == []
    assert walk(fell.incident, START + 60 * MINUTE) == [(3, ["Inès"]), (6, ["Inès"])]


def test_an_acknowledgement_that_times_out_when_it_is_calm_calls_nobody() -> None:
    held = decide(opened().incident, Acknowledge("person:lea"), START, DIRECTORY).incident
    calm = decide(held, ChangeLevel(judged(Level.GREEN)), START + MINUTE, DIRECTORY).incident
    decision = decide(calm, AcknowledgementDue(), START + 30 * MINUTE, DIRECTORY)
    assert decision.incident.state is IncidentState.TRIGGERED
    assert (decision.notifications, decision.incident.timers) == ((), ())


def test_the_same_level_again_refreshes_the_evidence_without_an_event() -> None:
    incident = opened().incident
    decision = decide(incident, ChangeLevel(judged(Level.ORANGE, score=71.0)), START + MINUTE, DIRECTORY)
    assert (decision.incident.score, decision.incident.version, decision.events) == (71.0, incident.version, ())


def test_resolving_tells_everybody_who_was_called_but_whoever_did_it() -> None:
    incident = decide(opened().incident, StepDue(), START + 5 * MINUTE, DIRECTORY).incident
    decision = decide(incident, Resolve("person:lea"), START + 6 * MINUTE, DIRECTORY)
    assert told(decision) == [
        ("resolved", "wall", "wall"),
        ("resolved", "Sam", "phone-sam"),
        ("resolved", "Sam", "pager"),
    ]
    assert decision.incident.timers == ()


def test_a_page_says_who_was_called_and_who_is_next() -> None:
    second = decide(opened().incident, StepDue(), START + 5 * MINUTE, DIRECTORY)
    content = second.notifications[0].content
    assert [item.name for item in content.called] == ["Léa", "wall", "Sam"]
    assert (content.next_names, content.next_at) == (("Léa", "wall"), START + 15 * MINUTE)
    assert content.link == f"https://tocsin.example/incidents/{second.incident.id}"


def test_an_incident_keeps_the_policy_it_began_with_but_calls_the_people_of_now() -> None:
    incident = opened().incident
    smaller = type(DIRECTORY)(
        people={"ines": DIRECTORY.people["ines"]}, schedules={}, channels=DIRECTORY.channels, brand_names={}
    )
    decision = decide(incident, StepDue(), START + 5 * MINUTE, smaller)
    assert called(decision) == ["Inès"]  # Sam is gone: nobody on call, so the fallback is told
