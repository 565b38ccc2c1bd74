"""Webhooks over TLS and IPv6: the connection goes to the address that was checked, the certificate is that of the name."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.alert.notify.port import Delivery
from services.alert.notify.webhook import Webhook
from services.alert.protocol.decide import decide
from services.alert.protocol.messages import compose
from tests.integration.protocol.certificates import certificate_for
from tests.requirements import missing
from tests.team import DIRECTORY, START, opening
from tocsin.clock import ManualClock
from tocsin.contracts.settings.channels import WebhookChannel
from tocsin.storage.notifications import AttemptOutcome

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes, for a test only").decode()


def delivery() -> Delivery:
    notification = decide(None, opening(), START, DIRECTORY).notifications[0]
    return Delivery(notification, compose(notification), 1)


def webhook(url: str, tls: ssl.SSLContext | None = None) -> Webhook:
    settings = WebhookChannel.model_validate(
        {"kind": "webhook", "id": "ring", "url": url, "secret": SECRET, "allow_private_address": True}
    )
    return Webhook(settings, ManualClock(datetime.now(UTC)), tls=tls)


@pytest.fixture(params=["localhost", "other.example"])
def tls_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[HTTPServer, ssl.SSLContext, str]]:
    """A server on this machine whose certificate is for the name of the parameter."""
    key, certificate = certificate_for(request.param, tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(host="127.0.0.1", ssl_context=context) as server:
        yield server, ssl.create_default_context(cafile=str(certificate)), request.param


def test_the_certificate_must_be_that_of_the_name_in_the_url(
    tls_server: tuple[HTTPServer, ssl.SSLContext, str],
) -> None:
    server, trusted, name = tls_server
    hosts = []

    def answer(request: Request) -> Response:
        hosts.append(request.host)
        return Response(status=200)

    server.expect_request("/ring").respond_with_handler(answer)
    outcome = webhook(f"https://localhost:{server.port}/ring", trusted).send(delivery())
    if name == "localhost":
        assert outcome.kind is AttemptOutcome.ACCEPTED
        assert hosts == [f"localhost:{server.port}"]
    else:
        assert outcome.kind is AttemptOutcome.RETRY
        assert hosts == []


def test_an_ipv6_address_is_spoken_to() -> None:
    if not socket.has_ipv6:
        missing("ipv6", "this machine has none")
    try:
        server = HTTPServer(host="::1")
        server.start()
    except OSError:
        missing("ipv6", "this machine has no ::1")
    with server:
        server.expect_request("/ring").respond_with_data("", status=200)
        assert webhook(f"http://[::1]:{server.port}/ring").send(delivery()).kind is AttemptOutcome.ACCEPTED
