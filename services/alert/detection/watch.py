"""The second door: watch rules that a team wrote down. One mention is enough, on the instant, without history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.alert.detection.observations import HarmfulRates, Observation
from services.alert.detection.state import MOST_RINGS, BrandState, EventKind, Reason, Rung
from services.alert.detection.voices import shorten
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.detection import DetectionSettings, WatchRuleSettings

OLDEST = timedelta(hours=24)
"""A rule looks at mentions up to this old."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A mention that made a rule ring."""

    rule: WatchRuleSettings
    mention_id: str
    reason: Reason


def rules_of(settings: DetectionSettings, brand: str) -> list[WatchRuleSettings]:
    """The watch rules that look at a brand."""
    return [rule for rule in settings.watch if not rule.brands or brand in rule.brands]


def rings(
    observation: Observation,
    outlet: str | None,
    now: datetime,
    rules: Sequence[WatchRuleSettings],
    rates: HarmfulRates | None = None,
) -> list[Ring]:
    """Those of its brand's rules that this mention makes ring at `now`; `outlet` as the source named it.

    What is the brand's own, not about the brand (by the threshold of `rates`), older than 24 h or dated ahead of `now` by an hour
    rings nothing.
    """
    age = now - observation.at
    about = observation.counted if rates is None else observation.counts(rates)
    if not about or not -timedelta(hours=1) <= age <= OLDEST:
        return []
    found = []
    for rule in rules:
        reason = _matches(rule, observation, outlet)
        if reason is not None:
            found.append(Ring(rule, observation.mention_id, reason))
    return found


def _matches(rule: WatchRuleSettings, observation: Observation, outlet: str | None) -> Reason | None:
    """Why a rule rings; all the conditions that it has must be met."""
    french, english = [], []
    name = observation.author_name or observation.author or "?"
    if rule.authors:
        keys = {observation.author, observation.author_name, (observation.author or "").partition(":")[2]}
        folded = {key.casefold().removeprefix("@") for key in keys if key}
        if not folded.intersection(author.casefold().removeprefix("@") for author in rule.authors):
            return None
        french.append(f"{name} est sur la liste")
        english.append(f"{name} is on the list")
    if rule.outlets:
        if outlet is None or outlet.casefold() not in {item.casefold() for item in rule.outlets}:
            return None
        french.append(f"publié par {outlet}")
        english.append(f"published by {outlet}")
    if rule.kinds:
        kinds = [kind.value for kind in observation.kinds if kind in rule.kinds]
        if not kinds:
            return None
        french.append(f"risque : {', '.join(kinds)}")
        english.append(f"risk: {', '.join(kinds)}")
    if rule.risk is not None:
        if observation.risk < rule.risk:
            return None
        french.append(f"risque {observation.risk:.2f}, seuil {rule.risk:.2f}")
        english.append(f"risk {observation.risk:.2f}, limit {rule.risk:.2f}")
    if rule.reach is not None:
        # A source that gives no followers cannot meet a condition on them.
        if observation.followers is None or observation.followers < rule.reach:
            return None
        french.append(f"{observation.followers} abonnés, seuil {rule.reach}")
        english.append(f"{observation.followers} followers, limit {rule.reach}")
    said_fr = f" ; « {shorten(observation.text)} »" if observation.text else ""
    said_en = f"; “{shorten(observation.text)}”" if observation.text else ""
    return Reason(
        fr=f"Règle {rule.id} : {' ; '.join(french)}{said_fr}.", en=f"Rule {rule.id}: {'; '.join(english)}{said_en}."
    )


def next_rung(before: Rung | None, found: Sequence[Ring], now: datetime, settings: DetectionSettings) -> Rung:
    """What is remembered after these rings; those before count on while they still hold."""
    held = before if before is not None and now < before.until else None
    highest = max(found, key=lambda ring: Level(ring.rule.level))
    mentions = dict.fromkeys((*(held.mentions if held else ()), *(ring.mention_id for ring in found)))
    return Rung(
        level=max(Level(highest.rule.level), held.level if held else Level.GREEN),
        at=held.at if held else now,
        until=now + settings.watch_holds,
        rules=tuple(dict.fromkeys((*(held.rules if held else ()), *(ring.rule.id for ring in found)))),
        mentions=tuple(mentions)[-MOST_RINGS:],
        rings=(held.rings if held else 0) + len({ring.mention_id for ring in found}),
        french=highest.reason.fr,
        english=highest.reason.en,
    )


def after_ring(state: BrandState, rung: Rung, now: datetime) -> tuple[BrandState, EventKind | None]:
    """The brand's state once the rules have rung, and what happened to its level; between two evaluations."""
    level = max(state.level, rung.level)
    changes: dict[str, object] = {"rung": rung, "level": level, "calm_since": None, "pending_since": None}
    if level != state.level:
        changes["since"] = now
    if not state.level.serious:
        changes["serious_since"] = now
    event = None
    if level > state.level:
        event = EventKind.RAISED if state.level > Level.GREEN else EventKind.OPENED
    return state.model_copy(update=changes), event


def decided_by_rules(rung: Rung) -> dict[str, Any]:
    """Evidence: that rules decided, and what would have kept them silent."""
    return {
        "threshold": f"watch[{', '.join(rung.rules)}]",
        "value": rung.rings,
        "limit": 1,
        "silent_with": "no mention that meets the rule",
        "silent_with_fr": "aucune mention qui remplisse la règle",
    }


def rung_evidence(rung: Rung) -> dict[str, Any]:
    """Evidence: which rules rang, for which mentions, and how long they hold the level."""
    return rung.model_dump(mode="json", exclude={"french", "english"})


def ring_counts(
    observations: Iterable[tuple[Observation, str | None]], rules: Sequence[WatchRuleSettings]
) -> dict[str, int]:
    """How often each rule would have rung, each mention judged at its own time, with its outlet."""
    counts = {rule.id: 0 for rule in rules}
    for observation, outlet in observations:
        for ring in rings(observation, outlet, observation.at, rules):
            counts[ring.rule.id] += 1
    return counts
