"""What every channel promises, shown on each of them."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.alert.notify.port import Channel
from services.alert.notify.terminal import Terminal
from tests.brokers import free_ports
from tests.channels import HTTP_KINDS, delivery, made, words_of
from tocsin.clock import ManualClock
from tocsin.storage.notifications import AttemptOutcome

SHORT = ("sms", "second-sms")
"""Channels that say only what fits."""
HEARD = ("call", "second-call")
"""Channels that say only what somebody takes in who was asleep."""


@dataclass
class Bench:
    """A channel, what a person read or heard on it, and the same channel with nobody at its other side."""

    kind: str
    channel: Channel
    received: Callable[[], list[str]]
    away: Channel


@pytest.fixture(params=["terminal", "mail", "apprise", *HTTP_KINDS])
def bench(request: pytest.FixtureRequest, httpserver: HTTPServer) -> Iterator[Bench]:
    kind = request.param
    if kind == "terminal":
        output, closed = io.StringIO(), io.StringIO()
        closed.close()
        yield Bench(kind, Terminal(output), lambda: [output.getvalue()], Terminal(closed))
    elif kind == "mail":
        yield from mail_bench()
    else:
        yield http_bench(kind, httpserver)


def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))


def away(kind: str) -> Channel:
    nobody = free_ports(1)
    return made(f"http://127.0.0.1:{nobody}", clock(), mail_port=nobody)[kind]


def http_bench(kind: str, server: HTTPServer) -> Bench:
    said: list[str] = []

    def answer(incoming: Request) -> Response:
        said.append(words_of(kind, incoming.get_data(as_text=True)))
        return Response('{"ok": true}', status=200, content_type="application/json")

    server.expect_request(re.compile(".*"), method="POST").respond_with_handler(answer)
    channel = made(server.url_for("").rstrip("/"), clock())[kind]
    return Bench(kind, channel, lambda: said, away(kind))


class Mailbox:
    """What a mail server keeps."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        body = message.get_body(("plain",))
        assert body is not None
        self.said.append(f"{message['Subject']}\n{body.get_content()}")
        return "250 taken"


def mail_bench() -> Iterator[Bench]:
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_ports(1))
    controller.start()
    channel = made("http://127.0.0.1:1", clock(), mail_port=controller.port)["mail"]
    yield Bench("mail", channel, lambda: mailbox.said, away("mail"))
    controller.stop()


def test_what_the_message_says_comes_through_and_is_accepted(bench: Bench) -> None:
    outcome = bench.channel.send(delivery())
    assert outcome.kind is AttemptOutcome.ACCEPTED
    assert outcome.detail
    received = "".join(bench.received())
    assert "Lunéa" in received
    assert "orange" in received.lower()
    assert "38 mentions hostiles en 3 h, 9 attendues." in received
    if bench.kind in HEARD:
        assert delivery().message.spoken in received
    elif bench.kind not in SHORT:
        for line in delivery().message.lines:
            assert line in received


def test_a_message_tried_again_says_the_same(bench: Bench) -> None:
    bench.channel.send(delivery())
    first = "".join(bench.received())
    bench.channel.send(replace(delivery(), attempt=2))
    assert "".join(bench.received()) == first + first


def test_another_side_that_is_away_is_an_outcome_and_no_error(bench: Bench) -> None:
    assert bench.away.send(delivery()).kind is AttemptOutcome.RETRY


def test_what_nobody_wants_any_more_when_the_connection_stands_does_not_go_out(bench: Bench) -> None:
    if bench.kind == "terminal":
        pytest.skip("a terminal has no connection to wait for")
    outcome = bench.channel.send(delivery(wanted=lambda: False))
    assert outcome.kind is AttemptOutcome.SUPERSEDED
    assert bench.received() == []


def test_the_address_is_known_by_a_hash_that_says_nothing_of_it(bench: Bench) -> None:
    assert bench.channel.address_hash
    assert "://" not in bench.channel.address_hash


def test_many_threads_may_send_at_once_and_no_message_is_torn(bench: Bench) -> None:
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(bench.channel.send(delivery()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [outcome.kind for outcome in outcomes] == [AttemptOutcome.ACCEPTED] * 8
    said = bench.received()
    if bench.kind == "terminal":
        assert said[0].count(delivery().message.subject) == 8
    else:
        assert said == [said[0]] * 8
