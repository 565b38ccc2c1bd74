"""Slack: a message in Block Kit, with a button that acknowledges (the click comes back at `/callbacks/slack/…`).

What mentions or people wrote stands only in `plain_text` objects, in which Slack sees neither links nor markup, and in the
fallback `text`, where it is escaped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.alert.notify.port import Delivery, Outcome, no_address
from services.alert.notify.posting import Answer, Poster, outcome_of_status, retry_after
from services.alert.protocol.answers import SLACK_ACTION
from services.alert.protocol.phrases import PHRASES
from tocsin.clock import Clock
from tocsin.contracts.settings.channels import SlackChannel
from tocsin.storage.notifications import AttemptOutcome

_LONGEST_HEADER = 150
_LONGEST_SECTION = 3000
_PASSING = {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class Slack:
    """Posts as a bot."""

    kind = "slack"
    deduplicates = False

    def __init__(self, settings: SlackChannel, addresses: Mapping[str, str], clock: Clock) -> None:
        self._url = f"{settings.url.rstrip('/')}/api/chat.postMessage"
        self._token = settings.token
        self._addresses = addresses
        self._poster = Poster(timeout=settings.timeout, allow_private=settings.allow_private_address, clock=clock)
        secret = hashlib.sha256(settings.token.get_secret_value().encode()).hexdigest()
        self.address_hash = hashlib.sha256(f"{settings.url}:{secret}".encode()).hexdigest()[:16]
        self.timeout = self._poster.timeout

    def send(self, delivery: Delivery) -> Outcome:
        """Post it once."""
        place = self._addresses.get(delivery.notification.target)
        if place is None:
            return no_address(delivery, "slack")
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Authorization": f"Bearer {self._token.get_secret_value()}",
        }
        body = {"channel": place, "unfurl_links": False, "unfurl_media": False, **blocks(delivery)}
        content = json.dumps(body, ensure_ascii=False).encode()
        return self._poster.post(self._url, content, headers, wanted=delivery.wanted, judge=_judge)


def blocks(delivery: Delivery) -> dict[str, Any]:
    """`text` and `blocks` of a message."""
    message, answer = delivery.message, delivery.answer
    phrases = PHRASES[message.language]
    said: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(message.subject, _LONGEST_HEADER)},
        {"type": "section", "text": _plain("\n".join(message.lines), _LONGEST_SECTION)},
    ]
    buttons: list[dict[str, Any]] = []
    if answer is not None:
        buttons.append(
            {
                "type": "button",
                "style": "primary",
                "action_id": SLACK_ACTION,
                "value": answer.token,
                "text": _plain(phrases["acknowledge_button"], 75),
            }
        )
    if message.page_link is not None:
        buttons.append(
            {
                "type": "button",
                "action_id": "tocsin_see",
                "url": message.page_link,
                "text": _plain(phrases["see_button"], 75),
            }
        )
    if buttons:
        said.append({"type": "actions", "elements": buttons})
    return {"text": message.headline.translate(_ESCAPES), "blocks": said}


def _plain(words: str, longest: int) -> dict[str, Any]:
    words = words if len(words) <= longest else words[: longest - 1] + "…"
    return {"type": "plain_text", "text": words, "emoji": False}


def _judge(answer: Answer, now: datetime) -> Outcome:
    """Slack answers 200 also where it did nothing; its body says so."""
    outcome = outcome_of_status(answer, now)
    if outcome.kind is not AttemptOutcome.ACCEPTED:
        return outcome
    try:
        said = json.loads(answer.body)
        accepted, error = bool(said["ok"]), str(said.get("error", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Outcome(AttemptOutcome.UNKNOWN, f"HTTP {answer.status} without Slack's own answer; is the url right?")
    if accepted:
        return Outcome(AttemptOutcome.ACCEPTED, "ok")
    error = "".join(character for character in error if character.isalnum() or character == "_")[:60]
    if error in _PASSING:
        return Outcome(AttemptOutcome.RETRY, f"Slack: {error}", retry_after(answer.headers.get("retry-after"), now))
    return Outcome(AttemptOutcome.REJECTED, f"Slack refuses it: {error}; look at the token, its scopes and the place")
