"""SMS and voice calls over Vonage (Messages API v1, Voice API v1; calls are told what to do in NCCO).

The second provider beside Twilio: another company, another network, other numbers. Requests are signed with the application's
private key (a JWT, RS256); Vonage calls back at `/callbacks/vonage/…` with JWTs of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import RSAKey

from services.alert.notify.port import Delivery, Outcome, no_address
from services.alert.notify.posting import Poster
from services.alert.notify.twilio import RING_SECONDS
from services.alert.protocol.phrases import PHRASES
from tocsin.clock import Clock
from tocsin.contracts.settings.channels import CallChannel, SmsChannel, VonageApplication

TOKEN_LIFETIME = timedelta(minutes=5)
_VOICES = {"fr": "fr-FR", "en": "en-GB"}


class _Vonage:
    deduplicates = False

    def __init__(
        self,
        settings: SmsChannel | CallChannel,
        application: VonageApplication,
        addresses: Mapping[str, str],
        clock: Clock,
    ) -> None:
        self._id = settings.id
        self._sender = settings.sender
        self._application = application
        self._key = RSAKey.import_key(application.private_key.get_secret_value())
        self._addresses = addresses
        self._clock = clock
        self._poster = Poster(timeout=settings.timeout, allow_private=settings.allow_private_address, clock=clock)
        address = f"{application.url}:{application.application}:{settings.sender}"
        self.address_hash = hashlib.sha256(address.encode()).hexdigest()[:16]
        self.timeout = self._poster.timeout

    def _post(self, path: str, body: Mapping[str, Any], delivery: Delivery) -> Outcome:
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token()}"}
        url = self._application.url.rstrip("/") + path
        return self._poster.post(url, content, headers, wanted=delivery.wanted)

    def _token(self) -> str:
        now = self._clock.now()
        claims = {
            "application_id": self._application.application,
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFETIME).timestamp()),
            "jti": str(uuid4()),
        }
        return jwt.encode({"alg": "RS256"}, claims, self._key)

    def _to(self, delivery: Delivery) -> str | None:
        to = self._addresses.get(delivery.notification.target)
        return to.removeprefix("+") if to is not None else None


class VonageSms(_Vonage):
    """Sends one text message."""

    kind = "sms"

    def send(self, delivery: Delivery) -> Outcome:
        """Hand it to Vonage once."""
        to = self._to(delivery)
        if to is None:
            return no_address(delivery, "phone")
        body = {
            "channel": "sms",
            "message_type": "text",
            "to": to,
            "from": self._sender.removeprefix("+"),
            "text": delivery.message.text_message,
            "client_ref": str(delivery.id),
        }
        if delivery.answer is not None:
            body["webhook_url"] = delivery.answer.callback("vonage", "status", self._id)
            body["webhook_version"] = "v1"
        return self._post("/v1/messages", body, delivery)


class VonageCall(_Vonage):
    """Calls, reads the message out twice, and takes the key 1 as an acknowledgement."""

    kind = "call"

    def send(self, delivery: Delivery) -> Outcome:
        """Let Vonage call once."""
        to = self._to(delivery)
        if to is None:
            return no_address(delivery, "phone")
        body: dict[str, Any] = {
            "to": [{"type": "phone", "number": to}],
            "from": {"type": "phone", "number": self._sender.removeprefix("+")},
            "ncco": ncco(delivery, None),
            "ringing_timer": RING_SECONDS,
        }
        if delivery.answer is not None:
            body["ncco"] = ncco(delivery, delivery.answer.callback("vonage", "key", self._id))
            body["event_url"] = [delivery.answer.callback("vonage", "status", self._id)]
            body["event_method"] = "POST"
        return self._post("/v1/calls", body, delivery)


def ncco(delivery: Delivery, key_callback: str | None) -> list[dict[str, Any]]:
    """What a call says: the message twice, and then it listens for a key, which may be pressed while it speaks."""
    message = delivery.message
    phrases = PHRASES[message.language]

    def talk(words: str, **how: Any) -> dict[str, Any]:
        return {"action": "talk", "text": words, "language": _VOICES[message.language], **how}

    if key_callback is None:
        return [talk(message.spoken, loop=2)]
    listen = {
        "action": "input",
        "type": ["dtmf"],
        "dtmf": {"maxDigits": 1, "timeOut": 8},
        "eventUrl": [key_callback],
        "eventMethod": "POST",
    }
    words = f"{phrases['press']} {message.spoken} {phrases['press']}"
    return [talk(words, bargeIn=True, loop=2), listen]
