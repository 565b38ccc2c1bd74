"""Putting a notification into words, in French and in English: plain text that a person understands at three in the morning.

What mentions and people wrote may stand in a message. It is made harmless here, once for all channels: no control or
direction characters, no line breaks, no links, no markup, nobody addressed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.alert.protocol.phrases import LEVELS, PHRASES, VERDICTS
from tocsin.contracts.decisions import Language, Notification, NotificationContent, NotificationKind

LONGEST_QUOTE = 400
"""Characters of a reason in a message."""
LATE = timedelta(minutes=5)
"""A stream that is further behind than this is told as incomplete."""
_JOINERS = "\u200c\u200d"
"""Format characters that Hindi and Persian words, and emoji, are spelt with."""
_LINK = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)\S*|\b(?:mailto|tel|javascript|data):\S+", re.IGNORECASE)
_BARE_DOMAIN = re.compile(r"(?<=\w)\.(?=[a-z]{2,}\b)", re.IGNORECASE)
_ADDRESSED = re.compile(r"@(?=\w)")
_EMPHASIS = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
"""Underscores around words are markup; those inside one, as in a name, are not."""
_MARKUP = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "`": "'", "*": "∗", "~": "∼", "|": "¦", "\\": "∖"})


@dataclass(frozen=True, slots=True)
class Message:
    """What a person reads: a subject line and a body of short lines, in one language."""

    subject: str
    body: str
    language: Language

    @property
    def text(self) -> str:
        """Both together."""
        return f"{self.subject}\n{self.body}"


def compose(notification: Notification) -> Message:
    """The words of a notification, in its recipient's language, with times on its recipient's clock."""
    content, language = notification.content, notification.language
    clock = _Times(ZoneInfo(notification.time_zone), content.at)
    phrases = PHRASES[language]
    level = LEVELS[language][content.level]
    names = {"level": level, "brand": harmless(content.brand_name), "actor": harmless(content.actor_name or "?")}
    match content.kind:
        case NotificationKind.PAGE:
            subject, lines = phrases["page"].format(**names), _page(notification, clock)
        case NotificationKind.ACKNOWLEDGED:
            subject, lines = phrases["acknowledged"].format(**names), _acknowledged(content, language, clock)
        case NotificationKind.RESOLVED:
            subject, lines = phrases["resolved"].format(**names), _resolved(content, language)
    if content.link:
        lines = [*lines, f"{phrases['open']} {content.link}"]
    return Message(subject, "\n".join(lines), language)


def harmless(text: str, longest: int = LONGEST_QUOTE) -> str:
    """Words of somebody else, on one line, without anything that a terminal, a chat or a phone would act upon."""
    characters = (_plain(character) for character in unicodedata.normalize("NFC", text))
    line = " ".join("".join(characters).split())
    line = _LINK.sub("(…)", line)
    line = _BARE_DOMAIN.sub("․", line)  # a dot that no program makes a link of
    line = _ADDRESSED.sub("＠", line).translate(_MARKUP)
    line = " ".join(_EMPHASIS.sub(" ", line).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _plain(character: str) -> str:
    if character.isspace():
        return " "
    # Cc: control, Cf: format (direction overrides, joiners), Cs: surrogates, Co and Cn: nobody knows.
    return "" if unicodedata.category(character).startswith("C") and character not in _JOINERS else character


def reason(reasons: dict[str, str], language: Language) -> str:
    """The one-sentence reason in a language, or in whichever there is; harmless."""
    found = reasons.get(language) or reasons.get("en") or next(iter(reasons.values()), "")
    return harmless(found)


def _page(notification: Notification, clock: _Times) -> list[str]:
    content, phrases = notification.content, PHRASES[notification.language]
    lines = [reason(content.reasons, notification.language) or phrases["no_reason"]]
    if content.complete_up_to is not None:
        late = content.at - content.complete_up_to > LATE
        lines.append(phrases["incomplete" if late else "complete"].format(at=clock.at(content.complete_up_to)))
    if content.fallback:
        lines.append(phrases["fallback"])
    called = _listed((f"{harmless(item.name)} ({clock.at(item.at)})" for item in content.called), phrases["and"])
    lines.append(phrases["called"].format(names=called))
    if content.next_names and content.next_at is not None:
        following = _listed(map(harmless, content.next_names), phrases["and"])
        lines.append(phrases["next"].format(names=following, at=clock.at(content.next_at)))
    else:
        lines.append(phrases["nobody_next"])
    return lines


def _acknowledged(content: NotificationContent, language: Language, clock: _Times) -> list[str]:
    lines = [PHRASES[language]["stop"]]
    if content.until is not None:
        lines.append(PHRASES[language]["until"].format(at=clock.at(content.until)))
    return lines


def _resolved(content: NotificationContent, language: Language) -> list[str]:
    if content.verdict is None:
        return [PHRASES[language]["over"]]
    return [PHRASES[language]["verdict"].format(verdict=VERDICTS[language][content.verdict])]


def _listed(names: Iterable[str], word: str) -> str:
    known = list(names)
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} {word} {known[-1]}" if known else "–"


class _Times:
    """Instants as the recipient's clock shows them; the date only where it is another day than that of the message."""

    def __init__(self, zone: ZoneInfo, now: datetime) -> None:
        self._zone = zone
        self._today = now.astimezone(zone).date()

    def at(self, instant: datetime) -> str:
        local = instant.astimezone(self._zone)
        day = "" if local.date() == self._today else f"{local:%d.%m.} "
        return f"{day}{local:%H:%M} {local.tzname()}"
