"""How often each watch rule would have rung over mentions of the past, and what it lacks where it never could."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.alert.detection.observations import HarmfulRates, Observation
from services.alert.detection.watch import rings, rules_of
from tocsin.contracts.settings.detection import DetectionSettings, WatchRuleSettings

WEEK = timedelta(days=7)
NOISY = 1.0
"""Rings a week from above which a rule is noisy: who is called more often for the same reason stops looking."""
SHOWN = 3
"""So many of the latest rings are told."""
_MOST_NAMES = 1000


@dataclass
class BrandRings:
    """The rings of one rule for one brand."""

    rings: int = 0
    alarms: int = 0
    """Those that began an alarm: no earlier ring of the rule still held the level."""
    latest: tuple[datetime, ...] = ()
    """The last `SHOWN`, the newest last."""


@dataclass
class RuleRings:
    """What one rule would have done."""

    rule: WatchRuleSettings
    brands: dict[str, BrandRings] = field(default_factory=dict)
    seen: int = 0
    """Mentions of its brands."""
    met: dict[str, int] = field(default_factory=dict)
    """How many of them meet each of its conditions by itself, by the condition's name in `tocsin.yaml`."""

    @property
    def rings(self) -> int:
        """In all brands."""
        return sum(item.rings for item in self.brands.values())

    def a_week(self, looked_at: timedelta) -> float:
        """Rings a week over so much history; less than a week of it counts as one."""
        return self.rings / (max(looked_at, WEEK) / WEEK)

    def never_met(self) -> list[str]:
        """The conditions that no mention meets: the rule could not ring, whatever the others say."""
        return [name for name, count in self.met.items() if count == 0]


class RuleHistory:
    """Looks at mentions of the past one by one, each at its own time; by brand, in the order in which they were published."""

    def __init__(self, settings: DetectionSettings, rates: HarmfulRates) -> None:
        self.rules = {rule.id: RuleRings(rule, met=dict.fromkeys(_conditions(rule), 0)) for rule in settings.watch}
        self.outlets: dict[str, int] = {}
        """Mentions by outlet, as far as they are that many."""
        self.highest_risk = 0.0
        self.most_followers: int | None = None
        self._settings = settings
        self._rates = rates
        self._conditions = {rule.id: list(_conditions(rule).items()) for rule in settings.watch}
        self._of_brand: dict[str, list[WatchRuleSettings]] = {}

    def look(self, brand: str, observation: Observation, outlet: str | None) -> None:
        """Take in a mention of `brand`; its author is named as watch rules name one."""
        if not observation.counts(self._rates):
            return
        self._remember(observation, outlet)
        rules = self._of_brand.get(brand)
        if rules is None:
            rules = self._of_brand[brand] = rules_of(self._settings, brand)
        for rule in rules:
            told = self.rules[rule.id]
            told.seen += 1
            for name, alone in self._conditions[rule.id]:
                if rings(observation, outlet, observation.at, (alone,), self._rates):
                    told.met[name] += 1
            if rings(observation, outlet, observation.at, (rule,), self._rates):
                self._rang(told.brands.setdefault(brand, BrandRings()), observation.at)

    def _rang(self, found: BrandRings, at: datetime) -> None:
        found.rings += 1
        # A ring while the level is held joins the incident that is open and holds it longer.
        if not found.latest or at - found.latest[-1] >= self._settings.watch_holds:
            found.alarms += 1
        found.latest = (*found.latest, at)[-SHOWN:]

    def _remember(self, observation: Observation, outlet: str | None) -> None:
        self.highest_risk = max(self.highest_risk, observation.risk)
        if observation.followers is not None:
            self.most_followers = max(self.most_followers or 0, observation.followers)
        if outlet is not None and (outlet in self.outlets or len(self.outlets) < _MOST_NAMES):
            self.outlets[outlet] = self.outlets.get(outlet, 0) + 1

    def main_outlets(self) -> Sequence[str]:
        """Those of most mentions."""
        return sorted(self.outlets, key=lambda name: (-self.outlets[name], name))[:5]


def _conditions(rule: WatchRuleSettings) -> Mapping[str, WatchRuleSettings]:
    """Each condition of a rule as a rule of its own."""
    nothing: dict[str, object] = {"authors": (), "outlets": (), "kinds": (), "risk": None, "reach": None}
    alone = {}
    for name, none in nothing.items():
        value = getattr(rule, name)
        if value != none:
            alone[name] = rule.model_copy(update={**nothing, name: value})
    return alone
