"""Quiet: once an acknowledgement, a resolve or a silence is committed, no page begins; what had begun is not repeated.

How soon that is under load: `make bench-quiet`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.alert.notify import sender as sending
from services.alert.notify.channels import channels
from services.alert.notify.port import NOT_WANTED, Channel, Delivery, Outcome
from services.alert.notify.sender import WORKERS_A_CHANNEL, Sender
from services.alert.protocol.commands import Acknowledge, Command, Mitigate, Open, Resolve, SilenceUntil
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from tests.brokers import await_condition
from tests.channels import WEBHOOK_SECRET
from tests.team import INCIDENT, judged
from tocsin.clock import ManualClock
from tocsin.config import Configuration, parse
from tocsin.contracts.decisions import NotificationKind
from tocsin.storage import incidents, notifications
from tocsin.storage.database import Database
from tocsin.storage.notifications import AttemptOutcome, NotificationOutcome, NotificationStatus

PEOPLE = 8
"""More than may be called at once on one channel."""
Asked = Callable[[datetime], Command]
STOPS: dict[str, Asked] = {
    "acknowledge": lambda _now: Acknowledge("person:boss"),
    "mitigate": lambda _now: Mitigate("person:boss"),
    "resolve": lambda _now: Resolve("person:boss"),
    "silence": lambda now: SilenceUntil("person:boss", now + timedelta(hours=2)),
    "brand silence": lambda now: SilenceUntil("person:boss", now + timedelta(hours=2), brand_silence=uuid4()),
}


def team(url: str) -> Configuration:
    rung = [f"person:p{number}" for number in range(PEOPLE)]
    people = "".join(f"  - {{id: p{number}, name: P{number}, channels: [ring]}}\n" for number in range(PEOPLE))
    return parse(
        f"""
people:
{people}
channels:
  - {{kind: webhook, id: ring, wakes: true, url: '{url}', secret: {WEBHOOK_SECRET}, allow_private_address: true}}
policies: [{{id: night, orange: {{steps: [{{notify: {rung}}}, {{wait: 1 min, notify: {rung}}}], repeat: 2}}}}]
"""
    )


class Night:
    """An incident that rings everybody at once, and a sender that works at it in a thread of its own."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self.database = database
        self.configuration = configuration
        self.clock = ManualClock(datetime.now(UTC))
        self.directory = Directory.of(configuration)
        opening = Open(INCIDENT, "lunea", judged(), snapshot(configuration.policies[0]))
        with database.unit_of_work() as session:
            incidents.insert_opened(session, decide(None, opening, self.clock.now(), self.directory))

    @contextmanager
    def sending(self, made: dict[str, Channel] | None = None) -> Iterator[None]:
        known = made or channels(self.configuration, self.clock)
        sender, stop = Sender(self.database, self.clock, known, jitter=lambda: 0.0), threading.Event()
        running = threading.Thread(target=sender.run, args=(stop,))
        running.start()
        try:
            yield
        finally:
            stop.set()
            running.join(30)
        assert not running.is_alive()

    def ask(self, asked: Asked) -> None:
        """Returns when it is committed."""
        command = asked(self.clock.now())
        with self.database.unit_of_work() as session:
            decision = incidents.execute(
                session, INCIDENT, lambda incident: decide(incident, command, self.clock.now(), self.directory)
            )
        assert decision.refused is None

    def pages(self) -> list[NotificationStatus]:
        with self.database.read() as session:
            found = notifications.notifications(session, INCIDENT)
        return [item for item in found if item.notification.kind is NotificationKind.PAGE]

    def all_done(self) -> bool:
        return all(item.outcome is not None for item in self.pages())


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """One that takes several requests at once."""
    with HTTPServer(threaded=True) as found:
        yield found


@pytest.mark.parametrize("stop", STOPS)
def test_while_pages_hang_a_command_is_committed_and_no_page_begins_any_more(
    database: Database, server: HTTPServer, stop: str
) -> None:
    begun: list[str] = []
    let_go = threading.Event()

    def hang(request: Request) -> Response:
        if b"notification.page" in request.get_data():
            begun.append(request.headers["webhook-id"])
            let_go.wait(30)
            return Response(status=503)  # it would be tried again
        return Response(status=204)

    server.expect_request("/ring").respond_with_handler(hang)
    night = Night(database, team(server.url_for("/ring")))
    with night.sending():
        await_condition(lambda: len(begun) == WORKERS_A_CHANNEL, "pages that hang", 30)
        night.ask(STOPS[stop])
        let_go.set()

        def done() -> bool:
            night.clock.move(10)  # whatever waits for another attempt is due
            return night.all_done()

        await_condition(done, "an outcome of every page", 30)
    assert len(begun) == len(set(begun)) == WORKERS_A_CHANNEL
    assert {item.outcome for item in night.pages()} == {NotificationOutcome.SUPERSEDED}
    assert len(night.pages()) == PEOPLE


class SlowToConnect:
    """A channel whose connection takes until it is let go; then it asks whether the page is still wanted, as every channel does."""

    kind = "slow"
    deduplicates = True
    address_hash = "slow"
    timeout = timedelta(seconds=30)

    def __init__(self) -> None:
        self.connecting: list[Delivery] = []
        self.begun: list[Delivery] = []
        self.let_go = threading.Event()

    def send(self, delivery: Delivery) -> Outcome:
        self.connecting.append(delivery)
        self.let_go.wait(30)
        if not delivery.wanted():
            return NOT_WANTED
        self.begun.append(delivery)
        return Outcome(AttemptOutcome.ACCEPTED, "sent")


@pytest.mark.parametrize("stop", STOPS)
def test_a_page_whose_connection_takes_long_is_asked_about_again_before_its_first_byte(
    database: Database, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    monkeypatch.setattr(sending, "FRESH_SECONDS", 0.0)
    night = Night(database, team("http://127.0.0.1:1/ring"))
    slow = SlowToConnect()
    with night.sending({"ring": slow}):
        await_condition(lambda: len(slow.connecting) == WORKERS_A_CHANNEL, "pages that connect", 30)
        night.ask(STOPS[stop])
        slow.let_go.set()
        await_condition(night.all_done, "an outcome of every page", 30)
    assert [item.notification.kind for item in slow.begun if item.notification.kind is NotificationKind.PAGE] == []
    assert {item.outcome for item in night.pages()} == {NotificationOutcome.SUPERSEDED}


def test_an_answer_that_a_page_is_still_wanted_is_believed_for_less_than_a_second() -> None:
    assert 0 < sending.FRESH_SECONDS < 0.5
