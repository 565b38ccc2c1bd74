"""SMS and voice calls over Twilio (REST API 2010-04-01; calls are told what to do in TwiML).

Twilio calls back at `/callbacks/twilio/…`: a key that was pressed, and how far a message or call has come.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from services.alert.notify.port import Delivery, Outcome, no_address
from services.alert.notify.posting import Answer, Poster, outcome_of_status
from services.alert.protocol.phrases import PHRASES
from tocsin.clock import Clock
from tocsin.contracts.settings.channels import CallChannel, SmsChannel, TwilioAccount
from tocsin.storage.notifications import AttemptOutcome

RING_SECONDS = 30
"""How long a telephone rings before the next way is tried; most mailboxes pick up later."""
_VOICES = {"fr": "fr-FR", "en": "en-GB"}


class _Twilio:
    deduplicates = False

    def __init__(
        self, settings: SmsChannel | CallChannel, account: TwilioAccount, addresses: Mapping[str, str], clock: Clock
    ) -> None:
        self._id = settings.id
        self._sender = settings.sender
        self._account = account
        self._addresses = addresses
        self._poster = Poster(timeout=settings.timeout, allow_private=settings.allow_private_address, clock=clock)
        address = f"{account.url}:{account.account}:{settings.sender}"
        self.address_hash = hashlib.sha256(address.encode()).hexdigest()[:16]
        self.timeout = self._poster.timeout

    def _post(self, resource: str, fields: list[tuple[str, str]], delivery: Delivery) -> Outcome:
        to = self._addresses.get(delivery.notification.target)
        if to is None:
            return no_address(delivery, "phone")
        url = f"{self._account.url.rstrip('/')}/2010-04-01/Accounts/{self._account.account}/{resource}.json"
        content = urlencode([("To", to), ("From", self._sender), *fields]).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": basic(self._account.account, self._account.token.get_secret_value()),
        }
        return self._poster.post(url, content, headers, wanted=delivery.wanted, judge=_judge)


class TwilioSms(_Twilio):
    """Sends one text message."""

    kind = "sms"

    def send(self, delivery: Delivery) -> Outcome:
        """Hand it to Twilio once."""
        fields = [("Body", delivery.message.text_message)]
        if delivery.answer is not None:
            fields.append(("StatusCallback", delivery.answer.callback("twilio", "status", self._id)))
        return self._post("Messages", fields, delivery)


class TwilioCall(_Twilio):
    """Calls, reads the message out twice, and takes the key 1 as an acknowledgement."""

    kind = "call"

    def send(self, delivery: Delivery) -> Outcome:
        """Let Twilio call once."""
        fields = [("Timeout", str(RING_SECONDS))]
        key = None
        if delivery.answer is not None:
            key = delivery.answer.callback("twilio", "key", self._id)
            fields.append(("StatusCallback", delivery.answer.callback("twilio", "status", self._id)))
            fields.extend(("StatusCallbackEvent", event) for event in ("answered", "completed"))
        return self._post("Calls", [("Twiml", twiml(delivery, key)), *fields], delivery)


def twiml(delivery: Delivery, key_callback: str | None) -> str:
    """What a call says: the message twice, and in between it listens for a key."""
    message = delivery.message
    phrases = PHRASES[message.language]
    voice = quoteattr(_VOICES[message.language])

    def say(words: str) -> str:
        return f"<Say language={voice}>{escape(words)}</Say>"

    if key_callback is None:
        return f"<Response>{say(message.spoken)}{say(message.spoken)}</Response>"
    words = say(f"{phrases['press']} {message.spoken} {phrases['press']}")
    gather = f'<Gather action={quoteattr(key_callback)} method="POST" numDigits="1" timeout="8">{words}</Gather>'
    return f"<Response>{gather}{gather}{say(phrases['not_pressed'])}</Response>"


def basic(user: str, password: str) -> str:
    """An Authorization header of the scheme Basic."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _judge(answer: Answer, now: datetime) -> Outcome:
    outcome = outcome_of_status(answer, now)
    if outcome.kind is not AttemptOutcome.REJECTED:
        return outcome
    # Its own number says more than the status; its words may repeat the telephone number.
    try:
        code = int(json.loads(answer.body)["code"])
    except (ValueError, KeyError, TypeError):
        return outcome
    return Outcome(AttemptOutcome.REJECTED, f"HTTP {answer.status}: Twilio refuses it with its error {code}")
