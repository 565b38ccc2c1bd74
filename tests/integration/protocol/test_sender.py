"""Bringing messages through: a real local server that behaves in every bad way, on both databases."""

from __future__ import annotations

import base64
import io
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError
from werkzeug import Request, Response

from services.alert.notify.channels import channels
from services.alert.notify.port import Channel, Delivery, Outcome
from services.alert.notify.sender import Sender
from services.alert.notify.terminal import Terminal
from services.alert.protocol.commands import Acknowledge, ChangeLevel, Command, Open, Resolve, StepDue
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from tests.team import INCIDENT, judged
from tocsin.clock import ManualClock
from tocsin.config import Configuration, parse
from tocsin.contracts.incidents import Level
from tocsin.storage import incidents, notifications
from tocsin.storage.database import Database
from tocsin.storage.notifications import AttemptOutcome, NotificationOutcome, NotificationStatus

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes, for a test only").decode()


def written(url: str, *, private: bool = True, channel: str = "webhook") -> Configuration:
    address = f"url: '{url}', secret: {SECRET}, allow_private_address: {str(private).lower()}, timeout: 1 s"
    return parse(
        f"""
people:
  - {{id: lea, name: Léa, language: fr, channels: [{"ring" if channel == "webhook" else "wall"}]}}
  - {{id: sam, name: Sam, channels: [{"ring" if channel == "webhook" else "wall"}]}}
channels:
  - {{kind: webhook, id: ring, wakes: true, {address}}}
  - {{kind: terminal, id: wall}}
policies:
  - id: night
    orange: {{steps: [{{notify: ["person:lea"]}}, {{wait: 5 min, notify: ["person:sam"]}}], repeat: 0}}
"""
    )


class Room:
    """An incident, its sender, and a clock that only the test moves (it starts at the real time, for signatures)."""

    def __init__(self, database: Database, configuration: Configuration) -> None:
        self.database = database
        self.output = io.StringIO()
        self.clock = ManualClock(datetime.now(UTC))
        self.configuration = configuration
        self.directory = Directory.of(configuration)
        self.sender = self.new_sender()
        policy = snapshot(configuration.policies[0])
        with database.unit_of_work() as session:
            opening = Open(INCIDENT, "lunea", judged(), policy)
            incidents.insert_opened(session, decide(None, opening, self.clock.now(), self.directory))

    def new_sender(self, made: dict[str, Channel] | None = None) -> Sender:
        known = made or channels(self.configuration, self.clock, self.output)
        return Sender(self.database, self.clock, known, jitter=lambda: 0.0)

    def ask(self, command: Command) -> None:
        with self.database.unit_of_work() as session:
            incidents.execute(
                session, INCIDENT, lambda incident: decide(incident, command, self.clock.now(), self.directory)
            )

    def statuses(self) -> list[NotificationStatus]:
        with self.database.read() as session:
            return notifications.notifications(session, INCIDENT)

    def outcomes(self) -> list[tuple[str, str, NotificationOutcome | None]]:
        return [(item.notification.kind.value, item.notification.name, item.outcome) for item in self.statuses()]

    def wait_of_the_next_attempt(self) -> timedelta | None:
        status = self.statuses()[0]
        return status.next_attempt_at - self.clock.now() if status.next_attempt_at else None


Answer = Callable[[Request], Response]


class Receiver:
    """What listens at the other end: keeps every request, and answers as it was told."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/ring")
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int | Response] = [200]
        server.expect_request("/ring", method="POST").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        self.requests.append(({name.lower(): value for name, value in request.headers.items()}, request.get_data()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, Response) else Response(status=answer)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.requests]


@pytest.fixture
def sqlite(sqlite_database_url: str) -> Iterator[Database]:
    """One database, for what does not depend on which."""
    database = Database(sqlite_database_url)
    yield database
    database.close()


@pytest.fixture
def receiver(httpserver: HTTPServer) -> Receiver:
    return Receiver(httpserver)


def test_a_webhook_arrives_signed_so_that_the_reference_library_accepts_it(
    database: Database, receiver: Receiver
) -> None:
    room = Room(database, written(receiver.url))
    assert room.sender.send_due() == 1
    headers, body = receiver.requests[0]
    event = Verifier(SECRET).verify(body, headers)
    assert event["type"] == "notification.page"
    assert event["data"]["incident_id"] == str(INCIDENT)
    assert (event["data"]["name"], event["data"]["level"]) == ("Léa", "orange")
    assert "38 mentions hostiles" in event["data"]["text"]
    assert room.outcomes() == [("page", "Léa", NotificationOutcome.ACCEPTED)]
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRET).verify(body.replace(b"orange", b"yellow"), headers)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_2xx_is_accepted_and_nothing_is_sent_again(sqlite: Database, receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    room = Room(sqlite, written(receiver.url))
    assert (room.sender.send_due(), room.sender.send_due()) == (1, 0)
    assert room.statuses()[0].detail == f"HTTP {status}"


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404])
def test_what_the_receiver_refuses_is_given_up_visibly_with_advice(
    sqlite: Database, receiver: Receiver, status: int
) -> None:
    receiver.answers = [status]
    room = Room(sqlite, written(receiver.url))
    room.sender.send_due()
    assert room.outcomes() == [("page", "Léa", NotificationOutcome.REJECTED)]
    detail = room.statuses()[0].detail
    assert detail is not None
    assert detail.startswith(f"HTTP {status}: ")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_passes_is_tried_again_within_seconds_with_the_same_id_and_body(
    sqlite: Database, receiver: Receiver, status: int
) -> None:
    receiver.answers = [status, status, 200]
    room = Room(sqlite, written(receiver.url))
    room.sender.send_due()
    assert room.wait_of_the_next_attempt() == timedelta(seconds=1)
    assert room.sender.send_due() == 0
    room.clock.move(1)
    room.sender.send_due()
    assert room.wait_of_the_next_attempt() == timedelta(seconds=3)
    room.clock.move(3)
    room.sender.send_due()
    assert room.outcomes() == [("page", "Léa", NotificationOutcome.ACCEPTED)]
    assert len(receiver.requests) == 3
    assert len(set(receiver.ids)) == 1
    assert len({body for _, body in receiver.requests}) == 1
    for headers, body in receiver.requests:
        Verifier(SECRET).verify(body, headers)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", timedelta(seconds=120)),
        ("date", timedelta(seconds=90)),
        ("9999999999", timedelta(days=1)),
        ("soon", timedelta(seconds=1)),
    ],
)
def test_retry_after_is_obeyed(sqlite: Database, receiver: Receiver, header: str, expected: timedelta) -> None:
    room = Room(sqlite, written(receiver.url))
    if header == "date":
        header = format_datetime(room.clock.now() + timedelta(seconds=90), usegmt=True)
    receiver.answers = [Response(status=429, headers={"Retry-After": header})]
    room.sender.send_due()
    waited = room.wait_of_the_next_attempt()
    assert waited is not None
    assert abs(waited - expected) < timedelta(seconds=1)


def test_gone_disables_the_channel_until_its_address_changes(database: Database, receiver: Receiver) -> None:
    receiver.answers = [410]
    room = Room(database, written(receiver.url))
    room.sender.send_due()
    assert room.outcomes() == [("page", "Léa", NotificationOutcome.DEAD)]
    room.clock.move(300)
    room.ask(StepDue())
    room.sender.send_due()
    assert len(receiver.requests) == 1
    assert room.outcomes()[1] == ("page", "Sam", NotificationOutcome.REJECTED)
    detail = room.statuses()[1].detail
    assert detail is not None
    assert "disabled" in detail
    receiver.answers = [200]
    room.configuration = written(receiver.url + "?new")
    with database.unit_of_work() as session:
        assert notifications.send_again(session, room.statuses()[1].notification.id, room.clock.now())
    room.new_sender().send_due()
    assert room.outcomes()[1] == ("page", "Sam", NotificationOutcome.ACCEPTED)


def test_everything_is_given_up_after_the_last_attempt_and_can_be_sent_again(
    database: Database, receiver: Receiver
) -> None:
    receiver.answers = [500]
    room = Room(database, written(receiver.url))
    began = room.clock.now()
    while room.statuses()[0].outcome is None:
        room.sender.send_due()
        room.clock.move((room.wait_of_the_next_attempt() or timedelta(0)).total_seconds())
    assert room.statuses()[0].outcome is NotificationOutcome.DEAD
    assert room.statuses()[0].attempts == len(receiver.requests) == 14
    assert timedelta(days=3) < room.clock.now() - began < timedelta(days=4)
    receiver.answers = [200]
    with database.unit_of_work() as session:
        assert notifications.send_again(session, room.statuses()[0].notification.id, room.clock.now())
    room.sender.send_due()
    assert room.statuses()[0].outcome is NotificationOutcome.ACCEPTED


@pytest.fixture(params=["hangs", "closes early", "resets", "refuses"])
def rude_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that takes the connection and says nothing, two that hang up, and a port where nobody listens."""
    done = threading.Event()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        if request.param != "refuses":
            listening.listen()

            def serve() -> None:
                while not done.is_set():
                    try:
                        connection, _ = listening.accept()
                    except OSError:
                        return
                    with connection:
                        connection.recv(65536)
                        if request.param == "hangs":
                            done.wait(10)
                        elif request.param == "resets":
                            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

            threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{port}/ring"
        done.set()
        listening.close()


def test_no_answer_is_tried_again(sqlite: Database, rude_url: str) -> None:
    room = Room(sqlite, written(rude_url))
    room.sender.send_due()
    status = room.statuses()[0]
    assert status.outcome is None
    assert room.wait_of_the_next_attempt() == timedelta(seconds=1)
    assert status.detail in (
        "no answer (ReadTimeout)",
        "no answer (RemoteProtocolError)",
        # Whoever closes with some of the request still unread resets the connection.
        "no answer (ReadError)",
        "no connection (ConnectError)",
    )


def test_an_address_inside_our_own_network_is_refused_unless_allowed(sqlite: Database) -> None:
    room = Room(sqlite, written("https://localhost:1/ring", private=False))
    room.sender.send_due()
    status = room.statuses()[0]
    assert status.outcome is NotificationOutcome.REJECTED
    assert status.detail is not None
    assert "allow_private_address" in status.detail


@pytest.mark.parametrize(
    "command",
    [
        Acknowledge("person:sam"),
        Resolve("person:sam"),
        ChangeLevel(judged(Level.GREEN)),
        ChangeLevel(judged(Level.RED)),
    ],
)
def test_no_page_begins_once_it_is_not_wanted_any_more(
    database: Database, receiver: Receiver, command: Command
) -> None:
    room = Room(database, written(receiver.url))
    room.ask(command)
    room.sender.send_due()
    assert room.outcomes()[0] == ("page", "Léa", NotificationOutcome.SUPERSEDED)
    types = [json.loads(body)["type"] for _, body in receiver.requests]
    # After a rise a new page goes; nobody who was never called is told that somebody else has it in hand.
    assert types == (["notification.page"] if command == ChangeLevel(judged(Level.RED)) else [])


def test_an_acknowledgement_between_two_attempts_stops_the_page_and_is_told(
    database: Database, receiver: Receiver
) -> None:
    receiver.answers = [503, 200]
    room = Room(database, written(receiver.url))
    room.sender.send_due()
    room.ask(Acknowledge("person:sam"))
    room.clock.move(10)
    room.sender.send_due()
    assert room.outcomes() == [
        ("page", "Léa", NotificationOutcome.SUPERSEDED),
        ("acknowledged", "Léa", NotificationOutcome.ACCEPTED),
    ]
    room.ask(Resolve("person:sam"))
    room.sender.send_due()
    types = [json.loads(body)["type"] for _, body in receiver.requests]
    assert types == ["notification.page", "notification.acknowledged", "notification.resolved"]


class Dying(Exception):
    """The process was killed here."""


class DyingTerminal(Terminal):
    """Prints, and then the process is gone before it can write that down."""

    def send(self, delivery: Delivery) -> Outcome:
        super().send(delivery)
        raise Dying


def test_a_terminal_cannot_deduplicate_so_a_repeated_page_says_that_it_may_be_one(database: Database) -> None:
    room = Room(database, written("https://ring.example", channel="wall"))
    with pytest.raises(Dying):
        room.new_sender({"wall": DyingTerminal(room.output)}).send_due()
    assert room.sender.send_due() == 0, "the lease of the dead sender still holds"
    room.clock.move(60)
    assert room.sender.send_due() == 1
    first, second = [line for line in room.output.getvalue().splitlines() if "[ORANGE]" in line]
    assert "double" not in first
    assert second.endswith("(peut-être reçu en double)")
    assert room.outcomes() == [("page", "Léa", NotificationOutcome.ACCEPTED)]


def test_a_state_message_that_may_have_been_printed_is_not_repeated(database: Database) -> None:
    room = Room(database, written("https://ring.example", channel="wall"))
    room.sender.send_due()
    room.ask(Resolve("person:sam"))
    with pytest.raises(Dying):
        room.new_sender({"wall": DyingTerminal(room.output)}).send_due()
    room.clock.move(60)
    room.sender.send_due()
    assert room.outcomes()[1] == ("resolved", "Léa", NotificationOutcome.UNKNOWN)
    assert room.output.getvalue().count("clos par") == 1


class Slow:
    """A channel that hangs until it is let go, and counts how many of its messages are under way."""

    kind = "slow"
    deduplicates = True
    address_hash = "slow"
    timeout = timedelta(seconds=1)

    def __init__(self) -> None:
        self.under_way = 0
        self.let_go = threading.Event()

    def send(self, delivery: Delivery) -> Outcome:
        self.under_way += 1
        self.let_go.wait(20)
        return Outcome(AttemptOutcome.ACCEPTED, "at last")


def test_a_channel_that_hangs_leaves_room_for_the_others(database: Database) -> None:
    configuration = parse(
        f"""
people:
{"".join(f"  - {{id: p{number}, name: P{number}, channels: [slow, wall]}}{chr(10)}" for number in range(6))}
channels: [{{kind: terminal, id: slow}}, {{kind: terminal, id: wall}}]
policies: [{{id: night, orange: {{steps: [{{notify: {json.dumps([f"person:p{number}" for number in range(6)])}}}]}}}}]
"""
    )
    room = Room(database, configuration)
    slow, stop = Slow(), threading.Event()
    sender = room.new_sender({"slow": slow, "wall": Terminal(room.output)})
    running = threading.Thread(target=sender.run, args=(stop,))
    running.start()
    try:
        for _ in range(2000):
            if room.output.getvalue().count("[ORANGE]") == 6:
                break
            threading.Event().wait(0.01)
        assert room.output.getvalue().count("[ORANGE]") == 6
        assert slow.under_way <= 3
    finally:
        slow.let_go.set()
        stop.set()
        running.join(30)
    assert not running.is_alive()
