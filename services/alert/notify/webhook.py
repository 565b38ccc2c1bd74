"""Signed webhooks, as Standard Webhooks 1.0 describes them (https://www.standardwebhooks.com).

The `webhook-id` and the body of a message are the same at every attempt; only the timestamp and the signature are new.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from datetime import UTC

from standardwebhooks import Webhook as Signer

from services.alert.notify.port import Delivery, Outcome
from services.alert.notify.posting import Poster
from services.alert.protocol.messages import harmless_content
from tocsin.clock import Clock
from tocsin.contracts.settings.channels import WebhookChannel


class Webhook:
    """Posts messages to one URL. `tls`: which certificates to trust, where the usual authorities are not meant."""

    kind = "webhook"
    deduplicates = True

    def __init__(self, settings: WebhookChannel, clock: Clock, *, tls: ssl.SSLContext | None = None) -> None:
        self._url = settings.url
        self._signer = Signer(settings.secret.get_secret_value())
        self._clock = clock
        self._poster = Poster(
            timeout=settings.timeout, allow_private=settings.allow_private_address, clock=clock, tls=tls
        )
        self.address_hash = hashlib.sha256(settings.url.encode()).hexdigest()[:16]
        self.timeout = self._poster.timeout

    def send(self, delivery: Delivery) -> Outcome:
        """Post it once."""
        now = self._clock.now()
        identifier = f"msg_{delivery.id}"
        body = webhook_body(delivery)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": identifier,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(identifier, now.astimezone(UTC), body),
        }
        return self._poster.post(self._url, body.encode(), headers, wanted=delivery.wanted)


def webhook_body(delivery: Delivery) -> str:
    """The JSON of a message: `type`, `timestamp` and `data`, in which `text` is ready to be shown.

    Whoever shows another part of it is as safe: the words of mentions and people are harmless in all of them.
    """
    notification, content = delivery.notification, delivery.notification.content
    data = {
        **harmless_content(content).model_dump(mode="json", exclude={"kind", "at"}),
        "notification_id": str(notification.id),
        "target": notification.target,
        "name": notification.name,
        "language": notification.language,
        "subject": delivery.message.subject,
        "text": delivery.message.text,
    }
    event = {
        "type": f"notification.{notification.kind}",
        "timestamp": notification.created_at.isoformat(),
        "data": data,
    }
    return json.dumps(event, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
