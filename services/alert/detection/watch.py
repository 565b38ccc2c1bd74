"""The second door: watch rules that a team wrote down. One mention is enough, on the instant, without history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alert.detection.observations import Observation
from services.alert.detection.state import Reason
from tocsin.contracts.settings.detection import WatchRuleSettings

OLDEST = timedelta(hours=24)
"""A rule looks at mentions up to this old."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A mention that made a rule ring."""

    rule: str
    mention_id: str
    reason: Reason


def rings(
    observation: Observation, outlet: str | None, now: datetime, rules: Sequence[WatchRuleSettings]
) -> list[Ring]:
    """The rules of its brand that this mention makes ring at `now`; `outlet` as the source named it.

    What is the brand's own, older than 24 h or dated ahead of `now` by an hour rings nothing.
    """
    age = now - observation.at
    if not observation.counted or not -timedelta(hours=1) <= age <= OLDEST:
        return []
    found = []
    for rule in rules:
        reason = _matches(rule, observation, outlet)
        if reason is not None:
            found.append(Ring(rule.id, observation.mention_id, reason))
    return found


def _matches(rule: WatchRuleSettings, observation: Observation, outlet: str | None) -> Reason | None:
    """Why a rule rings; all the conditions that it has must be met."""
    french, english = [], []
    name = observation.author_name or observation.author or "?"
    if rule.authors:
        keys = {observation.author, observation.author_name, (observation.author or "").partition(":")[2]}
        if not keys.intersection(rule.authors):
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
        french.append(f"{observation.followers} abonnés")
        english.append(f"{observation.followers} followers")
    return Reason(fr=f"Règle {rule.id} : {' ; '.join(french)}.", en=f"Rule {rule.id}: {'; '.join(english)}.")


def ring_counts(
    observations: Iterable[tuple[Observation, str | None]], rules: Sequence[WatchRuleSettings]
) -> dict[str, int]:
    """How often each rule would have rung, each mention judged at its own time, with its outlet."""
    counts = {rule.id: 0 for rule in rules}
    for observation, outlet in observations:
        for ring in rings(observation, outlet, observation.at, rules):
            counts[ring.rule] += 1
    return counts
