"""Why, in words: the sentence for the person who is woken, and those that follow it, in French and in English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.alert.detection.columns import WindowCount
from services.alert.detection.findings import Findings
from services.alert.detection.state import BrandState, Reason
from services.alert.detection.voices import Pasted, Story, Voice
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.base import format_duration
from tocsin.contracts.settings.detection import DetectionSettings, PlannedSettings


def main_reason(
    findings: Findings,
    window: WindowCount,
    usual_harmful: float | None,
    stories: Sequence[Story],
    loudest: Sequence[Voice],
) -> Reason:
    """The one sentence: how much, against what was expected, about what, and who says it loudest."""
    french, english = _how_much(findings, window, usual_harmful)
    if stories and stories[0].title:
        french += f" ; sujet principal : « {stories[0].title_in('fr')} »"
        english += f"; main story: “{stories[0].title_in('en')}”"
        if stories[0].authors > 1:
            french += f" ({stories[0].authors} auteurs)"
            english += f" ({stories[0].authors} authors)"
    if loudest and loudest[0].author:
        followers = loudest[0].followers
        french += f" ; voix la plus forte : {loudest[0].author}"
        english += f"; loudest: {loudest[0].author}"
        if followers is not None:
            french += f" ({followers} abonnés)"
            english += f" ({followers} followers)"
    return Reason(fr=french + ".", en=english + ".")


def _how_much(findings: Findings, window: WindowCount, usual_harmful: float | None) -> tuple[str, str]:
    length = window.end - window.start
    during_fr, during_en = french_duration(length), format_duration(length)
    harmful = window.observed_harmful
    french = f"{_french(harmful)} {_several(harmful, 'mention nuisible', 'mentions nuisibles')} en {during_fr}"
    english = f"{_number(harmful)} harmful {'mention' if harmful == 1 else 'mentions'} in {during_en}"
    if findings.cold:
        return (
            f"{french}, seuil {_french(findings.cold_limit)} pour une marque encore inconnue",
            f"{english}, the limit is {_number(findings.cold_limit)} for a brand not known yet",
        )
    if findings.deciding and (findings.buzz or findings.decided_by == "levels.never_buzz_kinds"):
        usual = findings.deciding.authors_expected.mean
        expected = _several(usual, "attendu", "attendus")
        french = f"{_french(window.authors)} auteurs en {during_fr}, {_french(usual)} {expected} à cette heure"
        english = f"{_number(window.authors)} authors in {during_en}, {_number(usual)} expected at this hour"
        if findings.buzz:
            return f"{french}, sans surcroît de nuisance", f"{english}, no more harm than usual"
        return f"{french}, sur un sujet grave", f"{english}, on a grave matter"
    if usual_harmful is None:
        return french, english
    expected = _several(usual_harmful, "attendue", "attendues")
    return (
        f"{french}, {_french(usual_harmful)} {expected} à cette heure",
        f"{english}, {_number(usual_harmful)} expected at this hour",
    )


def _number(value: float) -> str:
    """Two figures say enough: 2.4, 4, 37."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def _french(value: float) -> str:
    return _number(value).replace(".", ",")


def _several(value: float, one: str, more: str) -> str:
    """French counts in the plural from two on: 1,9 attendue, 2 attendues."""
    return more if float(_number(value)) >= 2 else one


def french_duration(length: timedelta) -> str:
    """`3 h`, `2 j`."""
    return format_duration(length).replace(" d", " j")


def decided_reason(decided: Mapping[str, Any]) -> Reason | None:
    """Which threshold decided, and what would have kept it silent."""
    if not decided:
        return None
    threshold, value, limit = decided["threshold"], decided["value"], decided["limit"]
    return Reason(
        fr=f"Seuil décisif : {threshold} = {limit}, atteint {value} ; muet avec {decided['silent_with_fr']}.",
        en=f"Decided by {threshold} = {limit}, reached {value}; silent with {decided['silent_with']}.",
    )


def planned_at(settings: DetectionSettings, brand: str, instant: datetime) -> list[PlannedSettings]:
    """The campaigns of ours that were entered beforehand and run at `instant`."""
    return [item for item in settings.planned if item.runs(brand, instant)]


def planned_reason(item: PlannedSettings) -> Reason:
    """That a campaign of ours is running."""
    return Reason(
        fr=f"Campagne prévue en cours : {item.name}, jusqu'au {item.end:%d.%m. %H:%M} UTC.",
        en=f"A planned campaign is running: {item.name}, until {item.end:%d.%m. %H:%M} UTC.",
    )


def further_reasons(
    findings: Findings,
    state: BrandState,
    instant: datetime,
    settings: DetectionSettings,
    *,
    campaign: Pasted | None,
    complete: bool,
) -> list[Reason]:
    """What else the person should know."""
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
    if campaign is not None:
        further.append(
            Reason(
                fr=f"Beaucoup d'auteurs ({campaign.authors}), un seul texte : peut-être une campagne coordonnée.",
                en=f"Many authors ({campaign.authors}), one text: perhaps a coordinated campaign.",
            )
        )
    further += [planned_reason(item) for item in planned_at(settings, findings.brand, instant)]
    if state.broken_at is not None and instant - state.broken_at < settings.baseline.cold:
        further.append(
            Reason(
                fr="La requête, les sources ou le réseau viennent de changer : la normale est moins sûre.",
                en="The query, the sources or the network changed lately: what is normal is less certain.",
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
