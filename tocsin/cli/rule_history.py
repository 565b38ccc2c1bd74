"""`tocsin check --history`: how often each watch rule would have rung over what the database holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tocsin.cli.failure import CommandFailed
from tocsin.cli.language import Language
from tocsin.cli.networks import rates_of_network
from tocsin.cli.plot import shown
from tocsin.config import Configuration
from tocsin.storage import past
from tocsin.storage.database import Database

if TYPE_CHECKING:
    from services.alert.detection.rule_history import RuleHistory, RuleRings

_WORDS = {
    "head": (
        "watch rules over the mentions of {begin} to {end} UTC ({mentions} of {brands} brands):",
        "règles de veille sur les mentions du {begin} au {end} UTC ({mentions}, {brands} marques) :",
    ),
    "none": (
        "there are no watch rules to look at; they are written under detection.watch",
        "aucune règle de veille à examiner ; elles s'écrivent sous detection.watch",
    ),
    "rang": ("{rule}: would have rung {rings}, {a_week} a week", "{rule} : aurait sonné {rings}, {a_week} par semaine"),
    "noisy": (
        "NOISY: more than once a week; ask for more (reach, risk, fewer kinds), or expect to be called that often",
        "BRUYANTE : plus d'une fois par semaine ; demandez davantage (reach, risk, moins de kinds), ou acceptez autant d'appels",
    ),
    "brand": (
        "{brand}: {rings}, beginning {alarms}; last at {latest} UTC",
        "{brand} : {rings}, dont {alarms} ; en dernier à {latest} UTC",
    ),
    "time": ("once", "une fois"),
    "times": ("{number} times", "{number} fois"),
    "alarm": ("1 alarm", "1 début d'alarme"),
    "alarms": ("{number} alarms", "{number} débuts d'alarme"),
    "silent": ("{rule}: would not have rung", "{rule} : n'aurait pas sonné"),
    "apart": (
        "each of its conditions is met by some mentions, but no mention meets them all",
        "chacune de ses conditions est remplie par des mentions, mais aucune ne les remplit toutes",
    ),
    "no_mention": (
        "could not ring: there is no mention of its brands ({brands})",
        "ne pouvait pas sonner : aucune mention de ses marques ({brands})",
    ),
    "all_brands": ("all", "toutes"),
    "authors": (
        "could not ring: no mention is by {values}; names of people who are not listed yet are kept apart, so list ids as well",
        "ne pouvait pas sonner : aucune mention de {values} ; les noms des personnes pas encore listées sont gardés à part, "
        "listez aussi leurs identifiants",
    ),
    "outlets": (
        "could not ring: no mention is from {values} (there are: {seen})",
        "ne pouvait pas sonner : aucune mention de {values} (il y a : {seen})",
    ),
    "kinds": (
        "could not ring: no mention is of the kind {values}",
        "ne pouvait pas sonner : aucune mention du type {values}",
    ),
    "risk": (
        "could not ring: no mention has a risk of {values} or more; the highest is {seen}",
        "ne pouvait pas sonner : aucune mention d'un risque de {values} ou plus ; le plus haut est {seen}",
    ),
    "reach": (
        "could not ring: no author has {values} followers or more; the most is {seen}",
        "ne pouvait pas sonner : aucun auteur n'a {values} abonnés ou plus ; le maximum est {seen}",
    ),
    "no_reach": (
        "could not ring: no source gives the followers that reach asks for",
        "ne pouvait pas sonner : aucune source ne donne les abonnés que demande reach",
    ),
    "nothing": ("none", "aucun"),
    "incidents": (
        "really opened then: {brand}: {orange} orange, {red} red",
        "réellement ouverts alors : {brand} : {orange} orange, {red} rouges",
    ),
}


@dataclass(frozen=True, slots=True)
class Looked:
    """The history that was looked at."""

    history: RuleHistory
    begin: datetime
    """The first mention, or where the days asked for begin."""
    end: datetime
    mentions: int
    brands: int
    incidents: tuple[tuple[str, int, int], ...]
    """(brand, orange, red) of what was really opened."""


def look_back(configuration: Configuration, database: Database, now: datetime, days: int) -> Looked:
    """Every stored mention of the last `days`, imported ones too, through every watch rule.

    Raises CommandFailed where there is no mention in them.
    """
    from services.alert.detection.rule_history import RuleHistory
    from services.alert.looking_back import author_of, observed

    since = now - timedelta(days=days)
    history = RuleHistory(configuration.detection, rates_of_network(configuration.classifier))
    mentions, first, brands = 0, now, set()
    with database.read() as session:
        known = past.brands_with_mentions(session)
        newest = past.last_published(session)
    for brand in known:
        with database.read() as session:
            for row in past.published(session, brand, since=since):
                mentions, first = mentions + 1, min(first, row.at)
                brands.add(brand)
                history.look(brand, replace(observed(row), author=author_of(row)), row.outlet)
    if not mentions:
        told = "" if newest is None else f"; the newest is of {newest:%Y-%m-%d}, so give more days"
        raise CommandFailed(
            f"--history: the database holds no mention of the last {days} days{told or '; let some come in, or use tocsin import'}"
        )
    with database.read() as session:
        opened = [item for item in past.opened_incidents(session, known) if item.opened_at >= since]
    levels: list[tuple[str, int, int]] = []
    for brand in sorted({item.brand for item in opened}):
        reached = [item.level.value for item in opened if item.brand == brand]
        levels.append((brand, reached.count("orange"), reached.count("red")))
    return Looked(history, first, now, mentions, len(brands), tuple(levels))


def lines_of(looked: Looked, language: Language) -> Iterator[str]:
    """What each rule would have done, in lines of text."""

    def say(key: str, **values: object) -> str:
        english, french = _WORDS[key]
        return (french if language is Language.FRENCH else english).format(**values)

    history = looked.history
    if not history.rules:
        yield say("none")
        return
    yield say("head", begin=_day(looked.begin), end=_day(looked.end), mentions=looked.mentions, brands=looked.brands)
    for told in history.rules.values():
        yield from _rule(told, looked, say)
    for brand, orange, red in looked.incidents:
        yield "  " + say("incidents", brand=shown(brand), orange=orange, red=red)


def _rule(told: RuleRings, looked: Looked, say: Any) -> Iterator[str]:
    from services.alert.detection.rule_history import NOISY

    rule = told.rule
    if not told.rings:
        yield "  " + say("silent", rule=rule.id)
        if not told.seen:
            yield "    " + say("no_mention", brands=", ".join(rule.brands) or say("all_brands"))
            return
        lacking = told.never_met()
        for name in lacking:
            yield "    " + _lacks(name, told, looked.history, say)
        if not lacking:
            yield "    " + say("apart")
        return
    a_week = told.a_week(looked.end - looked.begin)
    yield "  " + say("rang", rule=rule.id, rings=_times(told.rings, say), a_week=f"{a_week:.1f}")
    if a_week > NOISY:
        yield "    " + say("noisy")
    for brand, found in sorted(told.brands.items()):
        alarms = say("alarm") if found.alarms == 1 else say("alarms", number=found.alarms)
        latest = ", ".join(f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" for at in reversed(found.latest))
        yield "    " + say("brand", brand=shown(brand), rings=_times(found.rings, say), alarms=alarms, latest=latest)


def _lacks(name: str, told: RuleRings, history: RuleHistory, say: Any) -> str:
    value = getattr(told.rule, name)
    values = ", ".join(map(str, value)) if isinstance(value, tuple) else value
    seen: object = ""
    if name == "outlets":
        seen = shown(", ".join(history.main_outlets())) or say("nothing")
    elif name == "risk":
        seen = f"{history.highest_risk:.2f}"
    elif name == "reach":
        if history.most_followers is None:
            return str(say("no_reach"))
        seen = history.most_followers
    return str(say(name, values=values, seen=seen))


def _times(number: int, say: Any) -> str:
    return str(say("time") if number == 1 else say("times", number=number))


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"
