"""The morning digest of one brand: the night, levels, what almost rang and why it did not, who is on call today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.alert.protocol.directory import Directory
from services.alert.protocol.messages import harmless
from services.alert.protocol.phrases import LEVELS, VERDICTS
from services.alert.room.phrases import in_language
from tocsin.contracts.decisions import Language
from tocsin.contracts.incidents import Incident, Level

_DAY = timedelta(days=1)
_WORDS: Mapping[Language, Mapping[str, str]] = {
    "fr": {
        "subject": "{brand} : la nuit du {day} – {summary}",
        "calm": "rien n’a sonné",
        "rang": "{number} alerte(s), niveau {level}",
        "night": "La nuit, de {since} à {until} : {mentions} mentions, dont {harmful} nuisibles ({authors} auteurs).",
        "level": "Niveau en ce moment : {level}.",
        "nothing": "Rien n’a sonné.",
        "incident": "{at} : niveau {level}. {reason} {state}",
        "open": "Pas encore clôturé.",
        "closed": "Clôturé à {at}{verdict}.",
        "almost": "Ce qui a failli sonner :",
        "nothing_almost": "Rien n’a failli sonner.",
        "miss": "{at} (score {score}) : {reason} {why}",
        "buzz": "Pas d’alerte : on en parle beaucoup, mais sans nuire.",
        "campaign": "Pas d’alerte : beaucoup d’auteurs, mais un seul et même texte.",
        "planned": "Pas d’alerte : c’était annoncé.",
        "unconfirmed": "Pas d’alerte : un seul passage au-dessus du seuil, que l’évaluation suivante n’a pas confirmé.",
        "below": "Pas d’alerte : sous le seuil.",
        "coverage": "D’astreinte aujourd’hui ({schedule}) : {spans}.",
        "span": "{since}–{until} {name}",
        "nobody": "PERSONNE",
        "no_schedule": "Aucun planning d’astreinte pour cette marque.",
        "no_reason": "Raison inconnue.",
    },
    "en": {
        "subject": "{brand}: the night of {day} – {summary}",
        "calm": "nothing rang",
        "rang": "{number} alarm(s), level {level}",
        "night": "The night, {since} to {until}: {mentions} mentions, {harmful} of them harmful ({authors} authors).",
        "level": "Level right now: {level}.",
        "nothing": "Nothing rang.",
        "incident": "{at}: level {level}. {reason} {state}",
        "open": "Not closed yet.",
        "closed": "Closed at {at}{verdict}.",
        "almost": "What almost rang:",
        "nothing_almost": "Nothing almost rang.",
        "miss": "{at} (score {score}): {reason} {why}",
        "buzz": "No alarm: much talk, but no harm in it.",
        "campaign": "No alarm: many authors, but one and the same text.",
        "planned": "No alarm: it was announced.",
        "unconfirmed": "No alarm: above the threshold once, and the next evaluation did not confirm it.",
        "below": "No alarm: below the threshold.",
        "coverage": "On call today ({schedule}): {spans}.",
        "span": "{since}–{until} {name}",
        "nobody": "NOBODY",
        "no_schedule": "No on-call schedule for this brand.",
        "no_reason": "No reason is known.",
    },
}


@dataclass(frozen=True, slots=True)
class AlmostRang:
    """A moment that looked bad and woke nobody; `why_not` is a key of the words above."""

    at: datetime
    score: float
    reasons: Mapping[str, str]
    why_not: str


@dataclass(frozen=True, slots=True)
class Night:
    """What the database knows of a brand's night; all instants UTC."""

    brand: str
    since: datetime
    until: datetime
    level: Level
    mentions: int
    harmful: int
    authors: int
    incidents: Sequence[Incident]
    almost: Sequence[AlmostRang]


@dataclass(frozen=True, slots=True)
class Digest:
    """A mail: subject and lines, in one language."""

    subject: str
    lines: tuple[str, ...]


def digest(
    night: Night, directory: Directory, schedules: Sequence[str], *, zone: ZoneInfo, language: Language
) -> Digest:
    """The mail of one morning. `schedules`: those of the brand's policy; times are on the clock of `zone`."""
    words = _WORDS[language]

    def clock(at: datetime) -> str:
        return f"{at.astimezone(zone):%H:%M}"

    brand = harmless(directory.brand_name(night.brand))
    highest = max((incident.highest_level for incident in night.incidents), default=Level.GREEN)
    rang = bool(night.incidents)
    summary = (
        words["rang"].format(number=len(night.incidents), level=LEVELS[language][highest]) if rang else words["calm"]
    )
    lines = [
        words["night"].format(
            since=clock(night.since),
            until=clock(night.until),
            mentions=night.mentions,
            harmful=night.harmful,
            authors=night.authors,
        ),
        words["level"].format(level=LEVELS[language][night.level]),
        *([] if rang else [words["nothing"]]),
    ]
    for incident in night.incidents:
        state = words["open"]
        if incident.resolved_at is not None:
            verdict = f" ({VERDICTS[language][incident.verdict]})" if incident.verdict else ""
            state = words["closed"].format(at=clock(incident.resolved_at), verdict=verdict)
        lines.append(
            words["incident"].format(
                at=clock(incident.opened_at),
                level=LEVELS[language][incident.highest_level],
                reason=harmless(in_language(incident.reasons, language)) or words["no_reason"],
                state=state,
            )
        )
    lines.append(words["almost"] if night.almost else words["nothing_almost"])
    lines += [
        words["miss"].format(
            at=clock(miss.at),
            score=round(miss.score),
            reason=harmless(in_language(miss.reasons, language)) or words["no_reason"],
            why=words.get(miss.why_not, words["below"]),
        )
        for miss in night.almost
    ]
    lines += _coverage(night.until, directory, schedules, zone=zone, language=language)
    day = f"{night.until.astimezone(zone):%d/%m}" if language == "fr" else f"{night.until.astimezone(zone):%d %b}"
    return Digest(words["subject"].format(brand=brand, day=day, summary=summary), tuple(lines))


def _coverage(
    now: datetime, directory: Directory, schedules: Sequence[str], *, zone: ZoneInfo, language: Language
) -> list[str]:
    words, lines = _WORDS[language], []
    for name in schedules:
        if name not in directory.schedules:
            continue
        spans: list[tuple[datetime, str | None]] = []
        for at in directory.changes(name, now, now + _DAY):
            person = directory.on_call(name, at)
            if not spans or spans[-1][1] != person:
                spans.append((at, person))
        edges = [*(at for at, _ in spans[1:]), now + _DAY]
        told = [
            words["span"].format(
                since=f"{since.astimezone(zone):%H:%M}",
                until=f"{until.astimezone(zone):%H:%M}",
                name=directory.actor_name(f"person:{person}") if person else words["nobody"],
            )
            for (since, person), until in zip(spans, edges, strict=True)
        ]
        lines.append(words["coverage"].format(schedule=name, spans=", ".join(told)))
    return lines or [words["no_schedule"]]
