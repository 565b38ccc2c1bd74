"""Signed webhooks, as Standard Webhooks 1.0 describes them (https://www.standardwebhooks.com).

The `webhook-id` and the body of a message are the same at every attempt; only the timestamp and the signature are new.
Redirects are not followed, the answer's body is not read, and the process's proxy settings do not apply.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx
from standardwebhooks import Webhook as Signer

from services.alert.notify.addresses import AddressRefused, AddressUnknown, addresses_of
from services.alert.notify.port import Delivery, Outcome
from tocsin.clock import Clock
from tocsin.contracts.settings.channels import WebhookChannel
from tocsin.storage.notifications import AttemptOutcome

LONGEST_RETRY_AFTER = timedelta(days=1)
_PASSING = (408, 425, 429)
"""Of the 4xx, those that pass by themselves."""


class Webhook:
    """Posts messages to one URL. `tls`: which certificates to trust, where the usual authorities are not meant."""

    kind = "webhook"
    deduplicates = True

    def __init__(self, settings: WebhookChannel, clock: Clock, *, tls: ssl.SSLContext | None = None) -> None:
        self._url = httpx.URL(settings.url)
        self._allow_private = settings.allow_private_address
        self._signer = Signer(settings.secret.get_secret_value())
        self._clock = clock
        self._client = httpx.Client(
            verify=tls or True,
            timeout=settings.timeout.total_seconds(),
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        self.address_hash = hashlib.sha256(settings.url.encode()).hexdigest()[:16]
        # Looking up, connecting, writing and reading may each take up to the configured time.
        self.timeout = 4 * settings.timeout

    def send(self, delivery: Delivery) -> Outcome:
        """Post it once, to an address that was checked."""
        port = self._url.port or (443 if self._url.scheme == "https" else 80)
        try:
            addresses = addresses_of(self._url.host, port, allow_private=self._allow_private)
        except AddressRefused as error:
            return Outcome(AttemptOutcome.REJECTED, str(error))
        except AddressUnknown as error:
            return Outcome(AttemptOutcome.RETRY, str(error))
        body = webhook_body(delivery)
        outcome = Outcome(AttemptOutcome.RETRY, "the host has no address")
        for address in addresses:
            try:
                return self._post(address, delivery, body)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                outcome = Outcome(AttemptOutcome.RETRY, f"no connection ({type(error).__name__})")
            except httpx.TransportError as error:
                # It was connected: what arrived there, nobody knows.
                return Outcome(AttemptOutcome.UNKNOWN, f"no answer ({type(error).__name__})")
        return outcome

    def _post(self, address: str, delivery: Delivery, body: str) -> Outcome:
        now = self._clock.now()
        identifier = f"msg_{delivery.id}"
        request = self._client.build_request(
            "POST",
            self._url.copy_with(host=address),
            content=body.encode(),
            headers={
                "Host": self._url.netloc.decode("ascii"),
                "Content-Type": "application/json",
                "User-Agent": "Tocsin",
                "webhook-id": identifier,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": self._signer.sign(identifier, now.astimezone(UTC), body),
            },
            # The certificate must be that of the name, though the connection goes to the address.
            extensions={"sni_hostname": self._url.raw_host.decode("ascii")},
        )
        response = self._client.send(request, stream=True)
        response.close()
        return _outcome(response, now)


def webhook_body(delivery: Delivery) -> str:
    """The JSON of a message: `type`, `timestamp` and `data`, in which `text` is ready to be shown."""
    notification, content = delivery.notification, delivery.notification.content
    data = {
        **content.model_dump(mode="json", exclude={"kind", "at"}),
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


def _outcome(response: httpx.Response, now: datetime) -> Outcome:
    status = response.status_code
    detail = f"HTTP {status}"
    if 200 <= status < 300:
        return Outcome(AttemptOutcome.ACCEPTED, detail)
    if status == 410:
        return Outcome(AttemptOutcome.GONE, f"{detail}: the receiver wants nothing more; the channel is disabled")
    if status in _PASSING or status >= 500:
        return Outcome(AttemptOutcome.RETRY, detail, retry_after(response.headers.get("retry-after"), now))
    if 300 <= status < 400:
        return Outcome(AttemptOutcome.REJECTED, f"{detail}: redirects are not followed; write the final address as url")
    return Outcome(
        AttemptOutcome.REJECTED, f"{detail}: the receiver refuses it; look at its log, the url and the secret"
    )


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for (seconds or a date), a day at most; None where it is absent or unreadable."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        wanted = timedelta(seconds=min(int(value[:9]), 10**8))
    else:
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, IndexError):
            return None
        wanted = at.replace(tzinfo=at.tzinfo or UTC) - now
    return min(max(wanted, timedelta(0)), LONGEST_RETRY_AFTER)
