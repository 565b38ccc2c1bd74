"""What people set at run time, as alert has it in force, on both databases: watch lists, mutes, campaigns, crisis words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from services.alert.app import watched_authors
from services.alert.handler import AlertHandler
from services.alert.pseudonyms import Pseudonyms
from services.api.app import create_app
from services.api.context import ApiContext
from services.api.run_time_settings import add_setting, withdraw_setting
from tests.integration.alert.house import HOUR, MINUTE, RATES, House, burst, calm_weeks
from tests.records import NOON, classified, identifier
from tocsin.access.principals import Principal, Scope
from tocsin.bus.embedded import EmbeddedBus
from tocsin.config import Environment
from tocsin.contracts.events import Author, ClassifiedMention, mention_id
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.privacy import PrivacySettings
from tocsin.contracts.settings.run_time import RunTimeSetting, setting_value
from tocsin.live_settings import Following, LiveSettings
from tocsin.observability.health import Health
from tocsin.process import Surroundings
from tocsin.storage import stories
from tocsin.storage.database import Database
from tocsin.storage.tables.mentions import MentionTable

SOMEBODY = Principal("person:lea", frozenset({Scope.ACT}))
Set = Callable[..., RunTimeSetting]


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path)


@pytest.fixture
def context(house: House, tmp_path: Path) -> ApiContext:
    """Of an api process on the same database."""
    bus = EmbeddedBus(tmp_path / "api-bus.sqlite", house.clock)
    environment = Environment.read({"TOCSIN_HOME": str(tmp_path)})
    app = create_app(Surroundings(house.configuration, environment, house.clock, bus, house.database, Health()))
    found: ApiContext = app.state.context
    return found


@pytest.fixture
def set_(house: House, context: ApiContext) -> Set:
    """Sets something for `acme`, which the house has in force after its next look."""

    def made(*, brand: str = "acme", ends: datetime | None = None, **value: Any) -> RunTimeSetting:
        return add_setting(context, SOMEBODY, brand, setting_value(value), reason="a test", begins=None, ends=ends)

    return made


def of_source(source: str, *said: ClassifiedMention) -> list[ClassifiedMention]:
    return [
        item.model_copy(update={"source": source, "mention_id": mention_id(source, item.native_id)}) for item in said
    ]


def zoe(name: str = "zoe", at: datetime = NOON) -> ClassifiedMention:
    return classified(name, at=at, author="zoe", negative=0.1, text="Something about Acme")


def test_an_author_who_is_put_on_the_watch_list_rings_and_rings_no_more_when_taken_off(
    house: House, set_: Set, context: ApiContext
) -> None:
    house.write(zoe("before"))
    assert house.incidents() == []
    made = set_(kind="watch", authors=["@Zoe"], level="red")
    house.live.refresh()
    house.write(zoe("after"))
    (incident,) = house.incidents()
    assert incident.level is Level.RED
    assert made.rule_id in incident.reasons["en"]
    house.write(classified("other", brand="zenith", author="zoe"))
    assert house.level("zenith") is Level.GREEN
    withdraw_setting(context, SOMEBODY, "acme", made.id, reason="she writes of something else")
    house.live.refresh()
    house.write(zoe("later"))
    assert house.incidents()[0].evidence["watch"]["rings"] == 1


def test_a_ring_is_not_lost_where_the_process_that_handles_it_has_not_heard_of_the_rule_yet(
    house: House, set_: Set
) -> None:
    set_(kind="watch", authors=["zoe"])
    elsewhere = LiveSettings(house.configuration, house.database, house.clock)
    elsewhere.refresh()
    handler = house.another_handler(rings=False)
    handler._settings_of = lambda brand: elsewhere.overlay().detection(brand)
    house.write(zoe(), handler=handler)
    assert house.detection("acme").watch == (), "this one has not looked yet"
    assert house.watching.ring() == 1
    assert len(house.incidents()) == 1


@pytest.mark.parametrize("listed", ["bluesky:7", "7", "@Zoe"])
def test_a_watch_list_knows_an_author_by_id_though_ids_are_not_kept(house: House, set_: Set, listed: str) -> None:
    set_(kind="watch", authors=[listed])
    house.live.refresh()
    pseudonyms = Pseudonyms(PrivacySettings(), Following(house.live, watched_authors))
    handler = AlertHandler(
        house.database, house.clock, house.detection, house.bus, pseudonyms, rates=RATES, ring=house.watching.ring
    )
    said = classified("m", negative=0.1).model_copy(update={"author": Author(id="7", name="Zoe")})
    house.write(said, classified("other", author="8", negative=0.1), handler=handler)
    assert len(house.incidents()) == 1
    with house.database.read() as session:
        kept = {
            name: session.scalars(select(MentionTable).where(MentionTable.id == identifier(name))).one().author_id
            for name in ("m", "other")
        }
    assert kept == {"m": "7", "other": None}


@pytest.mark.parametrize("by", ["author", "source", "terms", "story"])
def test_a_muted_mention_makes_no_watch_rule_ring(house: House, set_: Set, by: str) -> None:
    set_(kind="watch", outlets=["Le Quotidien"])
    house.live.refresh()
    first = classified("first", at=NOON, text="The old joke about Acme", author="ann", negative=0.1)
    house.write(first)
    house.until(NOON + 6 * MINUTE)
    with house.database.read() as session:
        story = stories.of_mentions(session, "acme", [first.mention_id])[first.mention_id]
        key = _author_key(session, first.mention_id)
    target = {"author": key, "source": "bluesky", "terms": '"old joke"', "story": story}[by]
    set_(kind="mute", ends=NOON + 2 * HOUR, **{by: target})
    again = {"text": "The old joke about Acme", "author": "ann", "outlet": "Le Quotidien"}
    house.write(classified("again", at=NOON + 6 * MINUTE, **again))
    assert house.incidents() == []
    other = {"text": "Something else of Acme", "author": "bob", "outlet": "Le Quotidien"}
    house.write(*of_source("rss", classified("new", at=NOON + 6 * MINUTE, embedding=None, **other)))
    assert len(house.incidents()) == 1


def _author_key(session: Any, mention: UUID) -> str:
    key: str = session.scalars(select(MentionTable.author_key).where(MentionTable.id == mention)).one()
    return key


JOKE = "Acme and the old joke, it is a scandal"


def crowd(
    name: str, text: str = JOKE, begin: datetime = NOON, count: int = 60, **fields: Any
) -> list[ClassifiedMention]:
    """So many people who say the same within twenty minutes."""
    return burst(begin, count, name=name, lasting=20 * MINUTE, text=text, embedding=None, **fields)


def test_the_crowd_rings_where_nothing_is_muted(house: House) -> None:
    house.write(*calm_weeks(NOON))
    house.until(NOON + HOUR, said=crowd("joke"))
    assert house.level().serious


@pytest.mark.parametrize("by", ["source", "terms"])
def test_a_muted_crowd_rings_nothing_and_another_one_beside_it_does(house: House, set_: Set, by: str) -> None:
    house.write(*calm_weeks(NOON))
    set_(kind="mute", ends=NOON + 5 * HOUR, **{"source": {"source": "forum"}, "terms": {"terms": '"old joke"'}}[by])
    house.until(NOON + HOUR, said=of_source("forum", *crowd("joke")))
    assert not house.level().serious
    assert house.incidents() == []
    glass = crowd("glass", "Glass in my Acme jar, my child bled", begin=NOON + HOUR)
    house.until(NOON + 2 * HOUR, said=glass)
    (incident,) = house.incidents()
    assert incident.level.serious
    assert incident.evidence["muted"][0]["until"] == (NOON + 5 * HOUR).isoformat()
    assert "Mutes in force: 1" in incident.evidence["reasons"][-1]["en"]
    assert incident.evidence["harmful_authors"] <= 60, "the muted ones are not among them"


def test_a_story_that_is_muted_falls_silent_though_new_ones_go_on_telling_it(
    house: House, set_: Set, context: ApiContext
) -> None:
    house.write(*calm_weeks(NOON))
    few = crowd("first", count=4)
    house.until(NOON + 25 * MINUTE, said=few)
    assert not house.level().serious
    with house.database.read() as session:
        story = stories.of_mentions(session, "acme", [few[0].mention_id])[few[0].mention_id]
    made = set_(kind="mute", story=story, ends=NOON + 5 * HOUR)
    house.until(NOON + 90 * MINUTE, said=crowd("joke", begin=NOON + 30 * MINUTE))
    assert not house.level().serious
    withdraw_setting(context, SOMEBODY, "acme", made.id, reason="it is no joke")
    house.until(NOON + 120 * MINUTE)
    assert house.level().serious, "a mute that was withdrawn never was"


def test_a_mute_takes_what_was_said_in_the_last_day_too_and_nothing_after_its_end(house: House, set_: Set) -> None:
    house.write(*calm_weeks(NOON))
    house.until(NOON + 20 * MINUTE, said=crowd("joke"))
    set_(kind="mute", terms='"old joke"', ends=NOON + 3 * HOUR)
    house.until(NOON + 30 * MINUTE)
    assert house.judgements[-1].score < 20
    house.until(NOON + 5 * HOUR, said=crowd("again", begin=NOON + 4 * HOUR))
    assert house.level().serious


def test_a_muted_source_is_not_missed(house: House, set_: Set) -> None:
    house.write(*calm_weeks(NOON, rate=6), *of_source("forum", *calm_weeks(NOON, source="forum", rate=6)))
    set_(kind="mute", source="forum", ends=NOON + 20 * HOUR)
    for hours in range(0, 12, 2):
        house.write(*(item for item in [classified(f"b{hours}", at=NOON + hours * HOUR, negative=0.1)]))
        house.until(NOON + (hours + 2) * HOUR)
    silent = {source for judgement in house.judgements for source in judgement.newly_silent}
    assert "forum" not in silent


def test_a_campaign_that_is_entered_explains_the_volume(house: House, set_: Set) -> None:
    house.write(*calm_weeks(NOON))
    set_(kind="planned", name="Spring sale", ends=NOON + 5 * HOUR)
    house.live.refresh()
    house.until(NOON + HOUR, said=crowd("joke"))
    (incident,) = house.incidents()
    assert incident.evidence["planned"] == ["Spring sale"]
    assert any("Spring sale" in item["fr"] for item in incident.evidence["reasons"])


def test_a_crisis_word_counts_for_its_brand_also_in_what_was_said_before(house: House, set_: Set) -> None:
    set_(kind="crisis_words", words=["verrotox"])
    house.live.refresh()
    house.write(classified("one", text="Acme and Verrotox-7"), classified("two", brand="zenith", text="Verrotox"))
    with house.database.read() as session:
        kept = {
            name: session.scalars(select(MentionTable).where(MentionTable.id == identifier(name))).one().crisis_words
            for name in ("one", "two")
        }
    assert kept == {"one": "verrotox", "two": ""}
