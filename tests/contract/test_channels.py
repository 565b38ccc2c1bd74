"""What every channel promises, shown on each of them."""

from __future__ import annotations

import base64
import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.alert.notify.port import Channel, Delivery
from services.alert.notify.terminal import Terminal
from services.alert.notify.webhook import Webhook
from services.alert.protocol.decide import decide
from services.alert.protocol.messages import compose
from tests.team import DIRECTORY, START, opening
from tocsin.clock import ManualClock
from tocsin.contracts.settings.channels import WebhookChannel
from tocsin.storage.notifications import AttemptOutcome

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes, for a test only").decode()


@dataclass
class Bench:
    """A channel, what came through on it, and a way to cut its other side off."""

    channel: Channel
    received: Callable[[], list[str]]
    cut_off: Callable[[], None]


@pytest.fixture(params=["terminal", "webhook"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "terminal":
        output = io.StringIO()
        yield Bench(Terminal(output), lambda: [output.getvalue()], output.close)
        return
    server = HTTPServer()
    server.start()
    bodies: list[str] = []

    def answer(incoming: Request) -> Response:
        bodies.append(incoming.get_data(as_text=True))
        return Response(status=200)

    server.expect_request("/ring").respond_with_handler(answer)
    settings = WebhookChannel.model_validate(
        {
            "kind": "webhook",
            "id": "ring",
            "url": server.url_for("/ring"),
            "secret": SECRET,
            "allow_private_address": True,
            "timeout": "2 s",
        }
    )
    yield Bench(Webhook(settings, ManualClock(datetime.now(UTC))), lambda: bodies, server.stop)
    if server.is_running():
        server.stop()


def delivery() -> Delivery:
    notification = decide(None, opening(), START, DIRECTORY).notifications[0]
    return Delivery(notification, compose(notification), 1)


def test_what_the_message_says_comes_through_and_is_accepted(bench: Bench) -> None:
    outcome = bench.channel.send(delivery())
    assert outcome.kind is AttemptOutcome.ACCEPTED
    assert outcome.detail
    received = "".join(bench.received())
    for line in (delivery().message.subject, *delivery().message.body.split("\n")):
        assert line in received


def test_a_message_tried_again_says_the_same(bench: Bench) -> None:
    bench.channel.send(delivery())
    first = "".join(bench.received())
    bench.channel.send(replace(delivery(), attempt=2))
    assert "".join(bench.received()) == first + first


def test_another_side_that_is_away_is_an_outcome_and_no_error(bench: Bench) -> None:
    bench.cut_off()
    assert bench.channel.send(delivery()).kind is AttemptOutcome.RETRY


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
    text = "".join(bench.received())
    assert text.count(delivery().message.subject) in (8, 16)  # a webhook says it twice: alone, and in the text
