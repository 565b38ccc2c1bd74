"""The card keeper: makes the cards of boards equal to the steps of rooms, each card created once.

A claim is a lease longer than the service's time-outs. Before a card is created, its row says that this was begun; where the
process then dies, or no answer comes, the next attempt looks for the card's marker on the board before it creates another.
"""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.alert.boards.asana import Asana
from services.alert.boards.port import Board, BoardBusy, BoardRefused, BoardUnanswered, Card, CardGone
from services.alert.boards.trello import Trello
from services.alert.notify.retries import wait_after
from services.alert.protocol.messages import harmless
from services.alert.room.phrases import PHRASES, in_language
from services.alert.room.team import Team
from services.alert.timers import shared_clock
from tocsin.bus.failures import Retryable
from tocsin.clock import Clock
from tocsin.config import Configuration
from tocsin.contracts.incidents import Incident
from tocsin.contracts.room import Room, RoomStep, StepState
from tocsin.contracts.settings.room import BoardSettings, TrelloBoard
from tocsin.observability.health import Health
from tocsin.observability.logs import logger
from tocsin.storage import cards, rooms
from tocsin.storage.cards import CardOutcome, ClaimedCard
from tocsin.storage.database import Database

_log = logger(__name__)

BATCH = 20
POLL_SECONDS = 1.0
PAUSE_SECONDS = 2.0
CALLS = 3
"""Calls that one attempt may take: look, create or change."""
LEASE_MARGIN = timedelta(seconds=15)


def boards(configuration: Configuration, clock: Clock) -> Mapping[str, Board]:
    """Every configured board by its id."""
    return {
        settings.id: Trello(settings, clock) if isinstance(settings, TrelloBoard) else Asana(settings, clock)
        for settings in configuration.boards
    }


class CardKeeper:
    """Keeps cards in step. Any number may run, in any number of processes."""

    name = "cards"

    def __init__(
        self,
        database: Database,
        clock: Clock,
        configuration: Configuration,
        made: Mapping[str, Board],
        *,
        health: Health | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._now = shared_clock(clock, database)
        self._configuration = configuration
        self._team = Team.of(configuration)
        self._boards = made
        self._health = health
        self._jitter = jitter
        self._owner = uuid.uuid4().hex

    def run(self, stop: threading.Event) -> None:
        """Look every second until `stop` is set; a database that is away is waited for."""
        while not stop.is_set():
            if self._health is not None:
                self._health.beat(self.name, limit_seconds=600)
            try:
                done = self.plan() + self.send_next()
            except Retryable as error:
                _log.warning("cards wait for the database", error=str(error))
                stop.wait(PAUSE_SECONDS)
                continue
            if not done:
                stop.wait(POLL_SECONDS)

    def plan(self) -> int:
        """Write down what the cards of changed rooms should say; returns how many rooms there were."""
        with self._database.read() as session:
            changed = rooms.to_be_carded(session, BATCH)
        for incident_id, _ in changed:
            with self._database.unit_of_work() as session:
                incident, room = rooms.lock(session, incident_id)
                revision = rooms.revision(session, incident_id)
                if room is not None:
                    for settings in self._configuration.boards:
                        if not settings.brands or incident.brand in settings.brands:
                            for step in room.steps:
                                wanted = self._wanted(settings, incident, room, step)
                                cards.want(
                                    session, incident_id, step.number, settings.id, wanted=wanted, now=self._now()
                                )
                rooms.carded(session, incident_id, revision)
        return len(changed)

    def send_due(self) -> int:
        """Send everything that is due, one card after the other; returns how many attempts there were."""
        attempts = 0
        while self.send_next():
            attempts += 1
        return attempts

    def send_next(self) -> int:
        """Send the card that has been waiting longest, if one is due."""
        now = self._now()
        with self._database.read() as session:
            if not cards.any_due(session, now):
                return 0
        longest = max((board.timeout for board in self._boards.values()), default=timedelta(0))
        with self._database.unit_of_work() as session:
            claimed = cards.claim(session, now, owner=self._owner, until=now + CALLS * longest + LEASE_MARGIN)
        if claimed is None:
            return 0
        self._send(claimed)
        return 1

    def _send(self, claimed: ClaimedCard) -> None:
        board = self._boards.get(claimed.board)
        if board is None:
            self._give_up(claimed, CardOutcome.REJECTED, "the board is no longer in the configuration")
            return
        card = _card(claimed)
        identifier = claimed.external_id
        try:
            if identifier is None and claimed.look:
                identifier = board.find(card.marker)
            if identifier is None:
                identifier = board.create(card)
            else:
                board.change(identifier, card)
        except BoardBusy as error:
            self._later(claimed, str(error), error.retry_after, sure=True, whole_board=error.whole_board)
        except BoardUnanswered as error:
            self._later(claimed, str(error), None, sure=False)
        except CardGone as error:
            self._give_up(claimed, CardOutcome.GONE, f"{error}: deleted there, so it is not made again")
        except BoardRefused as error:
            self._give_up(claimed, CardOutcome.REJECTED, str(error))
        else:
            with self._database.unit_of_work() as session:
                cards.done(session, claimed, identifier, self._now(), owner=self._owner)
            _log.info("card", board=claimed.board, incident=str(claimed.incident_id), step=claimed.step)

    def _later(
        self,
        claimed: ClaimedCard,
        detail: str,
        retry_after: timedelta | None,
        *,
        sure: bool,
        whole_board: bool = False,
    ) -> None:
        wait = retry_after or wait_after(claimed.attempt, urgent=True, jitter=self._jitter())
        if wait is None:
            self._give_up(claimed, CardOutcome.REJECTED, f"given up after {claimed.attempt} attempts: {detail}")
            return
        at = self._now() + wait
        with self._database.unit_of_work() as session:
            cards.later(session, claimed, at, detail, owner=self._owner, uncertain=not sure or claimed.look)
            if whole_board:
                cards.postpone_board(session, claimed.board, at)
        _log.warning("card waits", board=claimed.board, step=claimed.step, detail=detail, until=at.isoformat())

    def _give_up(self, claimed: ClaimedCard, outcome: CardOutcome, detail: str) -> None:
        with self._database.unit_of_work() as session:
            cards.give_up(session, claimed, outcome, detail, owner=self._owner)
        _log.error("card given up", board=claimed.board, step=claimed.step, detail=detail)

    def _wanted(self, settings: BoardSettings, incident: Incident, room: Room, step: RoomStep) -> dict[str, Any]:
        language = settings.language
        brand = self._team.directory.brand_name(incident.brand)
        lines = [in_language(step.detail, language)] if step.detail else []
        lines.append(PHRASES[language]["role"].format(role=self._team.role_name(step.role, language)))
        link = self._team.directory.link(incident.id)
        return {
            "title": f"{harmless(brand)}{' :' if language == 'fr' else ':'} {in_language(step.title, language)}"[:300],
            "description": "\n".join([*lines, *([f"{link}/room"] if link else [])]),
            "due_at": step.due_at.isoformat(),
            "done": step.state is not StepState.OPEN or not room.open,
        }


def _card(claimed: ClaimedCard) -> Card:
    wanted = claimed.wanted
    return Card(
        title=wanted["title"],
        description=wanted["description"],
        due_at=datetime.fromisoformat(wanted["due_at"]),
        done=bool(wanted["done"]),
        marker=f"tocsin:{claimed.incident_id}/{claimed.step}",
    )
