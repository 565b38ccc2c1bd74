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
        "page_brief": "[{level}] {brand} :",
        "acknowledged_brief": "[{level}] {brand} : pris en charge par {actor}.",
        "resolved_brief": "[{level}] {brand} : clos par {actor}.",
        "page_spoken": "Tocsin. Alerte de niveau {level} pour {brand}.",
        "acknowledged_spoken": "Tocsin. L'alerte pour {brand} est prise en charge par {actor}.",
        "resolved_spoken": "Tocsin. L'alerte pour {brand} est close par {actor}.",
        "exercise": "EXERCICE",
        "exercise_line": "Ceci est un exercice : répondez comme si c'était vrai.",
        "first_step": "À faire d'abord : {step}",
        "next_brief": "Puis {names} à {at}.",
        "press": "Pour prendre en charge, appuyez sur 1.",
        "pressed": "Merci. C'est pris en charge.",
        "not_pressed": "Aucune réponse reçue. Nous continuons d'appeler.",
        "refused": "Ce n'est plus possible. Ouvrez la page de l'alerte.",
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
        "acknowledge": "Prendre en charge :",
        "see": "Voir :",
        "acknowledge_button": "Prendre en charge",
        "see_button": "Voir",
        "duplicate": "(peut-être reçu en double)",
        "and": "et",
    },
    "en": {
        "page": "[{level}] {brand}: alarm, please respond",
        "acknowledged": "[{level}] {brand}: taken in hand by {actor}",
        "resolved": "[{level}] {brand}: closed by {actor}",
        "page_brief": "[{level}] {brand}:",
        "acknowledged_brief": "[{level}] {brand}: taken in hand by {actor}.",
        "resolved_brief": "[{level}] {brand}: closed by {actor}.",
        "page_spoken": "Tocsin. Alarm, level {level}, for {brand}.",
        "acknowledged_spoken": "Tocsin. The alarm for {brand} has been taken in hand by {actor}.",
        "resolved_spoken": "Tocsin. The alarm for {brand} has been closed by {actor}.",
        "exercise": "EXERCISE",
        "exercise_line": "This is an exercise: respond as if it were real.",
        "first_step": "Do first: {step}",
        "next_brief": "Next: {names} at {at}.",
        "press": "To take it in hand, press 1.",
        "pressed": "Thank you. It is yours.",
        "not_pressed": "No answer was heard. We go on calling.",
        "refused": "That is not possible any more. Open the page of the alarm.",
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
        "acknowledge": "Take it in hand:",
        "see": "See it:",
        "acknowledge_button": "Take it in hand",
        "see_button": "See it",
        "duplicate": "(possible duplicate)",
        "and": "and",
    },
}
