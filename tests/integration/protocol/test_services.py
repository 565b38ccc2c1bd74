"""Every channel against a server of its protocol on this machine: what each answer means."""

from __future__ import annotations

import json
import re
import smtplib
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from joserfc import jwt
from joserfc.jwk import RSAKey
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.alert.notify.mail import Mail
from services.alert.notify.port import Channel, Outcome
from services.alert.notify.twilio import basic
from tests.brokers import free_ports
from tests.channels import (
    HTTP_KINDS,
    PUBLIC_URL,
    TWILIO_ACCOUNT,
    TWILIO_TOKEN,
    VONAGE_APPLICATION,
    application_key,
    delivery,
    made,
    page,
    rude_server,
)
from tests.integration.protocol.certificates import certificate_for
from tocsin.clock import ManualClock
from tocsin.contracts.decisions import NotificationKind
from tocsin.contracts.settings.channels import MailChannel
from tocsin.storage.notifications import AttemptOutcome

ACCEPTED, RETRY, REJECTED = AttemptOutcome.ACCEPTED, AttemptOutcome.RETRY, AttemptOutcome.REJECTED
GONE, UNKNOWN = AttemptOutcome.GONE, AttemptOutcome.UNKNOWN


def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))


class Service:
    """A service's HTTP API that answers as it was told, and keeps what came."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("").rstrip("/")
        self.requests: list[tuple[str, dict[str, str], str]] = []
        self.answer: dict[str, Any] = {"status": 200, "response": '{"ok": true}'}
        server.expect_request(re.compile(".*"), method="POST").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.full_path.rstrip("?"), headers, request.get_data(as_text=True)))
        return Response(**self.answer)


@pytest.fixture
def service(httpserver: HTTPServer) -> Service:
    return Service(httpserver)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, ACCEPTED), (202, ACCEPTED), (400, REJECTED), (401, REJECTED), (410, GONE), (429, RETRY), (500, RETRY)],
)
def test_what_each_status_means_on_every_channel(service: Service, status: int, expected: AttemptOutcome) -> None:
    service.answer = {"status": status, "response": '{"ok": true}', "headers": {"Retry-After": "77"}}
    known = made(service.url, clock())
    outcomes = {kind: known[kind].send(delivery()) for kind in HTTP_KINDS}
    assert {kind: outcome.kind for kind, outcome in outcomes.items()} == dict.fromkeys(HTTP_KINDS, expected)
    waits = {outcome.retry_after for outcome in outcomes.values()}
    assert waits == ({timedelta(seconds=77)} if expected is RETRY else {None})
    assert all(f"HTTP {status}" in outcome.detail or outcome.detail == "ok" for outcome in outcomes.values())


@pytest.mark.parametrize("manner", ["hangs", "resets", "closes early", "breaks off", "refuses"])
def test_a_server_that_says_nothing_is_an_unknown_outcome_and_one_that_is_not_there_none_at_all(manner: str) -> None:
    with rude_server(manner) as url:
        known = made(url, clock(), timeout="1 s")
        outcomes = at_once({kind: known[kind] for kind in HTTP_KINDS})
    expected = RETRY if manner == "refuses" else UNKNOWN
    assert {kind: outcome.kind for kind, outcome in outcomes.items()} == dict.fromkeys(HTTP_KINDS, expected)


def at_once(known: dict[str, Channel]) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    threads = [
        threading.Thread(target=lambda kind=kind, channel=channel: outcomes.update({kind: channel.send(delivery())}))
        for kind, channel in known.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


def test_no_channel_goes_into_our_own_network_unless_that_is_allowed() -> None:
    known = made("https://localhost:1", clock(), private=False)
    outcomes = {kind: known[kind].send(delivery()) for kind in (*HTTP_KINDS, "mail", "apprise")}
    assert {outcome.kind for outcome in outcomes.values()} == {REJECTED}
    assert all("allow_private_address" in outcome.detail for outcome in outcomes.values())


def test_nobody_is_rung_whose_address_is_not_written_down(service: Service) -> None:
    known = made(service.url, clock())
    nobody = delivery(page("person:nobody"))
    for kind in ("sms", "call", "second-sms", "second-call", "slack", "mail"):
        outcome = known[kind].send(nobody)
        assert outcome.kind is REJECTED
        assert "person:nobody has no" in outcome.detail
    assert service.requests == []


def test_apprise_says_only_whether_it_went_well(service: Service) -> None:
    channel = made(service.url, clock())["apprise"]
    assert channel.send(delivery()).kind is ACCEPTED
    service.answer = {"status": 401}
    assert channel.send(delivery()).kind is RETRY


def test_twilio_is_asked_as_its_documentation_says(service: Service) -> None:
    known = made(service.url, clock())
    known["sms"].send(delivery())
    known["call"].send(delivery())
    (path, headers, body), (call_path, _, call_body) = service.requests
    assert path == f"/2010-04-01/Accounts/{TWILIO_ACCOUNT}/Messages.json"
    assert call_path == f"/2010-04-01/Accounts/{TWILIO_ACCOUNT}/Calls.json"
    assert headers["authorization"] == basic(TWILIO_ACCOUNT, TWILIO_TOKEN)
    fields, call = parse_qs(body), parse_qs(call_body)
    assert (fields["To"], fields["From"]) == (["+33612345678"], ["+33700000000"])
    assert fields["StatusCallback"] == [f"{PUBLIC_URL}/callbacks/twilio/status/sms/a-token-of-22-letters"]
    assert call["StatusCallbackEvent"] == ["answered", "completed"]
    document = ElementTree.fromstring(call["Twiml"][0])
    assert [part.tag for part in document] == ["Gather", "Gather", "Say"]
    assert document[0].attrib == {
        "action": f"{PUBLIC_URL}/callbacks/twilio/key/call/a-token-of-22-letters",
        "method": "POST",
        "numDigits": "1",
        "timeout": "8",
    }
    service.answer = {"status": 400, "response": '{"code": 21610, "message": "+33612345678 has unsubscribed"}'}
    refused = known["sms"].send(delivery())
    assert refused.detail == "HTTP 400: Twilio refuses it with its error 21610"


def test_vonage_is_asked_with_a_token_of_the_applications_key(service: Service) -> None:
    known = made(service.url, clock())
    known["second-sms"].send(delivery())
    known["second-call"].send(delivery())
    (path, headers, body), (call_path, _, call_body) = service.requests
    assert (path, call_path) == ("/v1/messages", "/v1/calls")
    token = headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, RSAKey.import_key(application_key()[1]), algorithms=["RS256"]).claims
    assert claims["application_id"] == VONAGE_APPLICATION
    assert 0 < claims["exp"] - claims["iat"] <= 300
    message, call = json.loads(body), json.loads(call_body)
    assert (message["channel"], message["message_type"], message["to"]) == ("sms", "text", "33612345678")
    assert call["to"] == [{"type": "phone", "number": "33612345678"}]
    assert [action["action"] for action in call["ncco"]] == ["talk", "input"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('{"ok": true}', ACCEPTED),
        ('{"ok": false, "error": "channel_not_found"}', REJECTED),
        ('{"ok": false, "error": "invalid_auth"}', REJECTED),
        ('{"ok": false, "error": "ratelimited"}', RETRY),
        ('{"ok": false, "error": "internal_error"}', RETRY),
        ("<html>a captive portal</html>", UNKNOWN),
        ("[]", UNKNOWN),
    ],
)
def test_slack_says_in_its_body_whether_it_did_anything(service: Service, said: str, expected: AttemptOutcome) -> None:
    service.answer = {"status": 200, "response": said}
    assert made(service.url, clock())["slack"].send(delivery()).kind is expected


def test_pagerduty_is_not_told_what_was_added_and_that_is_no_failure(service: Service) -> None:
    added = page().model_copy(update={"kind": NotificationKind.JOINED})
    told = made(service.url, clock())["pagerduty"].send(delivery(added))
    assert told.kind is AttemptOutcome.SUPERSEDED
    assert service.requests == []


class Postbox:
    """A mail server's mailbox, that may refuse."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.answer_to_recipient = "250 OK"
        self.answer_to_data = "250 OK"
        self.signed_in: list[bytes] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answer_to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer_to_recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return self.answer_to_data

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        right = data.login == b"bell" and data.password == b"right"
        return AuthResult(success=right, handled=right)


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


@pytest.fixture
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's side, and who trusts it; the name is localhost."""
    key, file = certificate_for("localhost", tmp_path_factory.mktemp("mail"))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(file, key)
    return served, ssl.create_default_context(cafile=str(file))


@pytest.fixture(params=["none", "starttls", "tls"])
def mail(
    request: pytest.FixtureRequest, postbox: Postbox, certificate: tuple[ssl.SSLContext, ssl.SSLContext]
) -> Iterator[Mail]:
    served, trusted = certificate
    encryption = request.param
    controller = Controller(
        postbox,
        hostname="127.0.0.1",
        port=free_ports(1),
        authenticator=postbox.authenticate,
        auth_require_tls=encryption == "starttls",
        auth_required=True,
        tls_context=served if encryption == "starttls" else None,
        ssl_context=served if encryption == "tls" else None,
        require_starttls=encryption == "starttls",
    )
    controller.start()
    yield Mail(mail_settings(controller.port, encryption), {"person:lea": "lea@lunea.example"}, tls=trusted)
    controller.stop()


def mail_settings(port: int, encryption: str, password: str = "right") -> MailChannel:
    return MailChannel.model_validate(
        {
            "kind": "mail",
            "id": "mail",
            "host": "localhost",
            "port": port,
            "encryption": encryption,
            "user": "bell",
            "password": password,
            "sender": "bell@tocsin.example",
            "allow_private_address": True,
            "timeout": "2 s",
        }
    )


def test_mail_arrives_with_the_same_message_id_each_time(mail: Mail, postbox: Postbox) -> None:
    assert mail.send(delivery()).kind is ACCEPTED
    assert mail.send(delivery(attempt=2)).kind is ACCEPTED
    first, second = postbox.messages
    assert first["Message-ID"] == second["Message-ID"] == f"<{delivery().id}@tocsin.example>"
    assert (first["To"], first["Auto-Submitted"]) == ("lea@lunea.example", "auto-generated")
    assert first["Subject"] == "[ORANGE] Lunéa : alerte, votre réponse est attendue"
    html = first.get_body(("html",))
    assert html is not None
    assert f'href="{PUBLIC_URL}/a/a-token-of-22-letters"' in html.get_content()


@pytest.mark.parametrize(
    ("recipient", "data", "expected"),
    [
        ("450 later", "250 OK", RETRY),
        ("550 nobody", "250 OK", REJECTED),
        ("250 OK", "452 full", RETRY),
        ("250 OK", "554 spam", REJECTED),
    ],
)
def test_4xx_of_a_mail_server_passes_and_5xx_does_not(
    mail: Mail, postbox: Postbox, recipient: str, data: str, expected: AttemptOutcome
) -> None:
    postbox.answer_to_recipient, postbox.answer_to_data = recipient, data
    assert mail.send(delivery()).kind is expected


def test_a_wrong_password_is_told_without_it(mail: Mail) -> None:
    wrong = Mail(
        mail_settings(mail._settings.port_or_default, mail._settings.encryption, "another"),
        {"person:lea": "lea@lunea.example"},
        tls=mail._tls,
    )
    outcome = wrong.send(delivery())
    assert outcome.kind is REJECTED
    assert "user or password" in outcome.detail
    assert "another" not in outcome.detail


def test_mail_never_goes_out_in_clear_where_encryption_was_asked_for(postbox: Postbox) -> None:
    controller = Controller(postbox, hostname="127.0.0.1", port=free_ports(1))
    controller.start()
    try:
        channel = Mail(mail_settings(controller.port, "starttls"), {"person:lea": "lea@lunea.example"})
        assert channel.send(delivery()).kind is REJECTED
    finally:
        controller.stop()
    assert postbox.messages == []


@pytest.mark.parametrize("manner", ["hangs", "resets", "closes early", "refuses"])
def test_a_mail_server_that_never_greets_took_nothing(manner: str) -> None:
    with rude_server(manner) as url:
        known = made(url, clock(), timeout="1 s", mail_port=int(url.rsplit(":", 1)[1]))
        assert known["mail"].send(delivery()).kind is RETRY


def test_a_mail_server_that_dies_with_the_message_in_its_hands_may_have_it(
    postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = Controller(postbox, hostname="127.0.0.1", port=free_ports(1))
    controller.start()

    def dies(*_: Any) -> Any:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(smtplib.SMTP, "send_message", dies)
    try:
        known = made("http://127.0.0.1:1", clock(), mail_port=controller.port)
        assert known["mail"].send(delivery()).kind is UNKNOWN
    finally:
        controller.stop()
