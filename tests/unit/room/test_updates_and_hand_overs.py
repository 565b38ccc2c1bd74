"""Situation updates on their cadence, hand-over at the end of a shift, follow-ups."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.alert.room.commands import (
    AcceptHandOver,
    AddFollowUp,
    DraftUpdate,
    EditUpdate,
    FinishFollowUp,
    FinishStep,
    OfferHandOver,
    SendUpdate,
)
from tests.crisis_room import INES, LEA, SAM, CrisisRoom
from tests.team import START
from tocsin.contracts.decisions import RefusalKind
from tocsin.contracts.incidents import Level
from tocsin.contracts.room import HandOverState


def calm(room: CrisisRoom) -> CrisisRoom:
    """Without steps that ring between what a test is about."""
    for step in room.room.steps:
        room.done(FinishStep(step=step.number))
    return room


def test_every_half_hour_one_is_drafted_from_the_data_and_its_sender_is_called() -> None:
    room = calm(CrisisRoom())
    room.acknowledge(LEA)
    room.pass_time(30)
    update = room.room.updates[0]
    assert update.due_at == START + timedelta(minutes=30)
    english = update.texts["en"]
    for expected in (
        "Level ORANGE (score 60 of 100)",
        "24 harmful mentions in 30 min, against 60 in the 30 min before",
        "Freeze scheduled posts (22:00)",
        "Next update: 23:00.",
    ):
        assert expected in english
    assert "Prochain point : 23:00." in update.texts["fr"]
    assert room.heard("task") == [("30", "Léa")]


def test_one_that_nobody_sent_is_drafted_anew_and_not_doubled_and_the_deputy_is_rung() -> None:
    room = calm(CrisisRoom())
    room.pass_time(65)
    assert [update.number for update in room.room.updates] == [1]
    assert room.room.updates[0].version == 2
    assert room.heard("task")[:3] == [("30", "Léa"), ("40", "Sam"), ("45", "Inès")]


def test_a_person_edits_it_and_sends_it_to_the_stakeholders_each_in_their_language() -> None:
    room = calm(CrisisRoom())
    room.pass_time(30)
    room.done(EditUpdate(update=1, version=1, fr="Tout est sous contrôle."), LEA)
    told = len(room.told)
    room.done(SendUpdate(update=1, version=2), LEA)
    sent = [item for item in room.told[told:] if item.kind == "update"]
    assert [item.name for item in sent] == ["Inès", "wall"]
    assert sent[0].content.words is not None
    assert sent[0].content.words.lines == ("Tout est sous contrôle.",)
    assert room.room.updates[0].to == ("Inès", "wall")
    told = len(room.told)
    room.pass_time(20)
    assert room.heard("task", told) == []


def test_an_update_that_has_changed_is_not_sent_and_one_that_was_sent_not_again() -> None:
    room = calm(CrisisRoom())
    room.done(DraftUpdate())
    assert "waiting already" in room.refused(DraftUpdate())[1]
    room.done(EditUpdate(update=1, version=1, en="Under control."))
    assert room.refused(SendUpdate(update=1, version=1))[0] is RefusalKind.STALE
    room.done(SendUpdate(update=1, version=2))
    assert room.done(SendUpdate(update=1, version=2)).decision.notifications == ()
    assert "sent already" in room.refused(EditUpdate(update=1, version=2, en="x"))[1]


def test_what_was_done_since_the_last_one_is_in_the_next() -> None:
    room = CrisisRoom()
    room.done(FinishStep(step=1))
    room.pass_time(30)
    room.done(SendUpdate(update=1, version=1))
    room.pass_time(5)
    room.done(FinishStep(step=2))
    room.pass_time(25)
    text = room.room.updates[1].texts["en"]
    assert "Capture evidence" in text
    assert "Freeze scheduled posts" not in text


def test_after_an_outage_one_is_drafted_and_not_one_for_each_that_was_missed() -> None:
    room = calm(CrisisRoom())
    room.now = START + timedelta(hours=5, minutes=10)
    room.pass_time(0)
    assert len(room.room.updates) == 1
    assert room.room.update_due_at == START + timedelta(hours=5, minutes=30)


def test_a_hand_over_is_accepted_by_the_next_and_by_nobody_else() -> None:
    room = calm(CrisisRoom())
    room.acknowledge(LEA)
    room.done(OfferHandOver(to="sam", note="Press called twice."), LEA)
    offered = [item for item in room.told if item.kind == "task"]
    assert {item.name for item in offered} == {"Sam"}
    assert offered[0].content.words is not None
    assert "They write: “Press called twice.”" in offered[0].content.words.lines
    assert room.refused(AcceptHandOver(hand_over=1), INES)[0] is RefusalKind.FORBIDDEN
    room.done(AcceptHandOver(hand_over=1), SAM)
    assert room.room.hand_overs[0].state is HandOverState.ACCEPTED
    assert room.done(AcceptHandOver(hand_over=1), SAM).decision.events == ()


def test_one_that_is_not_accepted_in_ten_minutes_escalates() -> None:
    room = calm(CrisisRoom())
    room.acknowledge(LEA)
    room.done(OfferHandOver(to="sam"), LEA)
    room.pass_time(11)
    assert room.heard("task") == [("0", "Sam"), ("10", "Sam"), ("10", "Léa"), ("10", "Inès")]
    assert "hand_over_overdue" in room.happened()


def test_who_takes_the_incident_in_hand_settles_it() -> None:
    room = calm(CrisisRoom())
    room.acknowledge(LEA)
    room.done(OfferHandOver(to="sam"), LEA)
    room.acknowledge(INES)
    assert room.room.hand_overs[0].state is HandOverState.DROPPED
    assert not room.room.asks
    assert "settled already" in room.refused(AcceptHandOver(hand_over=1), SAM)[1]


def test_only_whoever_has_it_hands_it_over_to_somebody_else_who_exists() -> None:
    room = CrisisRoom()
    assert "nothing to hand over" in room.refused(OfferHandOver(to="sam"), LEA)[1]
    room.acknowledge(LEA)
    assert room.refused(OfferHandOver(to="sam"), INES)[0] is RefusalKind.FORBIDDEN
    assert "known are" in room.refused(OfferHandOver(to="nobody"), LEA)[1]
    assert "somebody else" in room.refused(OfferHandOver(to="lea"), LEA)[1]


def test_at_the_end_of_a_shift_the_next_on_call_is_asked_by_itself() -> None:
    # Léa's week ends on Monday at nine in Paris; Sam's begins.
    room = CrisisRoom(now=datetime(2026, 3, 9, 7, 30, tzinfo=UTC))
    calm(room)
    room.acknowledge(LEA)
    assert room.room.shift_ends_at == datetime(2026, 3, 9, 8, 0, tzinfo=UTC)
    room.pass_time(30)
    handed = room.room.hand_overs[0]
    assert (handed.giver, handed.taker, handed.by_itself) == (LEA, SAM, True)
    assert "Open steps: 0" in handed.note
    assert {item.name for item in room.told if item.kind == "task" and "hands over" in item.content.words.subject} == {  # type: ignore[union-attr]
        "Sam"
    }


def test_follow_ups_have_owners_and_are_kept_after_closing() -> None:
    room = CrisisRoom(Level.RED)
    assert "known are" in room.refused(AddFollowUp(text="Call the supplier", owner="nobody"))[1]
    room.close()
    room.done(AddFollowUp(text="Call the supplier", owner="sam"))
    room.done(FinishFollowUp(follow_up=1), SAM)
    assert room.room.follow_ups[0].done_by == SAM
    assert room.refused(OfferHandOver(to="sam"))[0] is RefusalKind.ILLEGAL


def test_a_follow_up_that_is_sent_again_is_written_down_once_while_it_is_open() -> None:
    room = CrisisRoom()
    for _ in range(2):
        room.done(AddFollowUp(text="Call the supplier", owner="sam"))
    room.done(AddFollowUp(text="Call the supplier", owner="lea"))
    assert [item.owner for item in room.room.follow_ups] == [SAM, LEA]
    room.done(FinishFollowUp(follow_up=1), SAM)
    room.done(AddFollowUp(text="Call the supplier", owner="sam"))
    assert len(room.room.follow_ups) == 3
