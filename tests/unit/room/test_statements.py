"""Statements: who approves which version in which role, two people for red, the deputy, holding statements."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.alert.room.commands import (
    ApproveStatement,
    DraftStatement,
    PublishStatement,
    RefuseStatement,
    ReleaseHolding,
    ReviseStatement,
    SubmitStatement,
    WithdrawStatement,
)
from services.alert.room.statements import HoldingText
from tests.crisis_room import INES, LEA, SAM, CrisisRoom
from tests.team import START
from tocsin.contracts.decisions import RefusalKind
from tocsin.contracts.incidents import Level
from tocsin.contracts.room import StatementState

TEXT = "We have seen it, we are looking into it, we come back to you at six."


def drafted(level: Level = Level.ORANGE, *, submitted: bool = True) -> CrisisRoom:
    room = CrisisRoom(level)
    room.done(DraftStatement(language="en", channel="press", text=TEXT))
    if submitted:
        room.done(SubmitStatement(statement=1, version=1))
    return room


def state(room: CrisisRoom) -> StatementState:
    return room.room.statements[0].state


def test_from_draft_to_published_and_withdrawn_each_step_is_in_the_record() -> None:
    room = drafted()
    room.done(ApproveStatement(statement=1, version=1), INES)
    assert state(room) is StatementState.APPROVED
    room.done(PublishStatement(statement=1, version=1, address="https://example.org/news"), LEA)
    room.done(WithdrawStatement(statement=1, reason="the figure was wrong"), LEA)
    assert state(room) is StatementState.WITHDRAWN
    assert [name for name in room.happened() if name.startswith("statement")] == [
        "statement_drafted",
        "statement_submitted",
        "statement_approved",
        "statement_published",
        "statement_withdrawn",
    ]
    approved = next(event for event in room.events if event.type == "incident.statement_approved")
    assert (approved.actor, approved.data["role"], approved.data["version"]) == (INES, "spokesperson", 1)


def test_nothing_is_published_before_it_is_approved() -> None:
    room = drafted()
    assert "spokesperson is missing" in room.refused(PublishStatement(statement=1, version=1))[1]
    assert "submit it" in drafted(submitted=False).refused(PublishStatement(statement=1, version=1))[1]


def test_only_whoever_plays_the_role_approves() -> None:
    room = drafted()
    assert room.refused(ApproveStatement(statement=1, version=1), LEA)[0] is RefusalKind.FORBIDDEN
    assert room.refused(ApproveStatement(statement=1, version=1), "key:abcdefgh")[0] is RefusalKind.FORBIDDEN
    assert room.refused(ApproveStatement(statement=1, version=1, role="legal"), SAM)[0] is RefusalKind.ILLEGAL
    room.done(ApproveStatement(statement=1, version=1), SAM)  # the deputy
    assert state(room) is StatementState.APPROVED


def test_a_version_that_has_changed_is_neither_approved_nor_refused_nor_published() -> None:
    room = drafted()
    room.done(ReviseStatement(statement=1, version=1, text=TEXT + " Sorry."), LEA)
    for asked in (
        ApproveStatement(statement=1, version=1),
        RefuseStatement(statement=1, version=1, reason="no"),
        PublishStatement(statement=1, version=1),
        SubmitStatement(statement=1, version=1),
        ReviseStatement(statement=1, version=1, text="another"),
    ):
        kind, reason = room.refused(asked, INES)
        assert (kind, "version 2, not 1" in reason) == (RefusalKind.STALE, True)


def test_a_change_takes_approvals_and_questions_back() -> None:
    room = drafted()
    room.done(ApproveStatement(statement=1, version=1), INES)
    room.done(ReviseStatement(statement=1, version=1, text=TEXT + " Sorry."), LEA)
    assert (state(room), room.room.statements[0].approvals) == (StatementState.DRAFT, ())
    assert not [ask for ask in room.room.asks if ask.kind == "approval"]
    assert next(e for e in room.events if e.type == "incident.statement_revised").data["approvals_taken_back"] == [INES]


def test_at_red_two_different_people_stand_by_it() -> None:
    room = drafted(Level.RED)
    room.done(ApproveStatement(statement=1, version=1), SAM)  # deputy spokesperson, and holder of legal
    assert state(room) is StatementState.SUBMITTED
    kind, reason = room.refused(ApproveStatement(statement=1, version=1, role="legal"), SAM)
    assert (kind, "two different people" in reason) == (RefusalKind.FORBIDDEN, True)
    room.done(ApproveStatement(statement=1, version=1), INES)
    assert state(room) is StatementState.APPROVED
    assert {approval.by for approval in room.room.statements[0].approvals} == {SAM, INES}


def test_what_was_approved_at_orange_needs_the_second_person_once_it_is_red() -> None:
    room = drafted()
    room.done(ApproveStatement(statement=1, version=1), INES)
    room.rise()
    assert state(room) is StatementState.SUBMITTED
    assert "legal is missing" in room.refused(PublishStatement(statement=1, version=1))[1]
    room.done(ApproveStatement(statement=1, version=1), SAM)
    room.done(PublishStatement(statement=1, version=1))


def test_approving_twice_is_one_approval() -> None:
    room = drafted(Level.RED)
    room.done(ApproveStatement(statement=1, version=1, role="spokesperson"), INES)
    assert room.done(ApproveStatement(statement=1, version=1, role="spokesperson"), INES).decision.events == ()


def test_the_holder_is_asked_by_a_link_at_once_and_the_deputy_is_rung_at_the_deadline() -> None:
    room = drafted()
    asked = [item for item in room.told if item.kind == "task"]
    assert [item.name for item in asked] == ["Inès"]
    assert asked[0].content.words is not None
    assert "avant 22:15" in asked[0].content.words.subject
    room.pass_time(31)
    calls = [call for call in room.heard("task") if call[1] != "Léa"]
    assert ("15", "Sam") in calls
    assert ("20", "Inès") in calls  # the policy's fallback
    assert "approval_overdue" in room.happened()


@pytest.mark.parametrize("settled", ["approved", "refused", "revised", "withdrawn"])
def test_nobody_is_rung_for_what_is_settled(settled: str) -> None:
    room = drafted()
    room.done(
        {
            "approved": ApproveStatement(statement=1, version=1),
            "refused": RefuseStatement(statement=1, version=1, reason="too cold"),
            "revised": ReviseStatement(statement=1, version=1, text="another text"),
            "withdrawn": WithdrawStatement(statement=1, reason="not needed"),
        }[settled],
        INES,
    )
    assert not [ask for ask in room.room.asks if ask.kind == "approval"]


def holding(room: CrisisRoom) -> HoldingText:
    return HoldingText(
        id="safety",
        language="fr",
        channel="press",
        text="Nous avons connaissance de…",
        fingerprint="f",
        approved_by=INES,
        role="spokesperson",
        approved_at=START - timedelta(days=30),
        expires_at=START + timedelta(days=60),
    )


RELEASE = ReleaseHolding(holding="safety", language="fr", fingerprint="f")


def test_the_person_on_call_releases_a_holding_statement_alone_also_at_red() -> None:
    room = CrisisRoom(Level.RED)
    room.acknowledge(LEA)
    room.done(RELEASE, LEA, holding=holding(room))
    statement = room.room.statements[0]
    assert (statement.state, statement.published_by, statement.holding) == (StatementState.PUBLISHED, LEA, "safety")
    assert statement.approvals[0].by == INES


def test_nobody_else_releases_it_and_nobody_one_that_has_expired_or_was_never_approved() -> None:
    room = CrisisRoom()
    assert room.refused(RELEASE, INES, holding=holding(room))[0] is RefusalKind.FORBIDDEN
    assert room.refused(RELEASE, "key:abcdefgh", holding=holding(room))[0] is RefusalKind.FORBIDDEN
    room.acknowledge(LEA)
    room.now = START + timedelta(days=60)
    assert "expired" in room.refused(RELEASE, LEA, holding=holding(room))[1]
    assert "no approval" in room.refused(RELEASE, LEA)[1]


def test_a_draft_that_is_sent_again_is_the_same_one_until_it_goes_on() -> None:
    night = CrisisRoom()
    draft = DraftStatement(language="en", channel="press", text="We know of it.")
    for _ in range(2):
        night.done(draft)
    assert len(night.room.statements) == 1
    night.done(draft, INES)
    night.done(DraftStatement(language="en", channel="press", text="We know nothing."))
    assert len(night.room.statements) == 3, "another author or other words are another statement"
    night.done(SubmitStatement(statement=1, version=1))
    night.done(draft)
    assert len(night.room.statements) == 4
