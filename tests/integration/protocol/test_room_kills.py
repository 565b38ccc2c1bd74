"""`kill -9` before and after every commit of the crisis room: each step happens wholly or not at all, and once.

Each piece of work runs in a forked process that kills itself at its first boundary, then, run anew by another process, at its
second, and so on until one comes to its end; a person whose page answered nothing looks, and does what is not done yet.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from services.alert.boards.keeper import CardKeeper, boards
from services.alert.digests import DigestWriter
from services.alert.protocol.commands import Acknowledge, Open
from services.alert.protocol.decide import decide
from services.alert.protocol.policies import snapshot
from services.alert.room.commands import (
    AcceptHandOver,
    ApproveStatement,
    DraftStatement,
    FinishStep,
    OfferHandOver,
    PublishStatement,
    RoomCommand,
    SendUpdate,
    SubmitStatement,
)
from services.alert.room.decide import command
from services.alert.room.team import Team
from services.alert.rooms import RoomKeeper
from tests.board_servers import LIST, TrelloServer
from tests.integration.protocol.test_digests import Mailbox
from tests.integration.protocol.test_rooms import CONFIGURATION
from tests.team import START, judged
from tocsin.clock import ManualClock
from tocsin.config import Configuration
from tocsin.contracts.incidents import Level
from tocsin.contracts.room import HandOverState, Room, StatementState
from tocsin.storage import audit, incidents, links, rooms
from tocsin.storage.database import Database
from tocsin.storage.figures import Thresholds
from tocsin.storage.links import LinkPurpose, LinkRefused
from tocsin.storage.tables.incidents import NotificationTable
from tocsin.storage.tables.room import CardTable, DigestTable

INCIDENT = UUID(int=11)
LEA, SAM = "person:lea", "person:sam"
Work = Callable[[Database, ManualClock], None]


def killed_at_each_boundary(url: str, at: timedelta, work: Work) -> int:
    """Run `work` until a process comes to its end, each killed one boundary later than the one before; how many were killed."""
    for boundary in count(1):
        child = os.fork()
        if child == 0:
            passed = count(1)

            def reach(*_: object, passed: count[int] = passed, boundary: int = boundary) -> None:
                if next(passed) == boundary:
                    os.kill(os.getpid(), signal.SIGKILL)

            try:
                event.listen(Session, "before_commit", reach)
                event.listen(Session, "after_commit", reach)
                # A later process finds the claims of a killed one expired.
                work(Database(url), ManualClock(START + at + boundary * timedelta(seconds=200)))
            except BaseException:  # noqa: BLE001 - told to the parent by the status
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL
            continue
        assert os.WEXITSTATUS(status) == 0
        return boundary - 1
    raise AssertionError("unreachable")


def ask(database: Database, clock: ManualClock, asked: RoomCommand, actor: str = LEA, link: str | None = None) -> None:
    team = Team.of(CONFIGURATION)
    with database.unit_of_work() as session:
        if link is not None:
            actor = links.use(session, link, LinkPurpose.APPROVE, START).actor
        decided = rooms.execute(
            session,
            INCIDENT,
            lambda incident, room: command(room, incident, asked, actor=actor, now=clock.now(), team=team),
            people_now=START,
            public_url="https://tocsin.example",
        )
        assert decided.decision.refused is None, decided.decision.refused
        if isinstance(asked, AcceptHandOver):
            incidents.execute(
                session, INCIDENT, lambda found: decide(found, Acknowledge(actor), clock.now(), team.directory)
            )


def room_of(database: Database) -> Room:
    with database.read() as session:
        found = rooms.find(session, INCIDENT)
    assert found is not None
    return found


def keep(database: Database, clock: ManualClock) -> None:
    keeper = RoomKeeper(database, clock, CONFIGURATION, Thresholds(), people_clock=clock)
    keeper.observe()
    keeper.ring_due()


def speak(database: Database, clock: ManualClock) -> None:
    """A statement from its draft to its publication, each step where it is not done yet."""
    if not room_of(database).statements:
        ask(database, clock, DraftStatement(language="en", channel="press", text="We are looking into it."))
    if room_of(database).statements[0].state is StatementState.DRAFT:
        ask(database, clock, SubmitStatement(statement=1, version=1))
    with database.read() as session:
        contents = session.scalars(select(NotificationTable.content).where(NotificationTable.kind == "task"))
        found = {content["link"] for content in contents if "by-link/approve" in (content["link"] or "")}
    assert len(found) == 1, "one person was asked, by one link"
    try:
        ask(database, clock, ApproveStatement(statement=1, version=1), link=found.pop().partition("link=")[2])
    except LinkRefused:
        assert room_of(database).statements[0].state is not StatementState.SUBMITTED, "used, and nothing came of it"
    ask(database, clock, PublishStatement(statement=1, version=1))


def hand_over(database: Database, clock: ManualClock) -> None:
    team = Team.of(CONFIGURATION)
    with database.unit_of_work() as session:
        held = incidents.find(session, INCIDENT)
        if held is not None and held.acknowledged is None:
            incidents.execute(session, INCIDENT, lambda one: decide(one, Acknowledge(LEA), clock.now(), team.directory))
    if not room_of(database).hand_overs:
        ask(database, clock, OfferHandOver(to="sam"), LEA)
    ask(database, clock, AcceptHandOver(hand_over=1), SAM)


def update(database: Database, clock: ManualClock) -> None:
    keep(database, clock)
    ask(database, clock, SendUpdate(update=1, version=room_of(database).updates[0].version), SAM)


@pytest.mark.timeout(600)
def test_each_step_happens_wholly_and_once_whenever_the_process_is_killed(
    database: Database, httpserver: HTTPServer
) -> None:
    trello = TrelloServer(httpserver)
    board = {"kind": "trello", "id": "plan", "key": "key", "token": "token", "list_id": LIST, "url": trello.url}
    configuration = Configuration.model_validate(
        {
            **CONFIGURATION.model_dump(),
            "boards": [{**board, "allow_private_address": True, "timeout": "5 s"}],
            "channels": [
                *CONFIGURATION.model_dump()["channels"],
                {"kind": "mail", "id": "post", "host": "mail.example", "sender": "t@lunea.example"},
            ],
            "people": [
                {
                    "id": "lea",
                    "name": "Léa",
                    "language": "fr",
                    "mail": "lea@lunea.example",
                    "channels": ["phone", "post"],
                },
                {"id": "sam", "name": "Sam", "channels": ["phone"]},
            ],
            "digests": [{"brand": "lunea", "at": "22:00", "to": ["lea"]}],
        }
    )
    opening = Open(INCIDENT, "lunea", judged(Level.ORANGE), snapshot(CONFIGURATION.policies[0]))
    with database.unit_of_work() as session:
        incidents.insert_opened(session, decide(None, opening, START, Team.of(CONFIGURATION).directory))

    def cards(found: Database, clock: ManualClock) -> None:
        keeper = CardKeeper(found, clock, configuration, boards(configuration, clock), jitter=lambda: 0.0)
        keeper.plan()
        keeper.send_due()

    def morning(found: Database, clock: ManualClock) -> None:
        writer = DigestWriter(found, clock, configuration, {"post": Mailbox()}, thresholds=Thresholds())
        writer.write_due()
        writer.send_due()

    url = database.url.render_as_string(hide_password=False)
    kills = 0
    for minutes, work in (
        (0, keep),
        (0, cards),
        (1, speak),
        (2, hand_over),
        (20, keep),
        (30, update),
        (31, lambda found, clock: ask(found, clock, FinishStep(step=1), SAM)),
        (32, cards),
        (60, morning),
    ):
        kills += killed_at_each_boundary(url, timedelta(minutes=minutes), work)
    assert kills >= 20
    room = room_of(database)
    assert [statement.state for statement in room.statements] == [StatementState.PUBLISHED]
    assert [handed.state for handed in room.hand_overs] == [HandOverState.ACCEPTED]
    assert [item.sent_by for item in room.updates if item.sent_at is not None] == [SAM]
    assert [len(trello.cards), *(done for _, _, done in trello.state())] == [1, True], "created once, and in step"
    with database.read() as session:
        incident = incidents.find(session, INCIDENT)
        events = incidents.events(session, INCIDENT)
        written = [entry.action for entry in audit.entries(session, limit=1000)]
        assert session.scalars(select(CardTable.outcome)).all() == ["done"]
        assert session.scalars(select(DigestTable.outcome)).all() == ["accepted"]
        updates = session.scalars(select(NotificationTable.target).where(NotificationTable.kind == "update")).all()
    assert incident is not None
    assert incident.acknowledged is not None
    assert incident.acknowledged.by == SAM
    assert updates == [SAM]
    assert [item.sequence for item in events] == list(range(1, len(events) + 1)), "the record has no gap"
    for once in (
        "incident.playbook_begun",
        "incident.statement_drafted",
        "incident.statement_submitted",
        "incident.statement_approved",
        "incident.statement_published",
        "incident.hand_over_offered",
        "incident.hand_over_accepted",
        "incident.update_sent",
        "incident.step_done",
    ):
        assert [item.type for item in events].count(once) == 1, once  # type: ignore[arg-type]
        assert written.count(once) == 1, f"{once} in the audit log"
