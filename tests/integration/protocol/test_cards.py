"""Playbook steps as cards of Trello and tasks of Asana: created once, kept in step, whatever the other side does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from pytest_httpserver import HTTPServer
from sqlalchemy import select
from werkzeug import Request, Response

from services.alert.boards.keeper import CardKeeper, boards
from services.alert.protocol.commands import Open
from services.alert.protocol.decide import decide
from services.alert.protocol.policies import snapshot
from services.alert.room.commands import FinishStep, ReopenStep, RoomCommand
from services.alert.room.decide import command
from services.alert.room.team import Team
from services.alert.rooms import RoomKeeper
from tests.board_servers import LIST, PROJECT, AsanaServer, TrelloServer
from tests.integration.protocol.test_rooms import CONFIGURATION
from tests.team import START, judged
from tocsin.clock import ManualClock
from tocsin.config import Configuration
from tocsin.contracts.incidents import Level
from tocsin.storage import incidents, rooms
from tocsin.storage.database import Database
from tocsin.storage.figures import Thresholds
from tocsin.storage.tables.room import CardTable

Server = TrelloServer | AsanaServer
INCIDENT = UUID(int=9)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture(params=["trello", "asana"])
def server(request: pytest.FixtureRequest, httpserver: HTTPServer) -> Server:
    return TrelloServer(httpserver) if request.param == "trello" else AsanaServer(httpserver)


def configured(server: Server, **changes: str) -> Configuration:
    mine = {"kind": "trello", "key": "key", "token": "token", "list_id": LIST}
    if isinstance(server, AsanaServer):
        mine = {"kind": "asana", "token": "token", "project": PROJECT}
    board = {"id": "plan", "url": server.url, "allow_private_address": True, **mine, **changes}
    return Configuration.model_validate({**CONFIGURATION.model_dump(), "boards": [board]})


@pytest.fixture
def keeper(database: Database, clock: ManualClock, server: Server) -> CardKeeper:
    return keeper_of(database, clock, configured(server))


def keeper_of(database: Database, clock: ManualClock, configuration: Configuration) -> CardKeeper:
    return CardKeeper(database, clock, configuration, boards(configuration, clock), jitter=lambda: 0.0)


@pytest.fixture(autouse=True)
def room(database: Database, clock: ManualClock) -> None:
    """An orange incident with its room of one step."""
    opening = Open(INCIDENT, "lunea", judged(Level.ORANGE), snapshot(CONFIGURATION.policies[0]))
    with database.unit_of_work() as session:
        incidents.insert_opened(session, decide(None, opening, START, Team.of(CONFIGURATION).directory))
    RoomKeeper(database, clock, CONFIGURATION, Thresholds(), people_clock=clock).observe()


def ask(database: Database, clock: ManualClock, asked: RoomCommand) -> None:
    team = Team.of(CONFIGURATION)
    with database.unit_of_work() as session:
        decided = rooms.execute(
            session,
            INCIDENT,
            lambda incident, room: command(room, incident, asked, actor="person:lea", now=clock.now(), team=team),
            people_now=clock.now(),
            public_url=None,
        )
    assert decided.decision.refused is None


def card(database: Database) -> CardTable:
    with database.read() as session:
        return session.scalars(select(CardTable)).one()


def kept(keeper: CardKeeper) -> None:
    keeper.plan()
    keeper.send_due()


def test_a_step_appears_once_and_its_deadline_and_being_done_are_kept_in_step(
    database: Database, clock: ManualClock, server: Server, keeper: CardKeeper
) -> None:
    kept(keeper)
    kept(keeper)
    assert server.state() == [("Lunéa: Freeze", START + timedelta(minutes=5), False)]
    ask(database, clock, FinishStep(step=1))
    kept(keeper)
    assert server.state() == [("Lunéa: Freeze", START + timedelta(minutes=5), True)]
    ask(database, clock, ReopenStep(step=1))
    kept(keeper)
    assert server.state()[0][2] is False
    assert (server.created, card(database).outcome) == (1, "done")


def test_two_keepers_create_it_once(database: Database, clock: ManualClock, server: Server) -> None:
    first, second = (keeper_of(database, clock, configured(server)) for _ in range(2))
    first.plan()
    second.plan()
    first.send_due()
    second.send_due()
    assert server.created == 1


def test_an_answer_that_was_lost_is_looked_for_before_it_is_created_again(
    database: Database, clock: ManualClock, server: Server, keeper: CardKeeper
) -> None:
    server.faults = [server.does_it_and_says_nothing]
    kept(keeper)
    assert card(database).uncertain is True
    clock.move(60)
    kept(keeper)
    assert (server.created, len(server.cards), card(database).outcome) == (1, 1, "done")


def test_one_that_really_was_not_created_is_created_after_looking(
    database: Database, clock: ManualClock, server: Server, keeper: CardKeeper
) -> None:
    server.faults = [lambda request: Response("no", status=500)]
    kept(keeper)
    clock.move(60)
    kept(keeper)
    assert [method for method, _ in server.requests] == ["POST", "GET", "POST"]
    assert len(server.cards) == 1


def test_a_keeper_that_died_after_creating_it_leaves_a_row_that_the_next_one_looks_up(
    database: Database, clock: ManualClock, server: Server, keeper: CardKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    keeper.plan()
    with monkeypatch.context() as patched:
        patched.setattr("tocsin.storage.cards.done", die)
        with pytest.raises(KeyboardInterrupt):
            keeper.send_next()
    clock.move(3600)
    kept(keeper_of(database, clock, configured(server)))
    assert (server.created, len(server.cards), card(database).outcome) == (1, 1, "done")


def test_a_rate_limit_is_obeyed_for_the_whole_board(
    database: Database, clock: ManualClock, server: Server, keeper: CardKeeper
) -> None:
    server.faults = [server.limited]
    kept(keeper)
    wait = 10 if isinstance(server, TrelloServer) else 30
    assert card(database).next_attempt_at == START + timedelta(seconds=wait)
    clock.move(wait - 1)
    kept(keeper)
    assert server.created == 1
    clock.move(1)
    kept(keeper)
    assert (server.created, len(server.cards), card(database).outcome) == (2, 1, "done")


def test_a_card_that_a_person_deleted_is_not_made_again(
    database: Database, clock: ManualClock, server: Server, keeper: CardKeeper
) -> None:
    kept(keeper)
    server.cards.clear()
    ask(database, clock, FinishStep(step=1))
    kept(keeper)
    ask(database, clock, ReopenStep(step=1))
    kept(keeper)
    assert (server.created, server.cards, card(database).outcome) == (1, {}, "gone")


@pytest.mark.parametrize(("change", "said"), [("token", "401"), ("place", "is")])
def test_what_the_service_refuses_is_given_up_visibly_and_without_a_secret(
    database: Database, clock: ManualClock, server: Server, change: str, said: str
) -> None:
    place = "project" if isinstance(server, AsanaServer) else "list_id"
    changes = {"token": "wrong-secret"} if change == "token" else {place: "0" * 24 if place == "list_id" else "1"}
    kept(keeper_of(database, clock, configured(server, **changes)))
    found = card(database)
    assert (found.outcome, server.cards) == ("rejected", {})
    assert found.detail is not None
    assert said in found.detail
    assert "wrong-secret" not in found.detail


def test_no_connection_is_tried_again_later(
    database: Database, clock: ManualClock, server: Server, httpserver: HTTPServer
) -> None:
    configuration = configured(server)
    keeper = keeper_of(database, clock, configured(server, url="http://127.0.0.1:9"))
    kept(keeper)
    found = card(database)
    assert (found.outcome, found.uncertain, found.attempts) == (None, False, 1)
    clock.move(3600)
    kept(keeper_of(database, clock, configuration))
    assert len(server.cards) == 1


def test_a_change_while_it_is_being_sent_is_not_lost(
    database: Database, clock: ManualClock, server: Server, keeper: CardKeeper
) -> None:
    def meanwhile(request: Request) -> Response | None:
        ask(database, clock, FinishStep(step=1))
        keeper.plan()
        return None

    faults: list[Callable[[Request], Response | None]] = [meanwhile]
    server.faults = faults
    kept(keeper)
    assert server.state()[0][2] is True
    assert server.created == 1
