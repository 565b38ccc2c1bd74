"""Putting a notification into words, in French and in English: plain text that a person understands at three in the morning.

What mentions and people wrote may stand in a message. It is made harmless here, once for all channels: no control or
direction characters, no line breaks, no links, no markup, nobody addressed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.alert.protocol.phrases import LEFT_OUT, LEVELS, PHRASES, VERDICTS
from services.alert.protocol.text_messages import text_message
from tocsin.contracts.decisions import (
    Language,
    Notification,
    NotificationContent,
    NotificationKind,
    NotificationWords,
)

LONGEST_QUOTE = 400
"""Characters of a reason in a message."""
LONGEST_BRAND = 60
"""Characters of a brand's or a person's name in a message."""
LATE = timedelta(minutes=5)
"""A stream that is further behind than this is told as incomplete."""
_JOINERS = "\u200c\u200d"
"""Format characters that Hindi and Persian words, and emoji, are spelt with."""
_LINK = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)\S*|://\S*|\b(?:mailto|tel|javascript|data):\S+", re.IGNORECASE)
_NUMERIC_HOST = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_BARE_DOMAIN = re.compile(r"(?<=\S)(?:[.．｡](?=[\u200c\u200d]*[^\W\d_])|。(?=[a-zａ-ｚ]))", re.IGNORECASE)
"""A dot with a letter behind it, in any script: with the dots that browsers take for one, and however short the word behind
it is, since a text message spells some letters with two. `。` ends sentences where there are no spaces."""
_ADDRESSED = re.compile(r"@(?=\w)")
_EMPHASIS = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
"""Underscores around words are markup; those inside one, as in a name, are not."""
_ACTORS = {"channel": "by_channel", "key": "by_key", "slack": "by_slack", "pagerduty": "by_pagerduty"}
"""Who may do something without being a person of the configuration, and what a message calls them."""
_MARKUP = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "`": "'", "*": "∗", "~": "∼", "|": "¦", "\\": "∖"})


@dataclass(frozen=True, slots=True)
class Message:
    """What a person reads or hears, in one language: plain text, harmless, each line without a line break."""

    subject: str
    lines: tuple[str, ...]
    language: Language
    page_link: str | None
    """The incident's page; one must be signed in there."""
    acknowledge_link: str | None
    """Lets this recipient acknowledge this incident, once, without signing in."""
    text_message: str
    """For a telephone's display: one SMS."""
    spoken: str
    """For a telephone's ear, without how to answer."""
    before_link: str | None = None
    """What stands before `page_link` where that is not the incident's page; None: the usual words."""
    first_lines: int = 1
    """How many of the `lines` say why (and that it is an exercise)."""
    page_alone: bool = False
    """True where an answer is awaited and can be given on the page alone."""

    @property
    def headline(self) -> str:
        """Level, brand and why, on one line, for wherever nothing else is seen at first."""
        return f"{self.subject} – {' '.join(self.lines[: self.first_lines])}" if self.lines else self.subject

    @property
    def body(self) -> str:
        """Everything but the subject, in short lines: why, how to take it in hand, and what else there is to know."""
        phrases = PHRASES[self.language]
        lines = list(self.lines)
        if self.acknowledge_link:
            # Right after why, before all that can be read later.
            lines.insert(self.first_lines, f"{phrases['acknowledge']} {self.acknowledge_link}")
        if self.page_link:
            before = self.before_link or phrases["open" if self.page_alone else "see"]
            lines.append(f"{before} {self.page_link}")
        return "\n".join(lines)

    @property
    def text(self) -> str:
        """Both together."""
        return f"{self.subject}\n{self.body}"


def compose(
    notification: Notification, acknowledge_link: str | None = None, *, possible_duplicate: bool = False
) -> Message:
    """The words of a notification, in its recipient's language, with times on its recipient's clock."""
    content, language = notification.content, notification.language
    if content.words is not None:
        return _worded(content, content.words, language, duplicate=possible_duplicate)
    clock = _Times(ZoneInfo(notification.time_zone), content.at)
    phrases = PHRASES[language]
    names = {
        "level": LEVELS[language][content.level],
        "brand": harmless(content.brand_name, LONGEST_BRAND),
        "actor": _actor(content.actor_name or "?", language),
    }
    match content.kind:
        case NotificationKind.PAGE:
            lines = _page(notification, clock)
        case NotificationKind.ACKNOWLEDGED:
            lines = _acknowledged(content, language, clock)
        case NotificationKind.RESOLVED:
            lines = _resolved(content, language)
        case NotificationKind.ASSIGNED:
            lines = [reason(content.reasons, language) or phrases["no_reason"]]
        case NotificationKind.JOINED:
            lines = [harmless(content.added or "")]
        case NotificationKind.MERGED:
            lines = [phrases["merged_on"]]
    kind, said, link = content.kind.value, lines, acknowledge_link or content.link or ""
    if content.kind is NotificationKind.PAGE:
        said = _spoken(notification, clock)
        link = f"{phrases['acknowledge_brief']} {link}" if acknowledge_link else link
    subject, brief = phrases[kind].format(**names), phrases[f"{kind}_brief"].format(**names)
    spoken = phrases[f"{kind}_spoken"].format(**{**names, "level": names["level"].lower()})
    if possible_duplicate:
        subject, brief = f"{subject} {phrases['duplicate']}", f"{brief} {phrases['duplicate']}"
    if content.exercise:
        subject, brief = f"{phrases['exercise']} · {subject}", f"{phrases['exercise']} {brief}"
        lines, said = [phrases["exercise_line"], *lines], [phrases["exercise_line"], *said]
        spoken = f"{phrases['exercise'].capitalize()}. {spoken}"
    return Message(
        subject=subject,
        lines=tuple(lines),
        language=language,
        page_link=content.link,
        acknowledge_link=acknowledge_link,
        text_message=text_message(brief, _brief(notification, clock), link),
        spoken=" ".join([spoken, *said]),
        first_lines=2 if content.exercise else 1,
        page_alone=content.kind is NotificationKind.PAGE and acknowledge_link is None,
    )


def harmless_content(content: NotificationContent) -> NotificationContent:
    """A message's facts with all words of mentions and people made harmless, for receivers that show one of them by itself."""
    return content.model_copy(
        update={
            "brand_name": harmless(content.brand_name, LONGEST_BRAND),
            "reasons": {language: harmless(text) for language, text in content.reasons.items()},
            "first_step": {language: harmless(text) for language, text in content.first_step.items()},
            "called": tuple(item.model_copy(update={"name": harmless(item.name)}) for item in content.called),
            "next_names": tuple(map(harmless, content.next_names)),
            "actor_name": harmless(content.actor_name, LONGEST_BRAND) if content.actor_name else None,
            "added": harmless(content.added) if content.added else None,
        }
    )


def harmless(text: str, longest: int = LONGEST_QUOTE) -> str:
    """Words of somebody else, on one line, without anything that a terminal, a chat or a phone would act upon."""
    characters = (_plain(character) for character in unicodedata.normalize("NFC", text))
    line = " ".join("".join(characters).split())
    line = _LINK.sub(_without_its_brackets, line)
    line = _NUMERIC_HOST.sub(lambda host: host[0].replace(".", "․"), line)
    line = _BARE_DOMAIN.sub("․", line)  # a dot that no program makes a link of
    line = _ADDRESSED.sub("＠", line).translate(_MARKUP)
    line = " ".join(_EMPHASIS.sub(" ", line).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def _without_its_brackets(link: re.Match[str]) -> str:
    """What stands for a link, with the brackets and the full stop behind it that were not the link's."""
    written = link[0]
    kept = ""
    while written and (written[-1] in ".,;:!?>]" or (written[-1] == ")" and written.count(")") > written.count("("))):
        written, kept = written[:-1], written[-1] + kept
    return f"(…){kept}"


def _actor(name: str, language: Language) -> str:
    """Whoever did it: a person's name, the key of a program, or somebody on a channel that belongs to nobody alone."""
    kind, colon, identifier = name.partition(":")
    if colon and kind in _ACTORS:
        return PHRASES[language][_ACTORS[kind]].format(name=harmless(identifier, LONGEST_BRAND))
    return harmless(name, LONGEST_BRAND)


def _sentence(text: str) -> str:
    """A text that others follow, with a full stop where it has no end of its own."""
    return text if text.endswith((".", "!", "?", "…", ":")) else f"{text}."


def _plain(character: str) -> str:
    if character.isspace():
        return " "
    # Cc: control, Cf: format (direction overrides, joiners), Cs: surrogates, Co and Cn: nobody knows.
    return "" if unicodedata.category(character).startswith("C") and character not in _JOINERS else character


def reason(reasons: dict[str, str], language: Language) -> str:
    """The one-sentence reason in a language, or in whichever there is; harmless."""
    found = reasons.get(language) or reasons.get("en") or next(iter(reasons.values()), "")
    return harmless(found)


def _worded(content: NotificationContent, words: NotificationWords, language: Language, *, duplicate: bool) -> Message:
    """What the crisis room put into words when it was decided."""
    phrases = PHRASES[language]
    subject = f"{words.subject} {phrases['duplicate']}" if duplicate else words.subject
    lines = words.lines
    if content.exercise:
        subject, lines = f"{phrases['exercise']} · {subject}", (phrases["exercise_line"], *lines)
    return Message(
        subject=subject,
        lines=lines,
        language=language,
        page_link=content.link,
        acknowledge_link=None,
        text_message=text_message(_sentence(subject), lines, content.link or ""),
        spoken=" ".join(map(_sentence, [subject, *lines])),
        before_link=words.link or None,
    )


def _page(notification: Notification, clock: _Times) -> list[str]:
    """Why, what to do, who else is called, and last what matters only where it is not as usual."""
    content, phrases = notification.content, PHRASES[notification.language]
    lines = [reason(content.reasons, notification.language) or phrases["no_reason"]]
    if content.fallback:
        lines.append(phrases["fallback"])
    if content.first_step:
        lines.append(_first_step(content, notification.language))
    lines += _calls(notification, clock)
    if content.complete_up_to is None:
        if not content.exercise:
            lines.append(phrases["complete_unknown"])
    else:
        late = content.at - content.complete_up_to > LATE
        told = phrases["incomplete" if late else "complete"].format(at=clock.at(content.complete_up_to))
        lines.insert(1 if late else len(lines), told)
    return lines


def _calls(notification: Notification, clock: _Times) -> list[str]:
    """Who was called, and who is next."""
    content, phrases = notification.content, PHRASES[notification.language]
    called = _listed((f"{harmless(item.name)} ({clock.at(item.at)})" for item in content.called), phrases["and"])
    return [phrases["called"].format(names=called), _next(content, notification.language, clock.at)]


def _spoken(notification: Notification, clock: _Times) -> list[str]:
    """What a call says of a page: as much as somebody takes in who was asleep a moment ago."""
    content, phrases = notification.content, PHRASES[notification.language]
    said = [_sentence(reason(content.reasons, notification.language) or phrases["no_reason"])]
    if content.fallback:
        said.append(phrases["fallback"])
    if content.first_step:
        said.append(_first_step(content, notification.language))
    return [*said, _next(content, notification.language, clock.spoken)]


def _first_step(content: NotificationContent, language: Language) -> str:
    step = reason(content.first_step, language).rstrip(".")
    return PHRASES[language]["first_step"].format(step=step)


def _next(content: NotificationContent, language: Language, at: Callable[[datetime], str]) -> str:
    phrases = PHRASES[language]
    if not content.next_names or content.next_at is None:
        return phrases["nobody_next"]
    following = _listed(map(harmless, content.next_names), phrases["and"])
    return phrases["next"].format(names=following, at=at(content.next_at))


def _brief(notification: Notification, clock: _Times) -> list[str]:
    """What a text message says beside its head, the most important first; state messages have it in the head."""
    content, phrases = notification.content, PHRASES[notification.language]
    if content.kind is NotificationKind.JOINED and content.added:
        return [harmless(content.added)]
    if content.kind is not NotificationKind.PAGE:
        return []
    why = reason(content.reasons, notification.language) or phrases["no_reason"]
    for words in LEFT_OUT[notification.language]:
        why = why.replace(words, "")
    sentences = [_sentence(why)]
    if content.first_step:
        sentences.append(_first_step(content, notification.language))
    if content.next_names and content.next_at is not None:
        names = ", ".join(harmless(name, LONGEST_BRAND) for name in content.next_names)
        sentences.append(phrases["next_brief"].format(names=names, at=clock.at(content.next_at)))
    return sentences


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

    def spoken(self, instant: datetime) -> str:
        """For the ear: the hour alone, which is that of the wall that the listener sees."""
        return f"{instant.astimezone(self._zone):%H:%M}"
