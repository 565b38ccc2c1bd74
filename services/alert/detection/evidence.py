"""What stays with an alert: the numbers, the thresholds, which of them decided, what is said and by whom. JSON values only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.alert.detection.columns import Columns, harmful_of
from services.alert.detection.findings import Findings
from services.alert.detection.measures import WindowMeasure
from services.alert.detection.news import grown_reason, silent_reason
from services.alert.detection.observations import HOUR
from services.alert.detection.sentences import (
    decided_reason,
    french_duration,
    further_reasons,
    main_reason,
    planned_at,
)
from services.alert.detection.state import BrandState, Reason
from services.alert.detection.surprise import count_surprise
from services.alert.detection.voices import Pasted, Quotes, count_apart, loudest, sources_of, tell_stories
from services.alert.detection.watch import decided_by_rules, rung_evidence
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.base import format_duration
from tocsin.contracts.settings.detection import DetectionSettings


def explain(
    findings: Findings,
    columns: Columns,
    instant: datetime,
    state: BrandState,
    *,
    settings: DetectionSettings,
    complete_up_to: datetime | None,
    campaign: Pasted | None,
    quotes: Quotes,
) -> tuple[tuple[Reason, ...], dict[str, Any]]:
    """The reasons and the evidence of an evaluation."""
    window = findings.deciding.count if findings.deciding else findings.cold_count
    if window is None:
        window = columns.count(instant, HOUR, settings.gate.author_share)
    view = columns.view(window.start, window.end)
    # On a grave matter that is told neutrally, what is said is all of it.
    told = view if findings.decided_by == "levels.never_buzz_kinds" else harmful_of(view)
    stories = tell_stories(told, quotes)
    voices = loudest(told, quotes)
    complete = complete_up_to is None or complete_up_to >= instant
    usual = findings.deciding.harmful_expected.mean if findings.deciding else None
    decided = _decided(findings, settings)
    deciding = decided_reason(decided) if findings.signals.passes or findings.rung else None
    main = main_reason(findings, window, usual, stories, voices)
    reasons = (
        *_leads(findings, instant, state, settings, main, quotes=quotes),
        *([deciding] if deciding else []),
        *further_reasons(findings, state, instant, settings, campaign=campaign, complete=complete),
    )
    evidence: dict[str, Any] = {
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "harmful_authors": window.distinct_harmful,
        "counts": {"all": count_apart(view), "told": count_apart(told)},
        "windows": [_window_evidence(item) for item in findings.measures],
        "decided": decided,
        "cold": findings.cold,
        "buzz": findings.buzz,
        "campaign": campaign is not None,
        "pasted": None if campaign is None else {"authors": campaign.authors, "mention": campaign.mention_id},
        "planned": [item.name for item in planned_at(settings, findings.brand, instant)],
        "stories": [
            {
                "id": f"{story.id:016x}",
                "title": story.title,
                "authors": story.authors,
                "mentions": story.mentions,
                "texts": story.texts,
                "reposts": story.reposts,
                "examples": list(story.examples),
                "kinds": list(story.kinds),
                "first_at": story.first_at.isoformat(),
            }
            for story in stories
        ],
        "growing": [
            {"mention": item.mention_id, "reactions": item.reactions, "limit": round(item.limit)}
            for item in findings.growth
        ],
        "watch": None if findings.rung is None else rung_evidence(findings.rung),
        "loudest": [
            {"author": voice.author, "followers": voice.followers, "mention": voice.mention_id} for voice in voices
        ],
        "sources": sources_of(view),
        "silent_sources": [item.source for item in state.silent],
        "complete_up_to": (complete_up_to or instant).isoformat(),
    }
    return reasons, evidence


def _leads(
    findings: Findings,
    instant: datetime,
    state: BrandState,
    settings: DetectionSettings,
    main: Reason,
    *,
    quotes: Quotes,
) -> tuple[Reason, ...]:
    """The sentences that come first: whatever it was that decided, then how much is said."""
    rung = findings.rung
    if findings.decided_by == "engagement.serious_gain":
        return (grown_reason(findings.growth[0], quotes), main)
    if rung is not None and not findings.signals.passes:
        return (Reason(fr=rung.french, en=rung.english), main)
    if state.level is Level.YELLOW and findings.deciding is None:
        if findings.growth:
            return (grown_reason(findings.growth[0], quotes), main)
        longest = settings.silence.notice_for
        if silent := [silent_reason(item) for item in state.silent if instant - item.since <= longest]:
            return (*silent, main)
    return (main,)


def _window_evidence(item: WindowMeasure) -> dict[str, Any]:
    return {
        "length": format_duration(item.settings.length),
        "mentions": item.count.mentions,
        "authors": round(item.count.authors, 1),
        "authors_expected": round(item.authors_expected.mean, 2),
        "harmful": round(item.count.harmful, 1),
        "harmful_observed": round(item.count.observed_harmful, 1),
        "harmful_expected": round(item.harmful_expected.mean, 2),
        "harmful_deviation": round(item.harmful_expected.variance**0.5, 2),
        "share": round(item.share, 3),
        "own_share": round(item.own_share, 3),
        "S_N": round(item.harmful_surprise, 2),
        "S_V": round(item.volume_surprise, 2),
        "S_S": round(item.share_surprise, 2),
        "z": round(item.z, 2),
        "growth": round(item.growth, 2),
        "reach": None if item.reach is None else round(item.reach, 2),
        "toxicity": round(item.toxicity, 2),
    }


def _decided(findings: Findings, settings: DetectionSettings) -> Mapping[str, Any]:
    """Which threshold decided, and what value of it, or how many fewer harmful mentions, would have kept it silent."""
    if findings.decided_by == "engagement.serious_gain":
        post = findings.growth[0]
        return {
            "threshold": findings.decided_by,
            "value": post.reactions,
            "limit": round(post.limit),
            "silent_with": f"fewer than {post.limit:.0f} reactions",
            "silent_with_fr": f"moins de {post.limit:.0f} réactions",
        }
    if findings.rung is not None and not findings.signals.passes:
        return decided_by_rules(findings.rung)
    if findings.cold and findings.cold_count is not None:
        count = findings.cold_count.distinct_harmful
        return {
            "threshold": findings.decided_by,
            "value": count,
            "limit": round(findings.cold_limit, 1),
            "silent_with": f"fewer than {findings.cold_limit:.0f} harmful authors in the hour",
            "silent_with_fr": f"moins de {findings.cold_limit:.0f} auteurs nuisibles dans l'heure",
        }
    item = findings.deciding
    if item is None:
        return {}
    if findings.decided_by == "levels.never_buzz_kinds":
        limit, value, name = settings.levels.grave_surprise, item.volume_surprise, "levels.grave_surprise"
        return {"threshold": findings.decided_by, "surprise": name, "value": round(value, 2), "limit": limit,
                "silent_with": f"{name} above {value:.2f}",
                "silent_with_fr": f"{name} au-dessus de {value:.2f}"}  # fmt: skip
    length, french = format_duration(item.settings.length), french_duration(item.settings.length)
    name, most = f"gate.windows[{length}].surprise", _silent_count(item, settings)
    return {
        "threshold": name,
        "at_once": findings.decided_by,
        "value": round(item.harmful_surprise, 2),
        "limit": item.settings.surprise,
        "silent_with": f"{name} above {item.harmful_surprise:.2f}, or at most {most} harmful authors in {length}",
        "silent_with_fr": f"{name} au-dessus de {item.harmful_surprise:.2f}, ou au plus {most} auteurs nuisibles en {french}",
    }


def _silent_count(item: WindowMeasure, settings: DetectionSettings) -> int:
    """The most harmful authors with which the window would have stayed below its thresholds."""
    low, high = 0, int(item.count.observed_harmful) + 1
    expected = item.harmful_expected
    while low < high:
        middle = (low + high + 1) // 2
        if count_surprise(middle, expected.mean, expected.variance) < item.settings.surprise:
            low = middle
        else:
            high = middle - 1
    return max(low, settings.gate.harmful_authors - 1)
