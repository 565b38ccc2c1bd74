"""Watch rules, from the bus to the incident, on both databases: one mention is enough, and it rings once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from services.alert.protocol.commands import Resolve
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from tests.integration.alert.house import HOUR, MINUTE, House, calm_weeks
from tests.records import NOON, classified, identifier, removal_record
from tocsin.contracts.events import Author, AuthorRole, ClassifiedMention, RemovalReason, Risk, RiskKindScore
from tocsin.contracts.incidents import IncidentEventType, Level
from tocsin.storage import incidents
from tocsin.storage.database import Database

RULES = """
  watch:
    - {id: scoops, brands: [acme], outlets: [Le Quotidien]}
    - {id: critics, authors: [bluesky:7, "@Zoe"], level: red}
    - {id: lawsuits, kinds: [legal], risk: 0.6, reach: 10000}
"""


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path, RULES)


def scoop(name: str = "scoop", **fields: object) -> ClassifiedMention:
    return classified(
        name, **{"outlet": "Le Quotidien", "negative": 0.0, "author": name, "text": "Ce que l'on sait d'Acme", **fields}
    )  # type: ignore[arg-type]


def test_one_mention_opens_an_incident_and_calls_somebody_on_the_instant(house: House) -> None:
    house.write(scoop())
    (incident,) = house.incidents()
    assert incident.level is Level.ORANGE
    assert "scoops" in incident.reasons["en"]
    assert "publié par Le Quotidien" in incident.reasons["fr"]
    assert [event.type for event in house.events(incident)][:2] == [
        IncidentEventType.OPENED, IncidentEventType.ESCALATED,
    ]  # fmt: skip
    assert house.events(incident)[0].actor == "watch_rule"
    assert incident.reached[0].name == "Léa"
    assert incident.evidence["decided"]["threshold"] == "watch[scoops]"
    assert incident.evidence["stories"][0]["examples"] == [str(identifier("scoop"))]
    assert house.level() is Level.ORANGE


def test_a_rule_looks_at_its_brands_at_people_by_id_or_name_and_at_risk_with_reach(house: House) -> None:
    house.write(scoop("other", brand="zenith"))
    assert house.incidents() == []
    house.write(
        classified("zoe", brand="zenith", author="99").model_copy(update={"author": Author(id="99", name="zoe")})
    )
    assert house.level("zenith") is Level.RED
    risky = {"risk": Risk(score=0.8, kinds=(RiskKindScore(kind="legal", score=0.9),))}
    house.write(classified("small", author="small", **risky))
    assert house.level() is Level.GREEN
    loud = Author(id="loud", name="Loud", followers=20_000)
    house.write(classified("loud", **risky).model_copy(update={"author": loud}))
    assert house.level() is Level.ORANGE


def test_repeats_restarts_and_edits_ring_once(house: House) -> None:
    for _ in range(3):
        house.write(scoop())
    house.write(scoop(revision=5, text="Ce que l'on sait d'Acme, mis à jour"), handler=house.another_handler())
    house.another_watching().ring()
    (incident,) = house.incidents()
    assert incident.evidence["watch"]["rings"] == 1
    assert [event.type for event in house.events(incident)].count(IncidentEventType.ESCALATED) == 1


def test_a_process_that_dies_before_it_rings_leaves_the_ring_to_the_next(house: House) -> None:
    house.write(scoop(), handler=house.another_handler(rings=False))
    assert house.incidents() == []
    assert house.another_watching().ring() == 1
    assert len(house.incidents()) == 1
    assert house.another_watching().ring() == 0


def test_the_level_holds_while_the_counts_are_calm_and_falls_in_the_end(database: Database, tmp_path: Path) -> None:
    house = House(database, tmp_path, RULES + "  watch_holds: 1 h\n  levels: {falls_after: 30 min}\n")
    house.write(*calm_weeks(NOON, 4))
    house.write(scoop(at=NOON))
    house.until(NOON + 65 * MINUTE)
    assert len(house.judgements) >= 13
    assert house.level() is Level.ORANGE
    (incident,) = house.incidents()
    assert incident.level is Level.ORANGE
    assert "scoops" in incident.reasons["en"], "why it rang stays the first thing that is read"
    house.until(NOON + 110 * MINUTE)
    assert not house.level().serious
    assert house.status().state["masks"] == [], "a watch rule takes nothing out of the baseline"


def test_a_second_mention_joins_the_open_incident(house: House) -> None:
    house.write(scoop("one"))
    house.clock.move(600)
    house.write(scoop("two", at=NOON + 9 * MINUTE))
    (incident,) = house.incidents()
    assert incident.evidence["watch"]["rings"] == 2


def test_late_up_to_a_day_rings_and_what_is_older_imported_own_or_gone_does_not(house: House) -> None:
    house.write(scoop("old", at=NOON - 25 * HOUR))
    house.write(scoop("imported"), imported=True)
    own = Author(id="us", role=AuthorRole.OWN)
    house.write(scoop("own").model_copy(update={"author": own}))
    house.write(scoop("elsewhere", relevance=0.1))
    house.handler.handle([removal_record("deleted", revision=9, why=RemovalReason.DELETED)])
    house.write(scoop("deleted"))
    assert house.incidents() == []
    house.write(scoop("late", at=NOON - 20 * HOUR).model_copy(update={"received_at": NOON}))
    assert len(house.incidents()) == 1


def test_what_was_erased_before_it_rang_rings_nothing(house: House) -> None:
    house.write(scoop("gone"), handler=house.another_handler(rings=False))
    house.handler.handle([removal_record("gone", revision=9, why=RemovalReason.ERASED)])
    house.watching.ring()
    assert house.incidents() == []


def test_a_new_ring_after_a_person_resolved_opens_another(house: House) -> None:
    house.write(scoop("one"))
    (first,) = house.incidents()
    with house.database.unit_of_work() as session:
        directory = Directory.of(house.configuration)
        incidents.execute(
            session, first.id, lambda known: decide(known, Resolve(actor="person:lea"), house.clock.now(), directory)
        )
    house.until(NOON + timedelta(minutes=20))
    assert [item.state.open for item in house.incidents()] == [False], "the level that is held opens nothing by itself"
    house.write(scoop("two", at=NOON + 19 * MINUTE))
    assert [item.state.open for item in house.incidents()] == [True, False]
