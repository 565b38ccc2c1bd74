"""The sentences of messages, by language."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.contracts.decisions import Language
from tocsin.contracts.incidents import Level, Verdict

LEVELS: Mapping[Language, Mapping[Level, str]] = {
    "fr": {Level.GREEN: "VERT", Level.YELLOW: "JAUNE", Level.ORANGE: "ORANGE", Level.RED: "ROUGE"},
    "en": {Level.GREEN: "GREEN", Level.YELLOW: "YELLOW", Level.ORANGE: "ORANGE", Level.RED: "RED"},
}

VERDICTS: Mapping[Language, Mapping[Verdict, str]] = {
    "fr": {
        Verdict.CRISIS: "crise",
        Verdict.BUZZ: "buzz",
        Verdict.FALSE_ALARM: "fausse alerte",
        Verdict.TOO_LATE: "alerte trop tardive",
    },
    "en": {
        Verdict.CRISIS: "crisis",
        Verdict.BUZZ: "buzz",
        Verdict.FALSE_ALARM: "false alarm",
        Verdict.TOO_LATE: "alarm too late",
    },
}

PHRASES: Mapping[Language, Mapping[str, str]] = {
    "fr": {
        "page": "[{level}] {brand} : alerte, votre réponse est attendue",
        "acknowledged": "[{level}] {brand} : pris en charge par {actor}",
        "resolved": "[{level}] {brand} : clos par {actor}",
        "no_reason": "Aucune raison n'est encore connue.",
        "complete": "Données complètes jusqu'à {at}.",
        "incomplete": "Attention : données complètes jusqu'à {at} seulement ; la suite manque encore.",
        "called": "Appelés : {names}.",
        "next": "Sans réponse, suivront {names} à {at}.",
        "nobody_next": "Personne d'autre ne sera appelé.",
        "fallback": "Vous êtes le dernier recours : personne d'autre n'a répondu ou n'est d'astreinte.",
        "stop": "Plus personne n'est appelé pour le moment.",
        "until": "Sans nouvelles d'ici {at}, les appels reprendront.",
        "over": "C'est terminé.",
        "verdict": "C'est terminé. Verdict : {verdict}.",
        "open": "Voir et prendre en charge :",
        "duplicate": "(peut-être reçu en double)",
        "and": "et",
    },
    "en": {
        "page": "[{level}] {brand}: alarm, please respond",
        "acknowledged": "[{level}] {brand}: taken in hand by {actor}",
        "resolved": "[{level}] {brand}: closed by {actor}",
        "no_reason": "No reason is known yet.",
        "complete": "Data complete up to {at}.",
        "incomplete": "Beware: data complete only up to {at}; what came later is still missing.",
        "called": "Called: {names}.",
        "next": "Without an answer, next: {names} at {at}.",
        "nobody_next": "Nobody else will be called.",
        "fallback": "You are the last resort: nobody else has answered or is on call.",
        "stop": "Nobody else is called for now.",
        "until": "Without news by {at}, the calls begin again.",
        "over": "It is over.",
        "verdict": "It is over. Verdict: {verdict}.",
        "open": "See it and take it in hand:",
        "duplicate": "(possible duplicate)",
        "and": "and",
    },
}
