"""What stays with an alert: the numbers, the thresholds, which of them decided, what is said and by whom. JSON values only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.alert.detection.columns import Columns, harmful_of
from services.alert.detection.deciding import decided_by
from services.alert.detection.findings import Findings
from services.alert.detection.measures import WindowMeasure
from services.alert.detection.news import grown_reason, silent_reason
from services.alert.detection.observations import HOUR
from services.alert.detection.sentences import (
    decided_reason,
    further_reasons,
    main_reason,
    planned_at,
    silence_leads,
)
from services.alert.detection.state import BrandState, Reason
from services.alert.detection.voices import Pasted, Quotes, count_apart, sources_of, tell
from services.alert.detection.watch import rung_evidence
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
    # On a grave matter that is told neutrally, and where there is much talk without harm, what is said is all of it.
    whole = findings.buzz or findings.decided_by == "levels.never_buzz_kinds"
    told = view if whole else harmful_of(view)
    stories, voices = tell(told, quotes)
    complete = complete_up_to is None or complete_up_to >= instant
    usual = findings.deciding.harmful_expected.mean if findings.deciding else None
    decided = decided_by(findings, state, instant, settings)
    deciding = None if state.level is Level.GREEN and not findings.signals.passes else decided_reason(decided)
    if deciding is not None:
        decided = {**decided, "fr": deciding.fr, "en": deciding.en}
    main = main_reason(findings, window, usual, stories, voices, state=state, instant=instant)
    reasons = (
        *_leads(findings, state, main, quotes=quotes),
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


def _leads(findings: Findings, state: BrandState, main: Reason, *, quotes: Quotes) -> tuple[Reason, ...]:
    """The sentences that come first: whatever it was that decided, then how much is said."""
    rung = findings.rung
    if findings.decided_by == "engagement.serious_gain":
        return (grown_reason(findings.growth[0], quotes), main)
    if rung is not None and not findings.signals.passes:
        return (Reason(fr=rung.french, en=rung.english), main)
    if state.level is Level.YELLOW and findings.growth and not findings.noticed:
        return (grown_reason(findings.growth[0], quotes), main)
    if silence_leads(findings, state):
        return tuple(silent_reason(item) for item in state.silent)
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
        "crisis_authors": item.count.distinct_crisis,
        "crisis_expected": round(item.crisis_expected.mean, 3),
        "S_C": round(item.crisis_surprise, 2),
        "S_N": round(item.harmful_surprise, 2),
        "S_V": round(item.volume_surprise, 2),
        "S_S": round(item.share_surprise, 2),
        "z": round(item.z, 2),
        "growth": round(item.growth, 2),
        "reach": None if item.reach is None else round(item.reach, 2),
        "toxicity": round(item.toxicity, 2),
    }
