"""Which threshold decided, what it was measured at, and what would have kept it silent: JSON values for the evidence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import ceil
from typing import Any

from services.alert.detection.baseline import Expected
from services.alert.detection.cold import COLD_CALM, COLD_NOTICE
from services.alert.detection.findings import Findings
from services.alert.detection.measures import WindowMeasure, heard_windows, least_crisis_authors
from services.alert.detection.observations import HOUR
from services.alert.detection.phrases import french_duration
from services.alert.detection.sentences import silence_leads
from services.alert.detection.state import BrandState
from services.alert.detection.surprise import count_surprise, surprise_of
from services.alert.detection.watch import decided_by_rules
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.base import format_duration
from tocsin.contracts.settings.detection import DetectionSettings

Decided = Mapping[str, Any]


def decided_by(findings: Findings, state: BrandState, instant: datetime, settings: DetectionSettings) -> Decided:
    """The threshold that decided; empty where nothing was compared with one. `held` in it: it keeps a level up that rose before."""
    if findings.rung is not None and not findings.signals.passes:
        return decided_by_rules(findings.rung)
    if silence_leads(findings, state):
        return _by_silence(state, settings)
    if is_held(findings, state):
        return _by_holding(findings, state, instant, settings)
    noticed_only = findings.growth and not (findings.signals.passes or findings.noticed)
    if noticed_only or findings.decided_by == "engagement.serious_gain":
        return _by_engagement(findings, settings)
    if findings.cold:
        return _by_cold(findings)
    return {} if findings.deciding is None else _by_window(findings, findings.deciding, settings)


def _told(
    threshold: str, value: float, limit: float, *, or_else: tuple[str, str] | None = None, **more: object
) -> dict[str, Any]:
    """`or_else`: what else would have kept it silent, beside a higher limit; in English and in French."""
    silent, silent_fr = f"a limit above {value:.2f}", f"une limite au-dessus de {value:.2f}".replace(".", ",")
    if or_else is not None:
        silent, silent_fr = f"{silent}, or {or_else[0]}", f"{silent_fr}, ou {or_else[1]}"
    return {
        "threshold": threshold,
        **more,
        "value": round(value, 2),
        "limit": limit,
        "silent_with": silent,
        "silent_with_fr": silent_fr,
    }


def _by_engagement(findings: Findings, settings: DetectionSettings) -> Decided:
    post, limits = findings.growth[0], settings.engagement
    plain, usual = ("serious_gain", "serious_times_usual") if post.serious else ("gain", "times_usual")
    return {
        "threshold": f"engagement.{plain if post.limit <= getattr(limits, plain) else usual}",
        "value": post.reactions,
        "limit": round(post.limit),
        "silent_with": f"fewer than {post.limit:.0f} reactions",
        "silent_with_fr": f"moins de {post.limit:.0f} réactions",
    }


def _by_silence(state: BrandState, settings: DetectionSettings) -> Decided:
    item, limit = state.silent[-1], settings.silence.surprise
    # Who was found silent by an earlier version has no number.
    value = limit if item.surprise is None else item.surprise
    return _told(
        "silence.surprise", value, limit, or_else=(f"one mention from {item.source}", f"une mention de {item.source}")
    )


def _by_cold(findings: Findings) -> Decided:
    if findings.cold_count is None:
        return {}
    limit = findings.cold_limit
    if findings.noticed and not findings.signals.passes:
        limit *= COLD_NOTICE
    return {
        "threshold": findings.decided_by,
        "value": findings.cold_count.distinct_harmful,
        "limit": round(limit, 1),
        "silent_with": f"fewer than {ceil(limit)} harmful authors in the hour",
        "silent_with_fr": f"moins de {ceil(limit)} auteurs nuisibles dans l'heure",
    }


def is_held(findings: Findings, state: BrandState) -> bool:
    """Whether the level is one that rose before and that nothing of this evaluation would have raised."""
    signals = findings.signals
    return state.level is not Level.GREEN and not signals.passes and (state.level.serious or not signals.notice)


def _by_holding(findings: Findings, state: BrandState, instant: datetime, settings: DetectionSettings) -> Decided:
    """What keeps the level up: something that is not calm again, or that calm has not lasted yet."""
    if state.calm_since is not None:
        calm, lasts = instant - state.calm_since, settings.levels.falls_after
        return {
            "threshold": "levels.falls_after",
            "held": True,
            "value": round(calm / HOUR, 2),
            "limit": round(lasts / HOUR, 2),
            "silent_with": f"a limit of at most {calm / HOUR:.2f} hours of calm",
            "silent_with_fr": f"une limite d'au plus {calm / HOUR:.2f} heures de calme".replace(".", ","),
        }
    if findings.cold and findings.cold_count is not None:
        limit = findings.cold_limit * COLD_CALM
        return {
            "threshold": findings.decided_by,
            "held": True,
            "value": findings.cold_count.distinct_harmful,
            "limit": round(limit, 1),
            "silent_with": f"fewer than {ceil(limit)} harmful authors in the hour",
            "silent_with_fr": f"moins de {ceil(limit)} auteurs nuisibles dans l'heure",
        }
    heard = heard_windows(findings.measures, state)
    if not heard:
        return {}
    value = max(max(item.harmful_surprise, item.crisis_surprise) for item in heard)
    if value < settings.gate.closes_below:
        return {}  # it has just fallen, to a level that was still due while it was calm
    return _told("gate.closes_below", value, settings.gate.closes_below, held=True)


def _by_window(findings: Findings, item: WindowMeasure, settings: DetectionSettings) -> Decided:
    length, french = format_duration(item.settings.length), french_duration(item.settings.length)
    limit = item.settings.surprise
    if findings.decided_by == "levels.never_buzz_kinds":
        limit = settings.levels.grave_surprise
        most = _most(item.authors_expected, item.count.authors, limit)
        fewer = (f"at most {most} authors in {length}", f"au plus {most} auteurs en {french}")
        return _told(findings.decided_by, item.volume_surprise, limit, or_else=fewer, surprise="levels.grave_surprise")
    also = _others(findings, item, settings)
    name = f"gate.windows[{length}].surprise"
    if findings.decided_by == "gate.crisis_authors":
        least = least_crisis_authors(item.authors_expected, settings)
        most = max(least - 1, _most(item.crisis_expected, item.count.crisis, limit))
        fewer = (
            f"at most {most} authors with crisis words in {length}",
            f"au plus {most} auteurs avec des mots de crise en {french}",
        )
        return _told(name, item.crisis_surprise, limit, or_else=fewer, at_once=findings.decided_by, also=also)
    value, least = item.harmful_surprise, settings.gate.harmful_authors
    surprise = limit
    if findings.noticed and not findings.signals.passes:
        # A notice looks at z, which is the same surprise on another scale.
        name, value, limit = "levels.yellow_z", item.z, settings.levels.yellow_z
        least, surprise = settings.levels.yellow_authors, surprise_of(limit)
    most = max(least - 1, _most(item.harmful_expected, item.count.observed_harmful, surprise))
    fewer = (f"at most {most} harmful authors in {length}", f"au plus {most} auteurs nuisibles en {french}")
    return _told(name, value, limit, or_else=fewer, at_once=findings.decided_by, also=also)


def _others(findings: Findings, deciding: WindowMeasure, settings: DetectionSettings) -> list[str]:
    """The other windows that pass too: with the deciding one silent, they would have rung."""
    return [
        format_duration(item.settings.length)
        for item in findings.measures
        if findings.signals.passes and item is not deciding and item.passes(settings)
    ]


def _most(expected: Expected, count: float, surprise: float) -> int:
    """The most authors with which a window of which so many are expected would have stayed below `surprise`."""
    low, high = 0, int(count) + 1
    while low < high:
        middle = (low + high + 1) // 2
        if count_surprise(middle, expected.mean, expected.variance) < surprise:
            low = middle
        else:
            high = middle - 1
    return low
