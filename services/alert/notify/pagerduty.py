"""PagerDuty: Events API v2. Trigger, acknowledge and resolve of one incident share a `dedup_key`.

Each new start of an escalation is an incident of its own there, with a key of its own, so that it rings anew whoever has
acknowledged an earlier one; what ends the incident here resolves them all there.

What is acknowledged there comes back at `/callbacks/pagerduty/…` (webhooks v3).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from services.alert.notify.port import Delivery, Outcome
from services.alert.notify.posting import Poster
from services.alert.protocol.answers import dedup_key
from services.alert.protocol.phrases import PHRASES
from tocsin.clock import Clock
from tocsin.contracts.decisions import NotificationKind
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.channels import PagerDutyChannel
from tocsin.storage.notifications import AttemptOutcome

_ACTIONS = {
    NotificationKind.PAGE: "trigger",
    NotificationKind.ACKNOWLEDGED: "acknowledge",
    NotificationKind.RESOLVED: "resolve",
    NotificationKind.MERGED: "resolve",
}
_SEVERITIES = {Level.GREEN: "info", Level.YELLOW: "warning", Level.ORANGE: "error", Level.RED: "critical"}
_LONGEST_SUMMARY = 1024


class PagerDuty:
    """Sends events to one service's integration."""

    kind = "pagerduty"
    deduplicates = True

    def __init__(self, settings: PagerDutyChannel, clock: Clock) -> None:
        self._url = f"{settings.url.rstrip('/')}/v2/enqueue"
        self._routing_key = settings.routing_key
        self._poster = Poster(timeout=settings.timeout, allow_private=settings.allow_private_address, clock=clock)
        address = f"{settings.url}:{settings.routing_key.get_secret_value()}"
        self.address_hash = hashlib.sha256(address.encode()).hexdigest()[:16]
        self.timeout = self._poster.timeout

    def send(self, delivery: Delivery) -> Outcome:
        """Send the event once."""
        if delivery.notification.kind not in _ACTIONS:
            # Nothing has failed: nobody has to look why, or to send it again.
            return Outcome(
                AttemptOutcome.SUPERSEDED, "PagerDuty is told of the incident itself, not of what goes on in its room"
            )
        headers = {"Content-Type": "application/json"}
        outcome = Outcome(AttemptOutcome.REJECTED, "there is nothing to tell")
        for said in events(delivery):
            body = {"routing_key": self._routing_key.get_secret_value(), **said}
            content = json.dumps(body, ensure_ascii=False).encode()
            outcome = self._poster.post(self._url, content, headers, wanted=delivery.wanted)
            if outcome.kind is not AttemptOutcome.ACCEPTED:
                break  # all are sent again: PagerDuty deduplicates them
        return outcome


def events(delivery: Delivery) -> list[dict[str, Any]]:
    """The events of a message, without the routing key: one, but for an end, which is that of every start."""
    notification = delivery.notification
    if _ACTIONS.get(notification.kind) != "resolve":
        return [event(delivery)]
    keys = [dedup_key(notification.incident_id, start) for start in range(1, notification.start + 1)]
    return [{"event_action": "resolve", "dedup_key": key} for key in keys]


def event(delivery: Delivery) -> dict[str, Any]:
    """One event without the routing key, about the present start of the escalation."""
    notification, message = delivery.notification, delivery.message
    action = _ACTIONS.get(notification.kind, "trigger")
    said: dict[str, Any] = {
        "event_action": action,
        "dedup_key": dedup_key(notification.incident_id, notification.start),
    }
    if action != "trigger":
        return said
    phrases = PHRASES[message.language]
    # Whom to call next is PagerDuty's to say, wherever it is rung.
    text = "\n".join(message.lines).replace(phrases["nobody_next"], phrases["pagerduty_next"])
    said["client"] = "Tocsin"
    said["payload"] = {
        "summary": message.headline[:_LONGEST_SUMMARY],
        "source": "tocsin",
        "severity": _SEVERITIES[notification.level],
        "timestamp": notification.created_at.isoformat(),
        "component": notification.content.brand,
        "class": "exercise" if notification.content.exercise else "crisis",
        "custom_details": {"text": text, "score": notification.content.score},
    }
    if message.page_link is not None:
        said["client_url"] = message.page_link
        said["links"] = [{"href": message.page_link, "text": "Tocsin"}]
    return said
