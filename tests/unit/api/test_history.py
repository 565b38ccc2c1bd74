"""Every event of an incident has its sentence, in both languages."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from services.alert.protocol.directory import Directory
from services.api.pages.history import happenings
from services.api.pages.wording import wording
from tests.newsroom import CONFIGURATION, NOW
from tocsin.contracts.incidents import IncidentEvent, IncidentEventType, IncidentState, Level

LEA = {"target": "person:lea", "name": "Léa Martin", "channels": ["phone-lea"]}


def event(kind: IncidentEventType, actor: str = "person:lea", sequence: int = 1, **data: Any) -> IncidentEvent:
    return IncidentEvent(
        incident_id=uuid.UUID(int=1),
        sequence=sequence,
        type=kind,
        at=NOW,
        brand="acme",
        level=Level.RED,
        state=IncidentState.TRIGGERED,
        actor=actor,
        data=data,
    )


@pytest.mark.parametrize(
    ("happened", "english", "french"),
    [
        (event(IncidentEventType.OPENED), "The alarm rang at level Crisis.", "Le tocsin a sonné, niveau Crise."),
        (
            event(IncidentEventType.ESCALATED, called=[LEA]),
            "Called: Léa Martin (phone-lea).",
            "Appel : Léa Martin (phone-lea).",
        ),
        (
            event(IncidentEventType.ESCALATED, called=[LEA], fallback=True),
            "Called as the last resort: Léa Martin (phone-lea).",
            "Appel en dernier recours : Léa Martin (phone-lea).",
        ),
        (event(IncidentEventType.ACKNOWLEDGED), "Léa Martin took it in hand.", "Léa Martin a pris en charge."),
        (
            event(IncidentEventType.ACKNOWLEDGED, "key:abcdefgh"),
            "API key abcdefgh took it in hand.",
            "clé API abcdefgh a pris en charge.",
        ),
        (
            event(IncidentEventType.UNACKNOWLEDGED, "timer", why="timed_out", was="person:lea"),
            "The acknowledgement of Léa Martin ran out; the calls begin again.",
            "La prise en charge par Léa Martin a expiré ; les appels reprennent.",
        ),
        (
            event(IncidentEventType.UNACKNOWLEDGED, "evaluator", why="level_rose", was="person:somebody"),
            "The level rose above what somebody had acknowledged; the calls begin again.",
            "Le niveau a dépassé celui que somebody avait pris en charge ; les appels reprennent.",
        ),
        (
            event(IncidentEventType.LEVEL_CHANGED, **{"from": "orange", "to": "red"}),
            "The level rose from Serious to Crisis.",
            "Le niveau est monté de Grave à Crise.",
        ),
        (
            event(IncidentEventType.LEVEL_CHANGED, **{"from": "orange", "to": "green"}),
            "The level fell from Serious to Calm.",
            "Le niveau est descendu de Grave à Calme.",
        ),
        (
            event(IncidentEventType.NOTED, text="on\u202e it {x}"),
            "Léa Martin noted: on it {x}",
            "Note de Léa Martin : on it {x}",
        ),
        (event(IncidentEventType.RESOLVED), "Léa Martin closed it.", "Léa Martin a clôturé."),
        (
            event(IncidentEventType.RESOLVED, verdict="false_alarm"),
            "Léa Martin closed it: a false alarm.",
            "Léa Martin a clôturé : une fausse alerte.",
        ),
        (event(IncidentEventType.REOPENED), "Léa Martin reopened it.", "Léa Martin a rouvert."),
    ],
)
def test_an_event_is_told_in_a_sentence(happened: IncidentEvent, english: str, french: str) -> None:
    directory = Directory.of(CONFIGURATION)
    assert [line.sentence for line in happenings([happened], wording("en"), directory)] == [english]
    assert [line.sentence for line in happenings([happened], wording("fr"), directory)] == [french]


def test_no_kind_of_event_is_without_a_sentence() -> None:
    told = {"from": "green", "to": "red", "was": "person:lea", "text": "x"}
    for kind in IncidentEventType:
        (line,) = happenings([event(kind, **told)], wording("en"), Directory())
        assert line.sentence


def test_a_step_without_anybody_on_call_says_so_and_whom_it_told_instead() -> None:
    happened = event(IncidentEventType.ESCALATED, called=[], nobody_on_call=["schedule:night"], fallback_told=[LEA])
    lines = happenings([happened], wording("en"), Directory())
    assert [line.sentence for line in lines] == [
        "The last resort was told: Léa Martin (phone-lea).",
        "Nobody was on call for this step.",
    ]


def test_the_newest_stands_first() -> None:
    events = [event(IncidentEventType.OPENED), event(IncidentEventType.ACKNOWLEDGED, sequence=2)]
    assert [line.kind for line in happenings(events, wording("en"), Directory())] == ["acknowledged", "opened"]
