"""What people set at run time, laid over what `tocsin.yaml` says: pure, and the same in every process.

A setting that does not fit the file any more (its brand was taken out, say) is left out with a reason, and stops nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tocsin.config import Configuration
from tocsin.contracts.queries import parse_query
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.contracts.settings.detection import DetectionSettings, PlannedSettings, WatchRuleSettings
from tocsin.contracts.settings.run_time import (
    FurtherCrisisWords,
    FurtherExclusion,
    FurtherQuery,
    FurtherWatchRule,
    PlannedCampaign,
    RunTimeSetting,
)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A setting that is not applied, and why."""

    setting: RunTimeSetting
    why: str


@dataclass(frozen=True, slots=True)
class Overlay:
    """The configuration with what is in force beside it."""

    configuration: Configuration
    """As `tocsin.yaml`, but queries, exclusions, watch rules and planned campaigns of run time are in it."""
    left_out: tuple[LeftOut, ...] = ()
    by_brand: Mapping[str, DetectionSettings] = field(default_factory=dict)

    def detection(self, brand: str) -> DetectionSettings:
        """What detection is set to for a brand; crisis words that were set at run time are of one brand alone."""
        return self.by_brand.get(brand, self.configuration.detection)


def overlaid(configuration: Configuration, settings: Iterable[RunTimeSetting], now: datetime) -> Overlay:
    """`configuration` with those of `settings` that are in force at `now`, in their order."""
    queries: dict[str, list[str]] = defaultdict(list)
    exclusions: dict[str, list[str]] = defaultdict(list)
    words: dict[str, list[str]] = defaultdict(list)
    rules: list[WatchRuleSettings] = []
    planned: list[PlannedSettings] = []
    left_out: list[LeftOut] = []
    known = {brand.id for brand in configuration.brands}
    for setting in settings:
        value, brand = setting.value, setting.brand
        if brand not in known:
            why = f"there is no brand {brand!r} in the configuration; write it in again, or withdraw the setting"
            left_out.append(LeftOut(setting, why))
        elif isinstance(value, PlannedCampaign):
            # With its own beginning and end: an instant may be judged that is past already.
            planned.append(value.planned(brand, setting.begins, setting.ends))
        elif not setting.in_force(now):
            continue
        elif isinstance(value, FurtherQuery):
            queries[brand].append(value.terms)
        elif isinstance(value, FurtherExclusion):
            exclusions[brand].append(value.terms)
        elif isinstance(value, FurtherCrisisWords):
            words[brand] += value.words
        elif isinstance(value, FurtherWatchRule):
            rules.append(value.rule(setting.rule_id, brand))
    detection = configuration.detection
    if rules or planned:
        detection = detection.model_copy(
            update={"watch": (*detection.watch, *rules), "planned": (*detection.planned, *planned)}
        )
    changed = configuration
    if queries or exclusions or detection is not configuration.detection:
        brands = tuple(
            extended(brand, queries.get(brand.id, ()), exclusions.get(brand.id, ())) for brand in configuration.brands
        )
        changed = configuration.model_copy(update={"brands": brands, "detection": detection})
    by_brand = {
        brand: detection.model_copy(update={"crisis_words": tuple(dict.fromkeys((*detection.crisis_words, *further)))})
        for brand, further in words.items()
    }
    return Overlay(changed, tuple(left_out), by_brand)


def extended(brand: BrandSettings, queries: Sequence[str] = (), exclusions: Sequence[str] = ()) -> BrandSettings:
    """The brand with further queries and exclusions; the same object where there are none."""
    changes: dict[str, object] = {}
    if queries and (brand.query is not None or not brand.names):
        changes["query"] = " OR ".join((*([brand.query] if brand.query else []), *queries))
    elif queries:
        # Each name is a term where no query is written, so further terms are further names; the first one stays the brand's.
        terms = [term.sigil + term.words for query in queries for term in parse_query(query)]
        changes["names"] = tuple(dict.fromkeys((*brand.names, *terms)))
    if exclusions:
        changes["exclude"] = " OR ".join((*([brand.exclude] if brand.exclude else []), *exclusions))
    return brand.model_copy(update=changes) if changes else brand
