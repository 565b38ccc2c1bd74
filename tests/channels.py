"""Every kind of channel, set up against a server of this machine; and servers that behave badly."""

from __future__ import annotations

import base64
import functools
import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.alert.notify.channels import channels
from services.alert.notify.port import AnswerLink, Channel, Delivery
from services.alert.protocol.decide import decide
from services.alert.protocol.messages import compose
from tests.team import DIRECTORY, START, opening
from tocsin.clock import Clock
from tocsin.config import Configuration, parse
from tocsin.contracts.decisions import Notification

WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes, for a test only").decode()
TWILIO_ACCOUNT = "AC" + "0" * 32
TWILIO_TOKEN = "twilio-token-for-a-test"
VONAGE_APPLICATION = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
VONAGE_SECRET = "vonage-signature-secret-for-a-test"
SLACK_SECRET = "slack-signing-secret-for-a-test"
SLACK_TOKEN = "xoxb-for-a-test"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
PAGERDUTY_SECRET = "pagerduty-webhook-secret-for-a-test"
PUBLIC_URL = "https://tocsin.example"
HTTP_KINDS = ("webhook", "sms", "call", "second-sms", "second-call", "slack", "teams", "pagerduty")
"""Channels that post to somebody's HTTP API."""


@functools.cache
def application_key() -> tuple[str, str]:
    """The private and the public key of the application at Vonage, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def settings_of(url: str, *, private: bool = True, timeout: str = "2 s", mail_port: int = 2525) -> list[dict[str, Any]]:
    """The settings of every HTTP channel, of mail and of apprise, all at one address."""
    outgoing = {"allow_private_address": private, "timeout": timeout}
    vonage = {
        "application": VONAGE_APPLICATION,
        "private_key": application_key()[0],
        "signature_secret": VONAGE_SECRET,
        "url": url,
    }
    twilio = {"account": TWILIO_ACCOUNT, "token": TWILIO_TOKEN, "url": url}
    phone = {"sender": "+33700000000", "to": "+33611111111", **outgoing}
    return [
        {"kind": "webhook", "id": "webhook", "url": f"{url}/ring", "secret": WEBHOOK_SECRET, **outgoing},
        {"kind": "sms", "id": "sms", "twilio": twilio, **phone},
        {"kind": "call", "id": "call", "twilio": twilio, **phone},
        {"kind": "sms", "id": "second-sms", "vonage": vonage, **phone},
        {"kind": "call", "id": "second-call", "vonage": vonage, **phone},
        {
            "kind": "slack",
            "id": "slack",
            "url": url,
            "token": SLACK_TOKEN,
            "signing_secret": SLACK_SECRET,
            "to": "C01234567",
            **outgoing,
        },
        {"kind": "teams", "id": "teams", "url": f"{url}/workflows/1?sig=secret", **outgoing},
        {
            "kind": "pagerduty",
            "id": "pagerduty",
            "url": url,
            "routing_key": ROUTING_KEY,
            "webhook_secret": PAGERDUTY_SECRET,
            **outgoing,
        },
        {
            "kind": "mail",
            "id": "mail",
            "host": "localhost",
            "port": mail_port,
            "encryption": "none" if private else "tls",
            "sender": "bell@tocsin.example",
            "to": "room@lunea.example",
            **outgoing,
        },
        {"kind": "apprise", "id": "apprise", "url": f"json{url.removeprefix('http')}/ring", **outgoing},
    ]


PEOPLE = [
    {
        "id": "lea",
        "name": "Léa",
        "language": "fr",
        "time_zone": "Europe/Paris",
        "phone": "+33612345678",
        "mail": "lea@lunea.example",
        "slack": "U01234567",
        "pagerduty": "PLEA123",
        "channels": ["webhook"],
    },
    {"id": "sam", "name": "Sam", "phone": "+447700900123", "mail": "sam@lunea.example", "channels": ["webhook"]},
]


def configuration_of(url: str, people: list[dict[str, Any]] | None = None, **more: Any) -> Configuration:
    """A configuration with all of them; `more` are further sections."""
    channel = {name: more.pop(name) for name in ("private", "timeout", "mail_port") if name in more}
    sections = {
        "api": {"public_url": PUBLIC_URL},
        "brands": [{"id": "lunea", "names": ["Lunéa"]}],
        "people": people or PEOPLE,
        "channels": settings_of(url, **channel),
        **more,
    }
    return parse(json.dumps(sections))


def made(url: str, clock: Clock, **how: Any) -> dict[str, Channel]:
    """Every channel by its id, that posts to `url`."""
    return dict(channels(configuration_of(url, **how), clock))


def page(target: str = "person:lea", **content: Any) -> Notification:
    """A first page, to Léa in French."""
    notification = decide(None, opening(), START, DIRECTORY).notifications[0]
    written = notification.content.model_copy(update=content)
    return notification.model_copy(update={"target": target, "content": written})


def delivery(notification: Notification | None = None, attempt: int = 1, **how: Any) -> Delivery:
    """One attempt, that may be answered."""
    notification = notification or page()
    link = AnswerLink("a-token-of-22-letters", PUBLIC_URL)
    return Delivery(notification, compose(notification, link.acknowledge), attempt, answer=link, **how)


def words_of(kind: str, body: str) -> str:
    """What a person would read or hear of a request's body."""
    if kind in ("sms", "call"):
        fields = parse_qs(body)
        return fields.get("Body", fields.get("Twiml", [""]))[0]
    said = json.loads(body)
    if kind == "second-sms":
        return str(said["text"])
    return "\n".join(_texts(said))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


@contextmanager
def rude_server(manner: str) -> Iterator[str]:
    """The address of a server that `hangs`, `resets`, `closes early`, `breaks off` within its answer, or `refuses` to be called."""
    done = threading.Event()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        if manner != "refuses":
            listening.listen(32)
            threading.Thread(target=_be_rude, args=(listening, manner, done), daemon=True).start()
        yield f"http://127.0.0.1:{port}"
        done.set()


def _be_rude(listening: socket.socket, manner: str, done: threading.Event) -> None:
    def serve(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            if manner == "hangs":
                done.wait(10)
            elif manner == "resets":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif manner == "breaks off":
                connection.sendall(b"HTTP/1.1 2")

    while not done.is_set():
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=serve, args=(connection,), daemon=True).start()
