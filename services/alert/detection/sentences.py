"""Why, in words: the sentence for the person who is woken, and those that follow it, in French and in English."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.alert.detection.columns import WindowCount
from services.alert.detection.findings import Findings
from services.alert.detection.phrases import (
    count,
    french_count,
    french_duration,
    french_moment,
    french_number,
    moment,
    number,
    several,
)
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
    *,
    state: BrandState,
    instant: datetime,
) -> Reason:
    """The one sentence: how much, against what was expected, about what, and who says it loudest."""
    french, english = _how_much(findings, window, usual_harmful)
    if not (findings.signals.passes or findings.noticed or findings.growth or findings.rung):
        french, english = _calmer(state, instant, french, english)
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
            french += f" ({french_count(followers)} {several(followers, 'abonné', 'abonnés')})"
            english += f" ({count(followers)} {'follower' if followers == 1 else 'followers'})"
    return Reason(fr=french + ".", en=english + ".")


def _calmer(state: BrandState, instant: datetime, french: str, english: str) -> tuple[str, str]:
    """The numbers of a level that is only held, or has just fallen, as what they are: of the calm after."""
    if state.level is Level.GREEN:
        if state.since != instant:
            return french, english
        return f"Retour au calme : {french}", f"Calm again: {english}"
    if state.calm_since is not None:
        since_fr, since_en = french_moment(state.calm_since), moment(state.calm_since)
        return f"Retombe depuis le {since_fr} : {french}", f"Calming down since {since_en}: {english}"
    return f"Retombe : {french}", f"Calming down: {english}"


def _how_much(findings: Findings, window: WindowCount, usual_harmful: float | None) -> tuple[str, str]:
    length = window.end - window.start
    during_fr, during_en = french_duration(length), format_duration(length)
    harmful = window.observed_harmful
    french = f"{french_number(harmful)} {several(harmful, 'mention nuisible', 'mentions nuisibles')} en {during_fr}"
    english = f"{number(harmful)} harmful {'mention' if harmful == 1 else 'mentions'} in {during_en}"
    if findings.cold:
        return (
            f"{french}, seuil {french_number(findings.cold_limit)} pour une marque encore inconnue",
            f"{english}, the limit is {number(findings.cold_limit)} for a brand that is not known yet",
        )
    deciding = findings.deciding
    if deciding and findings.decided_by == "gate.crisis_authors":
        usual = deciding.crisis_expected.mean
        return (
            f"{window.distinct_crisis} auteurs emploient des mots de crise en {during_fr}, {french_number(usual)} "
            f"{several(usual, 'attendu', 'attendus')} à cette heure, dont {window.harmful_crisis} avec une mention nuisible",
            f"{window.distinct_crisis} authors use crisis words in {during_en}, {number(usual)} expected at this hour, "
            f"{window.harmful_crisis} of them with a harmful mention",
        )
    if deciding and (findings.buzz or findings.decided_by == "levels.never_buzz_kinds"):
        usual = deciding.authors_expected.mean
        expected = several(usual, "attendu", "attendus")
        french = (
            f"{french_number(window.authors)} auteurs en {during_fr}, {french_number(usual)} {expected} à cette heure"
        )
        english = f"{number(window.authors)} authors in {during_en}, {number(usual)} expected at this hour"
        if findings.buzz:
            return f"{french}, sans plus de mentions nuisibles que d'habitude", f"{english}, no more harm than usual"
        return f"{french}, sur un sujet grave", f"{english}, on a grave matter"
    if usual_harmful is None:
        return french, english
    expected = several(usual_harmful, "attendue", "attendues")
    return (
        f"{french}, {french_number(usual_harmful)} {expected} à cette heure",
        f"{english}, {number(usual_harmful)} expected at this hour",
    )


def decided_reason(decided: Mapping[str, Any]) -> Reason | None:
    """Which threshold decided, and what would have kept it silent."""
    if not decided:
        return None
    threshold, value, limit = decided["threshold"], decided["value"], decided["limit"]
    if "surprise" in decided:
        threshold += f", {decided['surprise']}"
    if decided.get("held"):
        return Reason(
            fr=f"Niveau maintenu par {threshold} (limite {_comma(limit)}), où l'on en est à {_comma(value)} ; "
            f"il serait retombé avec {decided['silent_with_fr']}.",
            en=f"The level is held by {threshold} (limit {_plain(limit)}), which stands at {_plain(value)}; "
            f"it would have fallen with {decided['silent_with']}.",
        )
    fr = f"Seuil décisif : {threshold} (limite {_comma(limit)}), atteint : {_comma(value)} ; serait resté muet avec "
    en = f"Decided by {threshold} (limit {_plain(limit)}): {_plain(value)} reached; it would have stayed silent with "
    fr, en = fr + decided["silent_with_fr"], en + decided["silent_with"]
    if decided.get("also"):
        windows = ", ".join(decided["also"])
        fr += f" ; au-dessus de leur seuil aussi, les fenêtres de {windows.replace(' d', ' j')}"
        en += f"; above their limits as well, the windows of {windows}"
    return Reason(fr=fr + ".", en=en + ".")


def _comma(value: float) -> str:
    return _plain(value).replace(".", ",")


def _plain(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def planned_at(settings: DetectionSettings, brand: str, instant: datetime) -> list[PlannedSettings]:
    """The campaigns of ours that were entered beforehand and run at `instant`."""
    return [item for item in settings.planned if item.runs(brand, instant)]


def planned_reason(item: PlannedSettings) -> Reason:
    """That a campaign of ours is running."""
    return Reason(
        fr=f"Campagne prévue en cours : {item.name}, jusqu'au {french_moment(item.end)}.",
        en=f"A planned campaign is running: {item.name}, until {moment(item.end)}.",
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
                fr=f"L'un des auteurs a {french_count(settings.levels.loud_followers)} abonnés ou plus.",
                en=f"One of the authors has {count(settings.levels.loud_followers)} followers or more.",
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
    if state.level is Level.RED:
        further += _red_reasons(findings, settings)
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
                fr="La requête, les sources ou le réseau de neurones ont changé depuis peu : la normale est moins sûre.",
                en="The query, the sources or the neural network changed lately: what is normal is less certain.",
            )
        )
    if state.silent and not silence_leads(findings, state):
        names = ", ".join(item.source for item in state.silent)
        one = len(state.silent) == 1
        further.append(
            Reason(
                fr=f"{'Source muette' if one else 'Sources muettes'} : {names}, ce qui manque n'est pas compté.",
                en=f"{'Silent source' if one else 'Silent sources'}: {names}; what is missing is not counted.",
            )
        )
    if not complete:
        further.append(
            Reason(
                fr="Le flux n'est pas complet ; jugé sur ce qui est arrivé.",
                en="The stream is not complete; judged on what has arrived.",
            )
        )
    return further


def silence_leads(findings: Findings, state: BrandState) -> bool:
    """Whether a source that says nothing is all that there is to tell."""
    return (
        state.level is Level.YELLOW
        and bool(state.silent)
        and not (findings.signals.passes or findings.noticed or findings.growth or findings.rung)
    )


def _red_reasons(findings: Findings, settings: DetectionSettings) -> list[Reason]:
    """Which threshold makes orange red at this evaluation."""
    levels = settings.levels
    if findings.grave is not None:
        threshold, authors = findings.grave
        limit = levels.press_authors if threshold == "levels.press_authors" else levels.grave_authors
        if threshold == "levels.press_authors":
            fr = "La presse s'en mêle"
            en = "The press has picked it up"
        else:
            fr = "Plusieurs auteurs parlent de sécurité ou de droit"
            en = "Several authors speak of safety or law"
        return [
            Reason(
                fr=f"{fr} : {authors} {several(authors, 'auteur', 'auteurs')} ({threshold} = {limit}), donc rouge.",
                en=f"{en}: {authors} {'author' if authors == 1 else 'authors'} ({threshold} = {limit}), so it is red.",
            )
        ]
    if findings.signals.passes and findings.signals.z >= levels.red_z:
        z, limit_z = round(findings.signals.z, 1), levels.red_z
        return [
            Reason(
                fr=f"L'écart est extrême : z = {_comma(z)} (levels.red_z = {_comma(limit_z)}), donc rouge.",
                en=f"The excess is extreme: z = {z} (levels.red_z = {limit_z:g}), so it is red.",
            )
        ]
    return []
