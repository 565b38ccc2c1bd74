"""The playbook: deadlines from the start, overdue steps that ring one after the other, what closing asks for."""

from __future__ import annotations

from datetime import timedelta

from services.alert.protocol.commands import ChangeLevel, Reopen
from services.alert.protocol.decide import decide
from services.alert.room.commands import BeginPlaybook, FinishStep, ReopenStep, SkipStep
from services.alert.room.decide import observe
from services.alert.room.team import Team
from tests.crisis_room import LEA, PLAYBOOK, SAM, TEAM, CrisisRoom
from tests.team import START, judged, opening
from tocsin.contracts.decisions import RefusalKind
from tocsin.contracts.incidents import Level
from tocsin.contracts.room import StepState
from tocsin.contracts.settings.room import PlaybookSettings


def test_deadlines_count_from_when_the_bell_rang() -> None:
    room = CrisisRoom()
    assert [(step.id, step.due_at - START) for step in room.room.steps] == [
        ("freeze", timedelta(minutes=5)),
        ("capture", timedelta(minutes=10)),
    ]
    assert room.happened() == ["playbook_begun"]


def test_red_brings_its_steps_on_top_whether_it_begins_or_becomes_so() -> None:
    assert [step.id for step in CrisisRoom(Level.RED).room.steps] == ["freeze", "capture", "cell"]
    room = CrisisRoom()
    room.pass_time(2)
    room.rise()
    assert [(step.id, step.due_at - START) for step in room.room.steps][-1] == ("cell", timedelta(minutes=17))


def test_an_overdue_step_rings_its_role_then_the_deputy_then_the_fallback_and_then_nobody() -> None:
    room = CrisisRoom()
    room.done(FinishStep(step=2), LEA)
    room.pass_time(60 * 5)
    assert [call for call in room.heard("task") if float(call[0]) < 30] == [("5", "Léa"), ("10", "Sam"), ("15", "Inès")]
    overdue = [event for event in room.events if event.type == "incident.step_overdue"]
    assert [called["name"] for event in overdue for called in event.data["called"]] == ["Léa", "Sam", "Inès"]
    message = next(item for item in room.told if item.kind == "task")
    assert message.content.words is not None
    assert message.content.words.subject == "[ORANGE] Lunéa : étape en retard : Suspendre les publications"


def test_a_step_that_is_done_rings_nobody_any_more() -> None:
    room = CrisisRoom()
    room.pass_time(6)
    room.done(FinishStep(step=1, note="Suspendu sur les trois comptes"), SAM)
    room.done(FinishStep(step=2), LEA)
    told = len(room.told)
    room.pass_time(20)
    assert room.heard("task", told) == []
    first = room.room.steps[0]
    assert (first.state, first.by, first.note) == (StepState.DONE, SAM, "Suspendu sur les trois comptes")
    assert next(event.data["late"] for event in room.events if event.type == "incident.step_done") is True


def test_doing_it_twice_is_one_thing_and_undoing_it_wants_it_again() -> None:
    room = CrisisRoom()
    room.done(FinishStep(step=1))
    assert room.done(FinishStep(step=1)).decision.events == ()
    room.pass_time(7)
    room.done(ReopenStep(step=1))
    told = len(room.told)
    room.pass_time(1)
    assert room.heard("task", told) == [("7", "Léa")]


def test_what_closing_asks_for_cannot_be_skipped_and_the_rest_with_a_reason() -> None:
    room = CrisisRoom()
    kind, reason = room.refused(SkipStep(step=1, reason="not today"))
    assert (kind, "required" in reason) == (RefusalKind.ILLEGAL, True)
    room.done(SkipStep(step=2, reason="nothing to capture"))
    assert [step.id for step in room.room.missing] == ["freeze"]
    assert room.refused(FinishStep(step=9))[0] is RefusalKind.ILLEGAL


def test_while_it_is_green_nobody_is_rung_and_after_that_again() -> None:
    room = CrisisRoom()
    room.incident_does(ChangeLevel(judged(Level.GREEN)))
    room.pass_time(20)
    assert room.heard("task") == []
    room.incident_does(ChangeLevel(judged(Level.ORANGE)))
    room.pass_time(6)
    assert room.heard("task") != []


def test_a_closed_room_rests_and_one_that_is_reopened_gives_people_five_minutes() -> None:
    room = CrisisRoom()
    room.close()
    assert room.room.next_at is None
    room.pass_time(60)
    assert room.heard("task") == []
    room.incident_does(Reopen(LEA))
    assert room.room.next_at == room.now + timedelta(minutes=5)
    assert room.refused(SkipStep(step=1, reason="x"))[0] is RefusalKind.ILLEGAL


def test_a_second_look_at_the_same_incident_changes_nothing() -> None:
    room = CrisisRoom()
    again = observe(room.room, room.incident, room.now, TEAM)
    assert (again.room, again.decision.events, again.decision.notifications) == (room.room, (), ())


def test_what_never_was_serious_has_no_room() -> None:
    yellow = decide(None, opening(Level.YELLOW), START, TEAM.directory).incident
    assert observe(None, yellow, START, TEAM).room is None


def test_the_playbook_follows_from_the_kinds_of_risk_and_a_person_may_choose_another() -> None:
    fields = PLAYBOOK.model_dump()
    video = PlaybookSettings.model_validate({**fields, "id": "leaked-video", "kinds": ["privacy"]})
    safety = PlaybookSettings.model_validate({**fields, "id": "recall", "kinds": ["product_safety"]})
    other_brand = PlaybookSettings.model_validate({**fields, "id": "other", "brands": ["globex"]})
    team = Team(TEAM.directory, TEAM.roles, [other_brand, video, safety, PLAYBOOK])
    assert CrisisRoom(team=team).room.playbooks[0].startswith("house-fire@")
    incident = CrisisRoom(team=team).incident.model_copy(
        update={"evidence": {"stories": [{"title": "Shards", "kinds": ["product_safety"]}]}}
    )
    found = team.playbook_for(incident)
    assert found is not None
    assert found.id == "recall"
    unplanned = Team(TEAM.directory, TEAM.roles, [other_brand, video, safety])
    assert CrisisRoom(team=unplanned).room.playbooks[0].startswith("leaked-video@"), (
        "rather the brand's first than none"
    )
    room = CrisisRoom(team=team)
    room.done(BeginPlaybook(playbook="leaked-video"))
    assert len(room.room.steps) == 4
    assert "known are" in room.refused(BeginPlaybook(playbook="nothing"))[1]
