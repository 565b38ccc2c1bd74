"""Why: the sentence for the person who is woken, and the numbers that stay with the alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest
from operator import itemgetter
from typing import Any

from services.alert.detection.columns import Columns, WindowCount
from services.alert.detection.levels import Signals
from services.alert.detection.measures import WindowMeasure
from services.alert.detection.observations import HOUR, HarmfulRates, Observation
from services.alert.detection.state import BrandState, Reason
from services.alert.detection.surprise import count_surprise
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.base import format_duration
from tocsin.contracts.settings.detection import DetectionSettings

_STORIES, _EXAMPLES, _LOUDEST = 3, 3, 3
_TITLE = 100
"""Characters of a story's title."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What an evaluation found, before it becomes a level."""

    signals: Signals
    score: float = 0.0
    measures: tuple[WindowMeasure, ...] = ()
    deciding: WindowMeasure | None = None
    """The window that passes, else the most surprising one."""
    decided_by: str | None = None
    """The threshold that made it pass at once, or by another door than the surprise of harm."""
    buzz: bool = False
    cold: bool = False
    cold_count: WindowCount | None = None
    cold_limit: float = 0.0


@dataclass(frozen=True, slots=True)
class Story:
    """Mentions that tell one thing."""

    title: str
    authors: int
    mentions: int
    examples: tuple[str, ...]
    kinds: tuple[str, ...]


def explain(
    findings: Findings,
    columns: Columns,
    instant: datetime,
    state: BrandState,
    *,
    settings: DetectionSettings,
    rates: HarmfulRates,
    complete_up_to: datetime | None,
) -> tuple[tuple[Reason, ...], dict[str, Any]]:
    """The reasons and the evidence of an evaluation (JSON values only)."""
    window = findings.deciding.count if findings.deciding else findings.cold_count
    if window is None:
        window = columns.count(instant, HOUR, settings.gate.author_share)
    mentions = columns.observations(window.start, window.end)
    harmful = [item for item in mentions if item.harmful(rates)]
    stories = tell_stories(harmful or mentions)
    loudest = _loudest(harmful or mentions)
    campaign = _campaign(stories, window, settings)
    complete = complete_up_to is None or complete_up_to >= instant
    usual = _usual_as_labelled(findings.deciding, mentions, rates) if findings.deciding else None
    main = _main_reason(findings, window, usual, stories, loudest)
    reasons = [main, *_further_reasons(findings, state, settings, campaign=campaign, complete=complete)]
    sources: dict[str, int] = {}
    for item in mentions:
        sources[item.source] = sources.get(item.source, 0) + 1
    evidence: dict[str, Any] = {
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()},
        "harmful_authors": window.distinct_harmful,
        "windows": [_window_evidence(item) for item in findings.measures],
        "decided": _decided(findings, settings),
        "cold": findings.cold,
        "buzz": findings.buzz,
        "campaign": campaign,
        "stories": [
            {"title": story.title, "authors": story.authors, "mentions": story.mentions,
             "examples": list(story.examples), "kinds": list(story.kinds)}
            for story in stories
        ],
        "loudest": [
            {"author": item.author_name or item.author, "followers": item.followers, "mention": item.mention_id}
            for item in loudest
        ],
        "sources": sources,
        "silent_sources": [item.source for item in state.silent],
        "complete_up_to": (complete_up_to or instant).isoformat(),
    }  # fmt: skip
    return tuple(reasons), evidence


def tell_stories(mentions: Sequence[Observation], most: int = _STORIES) -> list[Story]:
    """The largest stories of these mentions: most authors first, then the loudest."""
    groups: dict[str, list[Observation]] = {}
    for item in mentions:
        groups.setdefault(item.copy_key or f"?{item.mention_id}", []).append(item)
    sized = (
        (
            -len({item.author or item.mention_id for item in group}),
            -max(map(_loudness, group)),
            group[0].mention_id,
            group,
        )
        for group in groups.values()
    )
    # Only the largest are written out: a day may hold thousands of remarks that nobody repeated.
    return [_story(group, -size) for size, _, _, group in nsmallest(most, sized, key=itemgetter(0, 1, 2))]


def _story(group: list[Observation], authors: int) -> Story:
    loudest_first = sorted(group, key=lambda item: (-_loudness(item), item.at, item.mention_id))
    kinds: dict[str, int] = {}
    for item in group:
        for kind in item.kinds:
            kinds[kind.value] = kinds.get(kind.value, 0) + 1
    return Story(
        title=_shorten(loudest_first[0].text),
        authors=authors,
        mentions=len(group),
        examples=tuple(item.mention_id for item in loudest_first[:_EXAMPLES]),
        kinds=tuple(sorted(kinds, key=lambda kind: (-kinds[kind], kind))),
    )


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TITLE else line[: _TITLE - 1].rstrip() + "…"


def _loudest(mentions: Sequence[Observation]) -> list[Observation]:
    best: dict[str, Observation] = {}
    for item in mentions:
        author = item.author or item.mention_id
        if author not in best or _loudness(item) > _loudness(best[author]):
            best[author] = item
    return sorted(best.values(), key=lambda item: (-_loudness(item), item.mention_id))[:_LOUDEST]


def _loudness(item: Observation) -> int:
    return (item.followers or 0) + item.engagement


def _campaign(stories: Sequence[Story], window: WindowCount, settings: DetectionSettings) -> bool:
    if not stories or not window.distinct_harmful:
        return False
    largest = stories[0].authors
    return largest >= settings.campaign.authors and largest >= settings.campaign.share * window.distinct_harmful


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"


def _usual_as_labelled(item: WindowMeasure, mentions: Sequence[Observation], rates: HarmfulRates) -> float:
    """How many harmful authors the classifier would report in such a window on a usual day, its errors included.

    The inverse of the correction, N = N̂·(tpr − fpr) + fpr·V, at the mean rates of the window's languages: what is told beside
    the count as labelled must be of the same kind. (The decision compares the corrected ones.)
    """
    used = [rates.of(mention.language) for mention in mentions] or [rates.default]
    tpr, fpr = (sum(rate.tpr for rate in used) / len(used), sum(rate.fpr for rate in used) / len(used))
    return item.harmful_expected.mean * (tpr - fpr) + fpr * item.authors_expected.mean


def _main_reason(
    findings: Findings,
    window: WindowCount,
    usual_harmful: float | None,
    stories: Sequence[Story],
    loudest: Sequence[Observation],
) -> Reason:
    length = window.end - window.start
    count = _number(window.observed_harmful)
    if findings.cold:
        limit = _number(findings.cold_limit)
        french = f"{count} mentions nuisibles en {_french(length)}, seuil {limit} pour une marque encore inconnue"
        english = (
            f"{count} harmful mentions in {format_duration(length)}, the limit is {limit} for a brand not known yet"
        )
    elif findings.buzz and findings.deciding:
        usual = _number(findings.deciding.authors_expected.mean)
        authors = _number(window.authors)
        french = f"{authors} auteurs en {_french(length)}, {usual} attendus à cette heure, sans surcroît de nuisance"
        english = (
            f"{authors} authors in {format_duration(length)}, {usual} expected at this hour, no more harm than usual"
        )
    else:
        usual = "?" if usual_harmful is None else _number(usual_harmful)
        french = f"{count} mentions nuisibles en {_french(length)}, {usual} attendues à cette heure"
        english = f"{count} harmful mentions in {format_duration(length)}, {usual} expected at this hour"
    if stories and stories[0].title:
        french += f" ; sujet principal : « {stories[0].title} »"
        english += f"; main story: “{stories[0].title}”"
        if stories[0].authors > 1:
            french += f" ({stories[0].authors} auteurs)"
            english += f" ({stories[0].authors} authors)"
    if loudest:
        name = loudest[0].author_name or loudest[0].author
        followers = loudest[0].followers
        if name:
            french += f" ; voix la plus forte : {name}" + (f" ({followers} abonnés)" if followers is not None else "")
            english += f"; loudest: {name}" + (f" ({followers} followers)" if followers is not None else "")
    return Reason(fr=french + ".", en=english + ".")


def _french(length: timedelta) -> str:
    return format_duration(length).replace(" d", " j")


def _further_reasons(
    findings: Findings, state: BrandState, settings: DetectionSettings, *, campaign: bool, complete: bool
) -> list[Reason]:
    further = []
    if findings.decided_by == "levels.loud_followers":
        further.append(
            Reason(
                fr=f"Une voix de plus de {settings.levels.loud_followers} abonnés en est.",
                en=f"A voice with more than {settings.levels.loud_followers} followers is among them.",
            )
        )
    if findings.decided_by == "levels.crisis_authors":
        further.append(Reason(fr="Des mots de crise y reviennent.", en="Crisis words keep coming up."))
    if findings.decided_by == "levels.never_buzz_kinds":
        further.append(
            Reason(
                fr="Le ton est neutre, mais le sujet (sécurité, droit, vie privée ou discrimination) ne l'est pas.",
                en="The tone is neutral, but the matter (safety, law, privacy or discrimination) is not.",
            )
        )
    if findings.signals.grave and state.level is Level.RED:
        further.append(
            Reason(
                fr="La presse s'en mêle, ou plusieurs auteurs parlent de sécurité ou de droit.",
                en="The press has picked it up, or several authors speak of safety or law.",
            )
        )
    if campaign:
        further.append(
            Reason(
                fr="Beaucoup d'auteurs, un seul texte : peut-être une campagne coordonnée.",
                en="Many authors, one text: perhaps a coordinated campaign.",
            )
        )
    if state.silent:
        names = ", ".join(item.source for item in state.silent)
        further.append(Reason(fr=f"Sources muettes : {names}.", en=f"Silent sources: {names}."))
    if not complete:
        further.append(
            Reason(
                fr="Le flux n'est pas complet ; jugé sur ce qui est arrivé.",
                en="The stream is not complete; judged on what has arrived.",
            )
        )
    return further


def _window_evidence(item: WindowMeasure) -> dict[str, Any]:
    return {
        "length": format_duration(item.settings.length),
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
    if findings.cold and findings.cold_count is not None:
        count = findings.cold_count.distinct_harmful
        return {
            "threshold": findings.decided_by,
            "value": count,
            "limit": round(findings.cold_limit, 1),
            "silent_with": f"fewer than {findings.cold_limit:.0f} harmful authors in the hour",
        }
    item = findings.deciding
    if item is None:
        return {}
    if findings.decided_by == "levels.never_buzz_kinds":
        limit, value, name = settings.levels.grave_surprise, item.volume_surprise, "levels.grave_surprise"
        return {"threshold": findings.decided_by, "surprise": name, "value": round(value, 2), "limit": limit,
                "silent_with": f"{name} above {value:.2f}"}  # fmt: skip
    name = f"gate.windows[{format_duration(item.settings.length)}].surprise"
    return {
        "threshold": name,
        "at_once": findings.decided_by,
        "value": round(item.harmful_surprise, 2),
        "limit": item.settings.surprise,
        "silent_with": f"{name} above {item.harmful_surprise:.2f}, or at most {_silent_count(item, settings)} harmful authors",
    }


def _silent_count(item: WindowMeasure, settings: DetectionSettings) -> int:
    """The most harmful authors with which the window would have stayed below its thresholds."""
    low, high = 0, int(item.count.harmful) + 1
    expected = item.harmful_expected
    while low < high:
        middle = (low + high + 1) // 2
        if count_surprise(middle, expected.mean, expected.variance) < item.settings.surprise:
            low = middle
        else:
            high = middle - 1
    return max(low, settings.gate.harmful_authors - 1)
