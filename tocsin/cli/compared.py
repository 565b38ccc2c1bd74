"""What other settings would have made of the past: told as a table for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tocsin.cli.language import Language
from tocsin.cli.plot import shown
from tocsin.storage.past import PastIncident

if TYPE_CHECKING:
    from services.alert.detection.comparison import Alert, Compared

_BESIDE = timedelta(minutes=15)
"""An incident is opened when its alert begins, give or take what a late evaluation takes."""
_MOST_LETTERS = 200

_WORDS = {
    "head": (
        "{brand}: {present} under {present_name}, {other} under {other_name}",
        "{brand} : {present} avec {present_name}, {other} avec {other_name}",
    ),
    "one_alert": ("{number} alert", "{number} alerte"),
    "alerts": ("{number} alerts", "{number} alertes"),
    "appears": ("appears", "apparaît"),
    "vanishes": ("vanishes", "disparaît"),
    "level": ("changes level: {before} → {after}", "change de niveau : {before} → {after}"),
    "earlier": ("earlier by {by}", "plus tôt de {by}"),
    "later": ("later by {by}", "plus tard de {by}"),
    "stages": ("rises at other times", "monte à d'autres moments"),
    "same": ("stays", "reste"),
    "until": ("{begin} to {end} UTC", "du {begin} au {end} UTC"),
    "lasting": ("{begin} UTC, still on at the end", "{begin} UTC, encore en cours à la fin"),
    "incident": (
        "really opened: incident {id} at {at} UTC, {level}",
        "réellement ouvert : incident {id} à {at} UTC, {level}",
    ),
    "no_incident": ("no incident was opened then", "aucun incident n'a été ouvert alors"),
    "unexplained": (
        "incident {id} of {at} UTC ({level}) was opened by hand, or under the settings of then: neither finds it",
        "l'incident {id} du {at} UTC ({level}) a été ouvert à la main, ou avec les réglages d'alors : aucun des deux ne le trouve",
    ),
    "notices": (
        "yellow notices, which wake nobody: {same} stay, {changed} change, {appears} appear, {vanishes} vanish",
        "avis jaunes, sans réveiller personne : {same} restent, {changed} changent, {appears} apparaissent, {vanishes} disparaissent",
    ),
    "only": (
        "{brand} is configured only in {name}; under the other it is judged as a brand without configuration, in UTC",
        "{brand} n'est configurée que dans {name} ; avec l'autre, elle est jugée comme une marque sans configuration, en UTC",
    ),
    "total": (
        "in all: {appears} appear, {vanishes} vanish, {level} change level, {time} change time, {same} stay",
        "en tout : {appears} apparaissent, {vanishes} disparaissent, {level} changent de niveau, {time} d'heure, {same} restent",
    ),
    "green": ("green", "vert"),
    "yellow": ("yellow", "jaune"),
    "orange": ("orange", "orange"),
    "red": ("red", "rouge"),
}


@dataclass(frozen=True, slots=True)
class BrandCompared:
    """One brand under two settings."""

    brand: str
    compared: Sequence[Compared]
    incidents: Sequence[PastIncident] | None
    """What was really opened; None where nothing is known about that (a file)."""
    only_in: str | None = None
    """The one of the two files that has this brand, where only one has."""

    def beside(self, item: Compared) -> list[PastIncident]:
        """The incidents that were opened while an alert held, under either settings."""
        return [
            incident
            for incident in self.incidents or ()
            if any(_held(alert, incident.opened_at) for alert in item.sides)
        ]

    def unexplained(self) -> list[PastIncident]:
        """The incidents that no alert of either side stands beside."""
        found = {incident.id for item in self.compared for incident in self.beside(item)}
        return [incident for incident in self.incidents or () if incident.id not in found]


def _held(alert: Alert, at: datetime) -> bool:
    return alert.began - _BESIDE <= at and (alert.until is None or at <= alert.until + _BESIDE)


def lines_of(brands: Sequence[BrandCompared], names: tuple[str, str], language: Language) -> Iterator[str]:
    """The comparison as lines of text; `names` are those of the present and of the other file."""
    from services.alert.detection.comparison import counted

    def say(key: str, **values: object) -> str:
        english, french = _WORDS[key]
        return (french if language is Language.FRENCH else english).format(**values)

    for item in brands:
        alerts = [pair for pair in item.compared if pair.serious]
        sides = [[getattr(pair, side) for pair in item.compared] for side in ("present", "other")]
        # French counts none in the singular.
        singular = (0, 1) if language is Language.FRENCH else (1,)
        numbers = [sum(alert is not None and alert.serious for alert in side) for side in sides]
        present, other = (say("one_alert" if number in singular else "alerts", number=number) for number in numbers)
        yield say(
            "head", brand=shown(item.brand), present=present, other=other, present_name=names[0], other_name=names[1]
        )
        if item.only_in is not None:
            yield "  " + say("only", brand=shown(item.brand), name=item.only_in)
        for pair in alerts:
            yield from _told(pair, item, say, language)
        for incident in item.unexplained():
            yield "  " + say("unexplained", id=incident.id, at=_minute(incident.opened_at), level=say(incident.level))
        notices = dict(counted(pair for pair in item.compared if not pair.serious))
        if any(notices.values()):
            changed = notices.pop("level", 0) + notices.pop("time", 0)  # type: ignore[call-overload]
            yield "  " + say("notices", changed=changed, **{str(change): number for change, number in notices.items()})
        yield ""
    total = counted(pair for item in brands for pair in item.compared if pair.serious)
    yield say("total", **{str(change): number for change, number in total})


def _told(pair: Compared, item: BrandCompared, say: Any, language: Language) -> Iterator[str]:
    alert = pair.either
    if alert.until is None:
        span = say("lasting", begin=_minute(alert.began))
    else:
        span = say("until", begin=_minute(alert.began), end=_minute(alert.until))
    yield f"  {span}  {say(alert.highest.level)}  {_what(pair, say)}"
    reasons = alert.highest.reasons
    if reasons:
        sentence = shown(reasons[0].fr if language is Language.FRENCH else reasons[0].en)
        yield "    " + (sentence if len(sentence) <= _MOST_LETTERS else sentence[: _MOST_LETTERS - 1].rstrip() + "…")
    if item.incidents is None:
        return
    beside = item.beside(pair)
    for incident in beside:
        yield "    " + say("incident", id=incident.id, at=_minute(incident.opened_at), level=say(incident.level))
    if not beside:
        yield "    " + say("no_incident")


def _what(pair: Compared, say: Any) -> str:
    if pair.present is None or pair.other is None or pair.change.value == "same":
        return str(say(pair.change.value))
    before, after = pair.present.highest, pair.other.highest
    told = []
    if before.level != after.level:
        told.append(say("level", before=say(before.level), after=say(after.level)))
    moved = pair.other.began - pair.present.began
    if before.level == after.level and not moved:
        moved = after.at - before.at
    if moved:
        told.append(say("later" if moved > timedelta(0) else "earlier", by=_length(abs(moved))))
    return ", ".join(told) or str(say("stages"))


def json_of(
    brands: Sequence[BrandCompared],
    names: tuple[str, str],
    until: datetime | None,
    counts: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """The comparison as one JSON value; `counts` are numbers to tell of each brand."""
    from services.alert.detection.comparison import counted

    return {
        "present": names[0],
        "other": names[1],
        "until": None if until is None else until.isoformat(),
        "totals": {
            str(change): number for change, number in counted(p for b in brands for p in b.compared if p.serious)
        },
        "brands": [
            {
                "brand": item.brand,
                **counts.get(item.brand, {}),
                "only_in": item.only_in,
                "alerts": [
                    {
                        "change": str(pair.change),
                        "serious": pair.serious,
                        "present": _alert_json(pair.present),
                        "other": _alert_json(pair.other),
                        "incidents": None
                        if item.incidents is None
                        else [_incident_json(one) for one in item.beside(pair)],
                    }
                    for pair in item.compared
                ],
                "other_incidents": None
                if item.incidents is None
                else [_incident_json(one) for one in item.unexplained()],
            }
            for item in brands
        ],
    }


def _alert_json(alert: Alert | None) -> dict[str, Any] | None:
    if alert is None:
        return None
    return {
        "level": alert.highest.level.value,
        "at": alert.highest.at.isoformat(),
        "until": None if alert.until is None else alert.until.isoformat(),
        "begun": [
            {
                "level": begun.level.value,
                "at": begun.at.isoformat(),
                "reasons": [reason.en for reason in begun.reasons],
                "reasons_fr": [reason.fr for reason in begun.reasons],
            }
            for begun in alert.begun
        ],
    }


def _incident_json(incident: PastIncident) -> dict[str, Any]:
    return {"id": str(incident.id), "opened_at": incident.opened_at.isoformat(), "level": incident.level.value}


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _length(length: timedelta) -> str:
    minutes = round(length / timedelta(minutes=1))
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes:02} min" if minutes else f"{hours} h"
