"""The sentences of the crisis room, by language: messages to those who are wanted, and drafts of situation updates."""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.contracts.decisions import Language

PHRASES: Mapping[Language, Mapping[str, str]] = {
    "fr": {
        "step": "[{level}] {brand} : étape en retard : {title}",
        "step_due": "Cette étape devait être faite à {at}.",
        "approval": "[{level}] {brand} : votre accord est attendu avant {at}",
        "approval_text": "Communiqué {number}, version {version} ({channel}) : « {text} »",
        "approval_role": "On vous le demande en tant que : {role}.",
        "update": "[{level}] {brand} : un point de situation est à envoyer",
        "update_due": "Il était prévu pour {at}. Un brouillon vous attend : relisez-le, corrigez-le, envoyez-le.",
        "hand_over": "[{level}] {brand} : {giver} vous passe le relais",
        "hand_over_note": "Il ou elle écrit : « {note} »",
        "hand_over_by": "Acceptez avant {at}, sinon d’autres seront appelés.",
        "sent": "[{level}] {brand} : point de situation n° {number}",
        "instead": "{name} n’a pas répondu : c’est vous qu’on appelle à sa place.",
        "role": "Rôle : {role}.",
        "open_step": "Ouvrir la salle de crise :",
        "open_approval": "Lire, puis approuver ou refuser :",
        "open_update": "Ouvrir la salle de crise :",
        "open_hand_over": "Prendre le relais :",
        "open_sent": "Lire le point de situation :",
        "shift_note": "Fin d’astreinte. Étapes ouvertes : {open}. Dernier point envoyé : {sent}.",
        "never": "aucun",
        "changed": "Ce qui a changé",
        "trend": "Tendance",
        "done": "Fait",
        "next": "À suivre",
        "next_update": "Prochain point : {at}.",
        "last_update": "Pas d’autre point prévu.",
        "level_now": "Niveau {level} (score {score} sur 100).",
        "level_was": "Le niveau est passé de {before} à {after} à {at}.",
        "trend_line": "{now} mentions nuisibles en {minutes} min, contre {before} les {minutes} min d’avant ; "
        "{mentions} mentions en tout, {authors} auteurs.",
        "no_figures": "Les chiffres ne sont pas disponibles pour le moment.",
        "nothing_done": "Rien de nouveau depuis le dernier point.",
        "nothing_next": "Aucune étape ouverte.",
        "step_line": "{title} ({role}, avant {at})",
        "done_line": "{title} ({at})",
        "published_line": "Communiqué {number} publié ({channel}, {at})",
        "held_by": "Pris en charge par {name}.",
        "held_by_nobody": "Personne ne l’a encore pris en charge.",
        "and_more": "… et {number} de plus",
    },
    "en": {
        "step": "[{level}] {brand}: overdue step: {title}",
        "step_due": "This step was due at {at}.",
        "approval": "[{level}] {brand}: your approval is wanted by {at}",
        "approval_text": "Statement {number}, version {version} ({channel}): “{text}”",
        "approval_role": "You are asked as: {role}.",
        "update": "[{level}] {brand}: a situation update is due",
        "update_due": "It was planned for {at}. A draft is waiting: read it, mend it, send it.",
        "hand_over": "[{level}] {brand}: {giver} hands over to you",
        "hand_over_note": "They write: “{note}”",
        "hand_over_by": "Accept by {at}, or others will be called.",
        "sent": "[{level}] {brand}: situation update no. {number}",
        "instead": "{name} has not answered: you are called instead.",
        "role": "Role: {role}.",
        "open_step": "Open the crisis room:",
        "open_approval": "Read it, then approve or refuse:",
        "open_update": "Open the crisis room:",
        "open_hand_over": "Take over:",
        "open_sent": "Read the situation update:",
        "shift_note": "End of shift. Open steps: {open}. Last update sent: {sent}.",
        "never": "none",
        "changed": "What has changed",
        "trend": "Trend",
        "done": "Done",
        "next": "Next",
        "next_update": "Next update: {at}.",
        "last_update": "No further update is planned.",
        "level_now": "Level {level} (score {score} of 100).",
        "level_was": "The level went from {before} to {after} at {at}.",
        "trend_line": "{now} harmful mentions in {minutes} min, against {before} in the {minutes} min before; "
        "{mentions} mentions in all, {authors} authors.",
        "no_figures": "The figures are not available at the moment.",
        "nothing_done": "Nothing new since the last update.",
        "nothing_next": "No open step.",
        "step_line": "{title} ({role}, by {at})",
        "done_line": "{title} ({at})",
        "published_line": "Statement {number} published ({channel}, {at})",
        "held_by": "In the hands of {name}.",
        "held_by_nobody": "Nobody has it in hand yet.",
        "and_more": "… and {number} more",
    },
}


def in_language(words: Mapping[str, str], language: str) -> str:
    """The text in a language, or in whichever there is; empty where there is none."""
    return words.get(language) or next(iter(words.values()), "")
