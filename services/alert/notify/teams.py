"""Microsoft Teams: an Adaptive Card through a workflow that waits for a web request.

What mentions or people wrote stands only in text runs of rich text blocks, which know no markup.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from services.alert.notify.port import Delivery, Outcome
from services.alert.notify.posting import Poster
from services.alert.protocol.phrases import PHRASES
from tocsin.clock import Clock
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.channels import TeamsChannel

_COLOURS = {Level.GREEN: "good", Level.YELLOW: "warning", Level.ORANGE: "warning", Level.RED: "attention"}


class Teams:
    """Posts to one workflow."""

    kind = "teams"
    deduplicates = False

    def __init__(self, settings: TeamsChannel, clock: Clock) -> None:
        self._url = settings.url
        self._poster = Poster(timeout=settings.timeout, allow_private=settings.allow_private_address, clock=clock)
        self.address_hash = hashlib.sha256(settings.url.get_secret_value().encode()).hexdigest()[:16]
        self.timeout = self._poster.timeout

    def send(self, delivery: Delivery) -> Outcome:
        """Post it once."""
        content = json.dumps(card(delivery), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json"}
        return self._poster.post(self._url.get_secret_value(), content, headers, wanted=delivery.wanted)


def card(delivery: Delivery) -> dict[str, Any]:
    """The message that the workflow posts, with the card in it."""
    message, level = delivery.message, delivery.notification.level
    phrases = PHRASES[message.language]
    body = [_rich(message.subject, weight="bolder", size="medium", color=_COLOURS[level])]
    body.extend(_rich(line) for line in message.lines)
    links = (
        (message.acknowledge_link, phrases["acknowledge_button"]),
        (message.page_link, phrases["see_button"]),
    )
    actions = [{"type": "Action.OpenUrl", "title": words, "url": link} for link, words in links if link]
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "lang": message.language,
        "fallbackText": message.headline,
        "body": body,
        "actions": actions,
        "msteams": {"width": "Full"},
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}


def _rich(words: str, **how: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": words, **how}]}
