"""Streams that only look like a crisis, through handler, evaluator and incidents, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.alert.detection.state import EventKind
from tests.integration.alert.house import HOUR, MINUTE, House, burst, calm_weeks
from tests.records import NOON
from tocsin.contracts.events import ClassifiedMention
from tocsin.contracts.incidents import Level
from tocsin.storage.database import Database


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path)


def at_once(mentions: list[ClassifiedMention]) -> list[ClassifiedMention]:
    """Each comes when it is published."""
    return [item.model_copy(update={"received_at": item.published_at}) for item in mentions]


def highest(house: House) -> Level:
    return max(item.level for item in house.judgements)


def test_a_source_that_falls_silent_is_an_alarm_of_its_own_and_its_backlog_is_no_crisis(house: House) -> None:
    usual = calm_weeks(NOON + 4 * HOUR, 6, rate=8)
    before = [item for item in usual if item.published_at <= NOON]
    backlog = [
        item.model_copy(update={"received_at": NOON + 4 * HOUR + MINUTE}) for item in usual if item.published_at > NOON
    ]
    assert len(backlog) >= 20
    house.write(*before)
    house.until(NOON + 4 * HOUR)
    silent = [item for item in house.judgements if item.newly_silent]
    assert [item.newly_silent for item in silent] == [("bluesky",)]
    assert silent[0].level is Level.YELLOW
    assert "The source bluesky has said nothing since" in silent[0].reasons[0].en
    assert "La source bluesky ne dit plus rien depuis" in silent[0].reasons[0].fr
    assert silent[0].evidence["decided"]["threshold"] == "silence.surprise"
    house.until(NOON + 5 * HOUR, said=backlog)
    back = [item for item in house.judgements if item.back]
    assert [item.back for item in back] == [("bluesky",)]
    assert back[0].state.silences, "the silent hours do not teach"
    assert highest(house) is Level.YELLOW
    assert house.incidents() == []


def test_a_harmless_post_that_everybody_passes_on_wakes_nobody(house: House) -> None:
    house.write(*calm_weeks(NOON, 5, rate=4))
    reposts = burst(
        NOON, 250, name="fan", lasting=40 * MINUTE, negative=0.04, repost_of="window-1",
        text="RT @acme: our shop window for the spring festival",
    )  # fmt: skip
    house.until(NOON + HOUR, said=at_once(reposts))
    assert house.judgements[-1].measures[1].count.authors >= 250, "it was seen"
    assert not highest(house).serious
    assert house.incidents() == []


def test_fifty_posts_of_one_author_wake_nobody(house: House) -> None:
    house.write(*calm_weeks(NOON, 5, rate=4))
    house.until(NOON + HOUR, said=at_once(burst(NOON, 50, lasting=40 * MINUTE, author="loud")))
    assert not highest(house).serious
    assert house.incidents() == []


def test_a_brand_that_is_seen_for_the_first_time_is_no_crisis_however_negative(house: House) -> None:
    house.until(NOON + HOUR, said=at_once(burst(NOON, 60, lasting=40 * MINUTE, brand="newcomer")))
    assert house.level("newcomer") is Level.GREEN
    assert {item.level for item in house.judgements} == {Level.GREEN}
    assert house.judgements[-1].state.known_since is not None


@pytest.mark.parametrize("size", [1, 7])
def test_how_the_stream_was_cut_into_batches_shows_in_nothing(size: int, database: Database, tmp_path: Path) -> None:
    stream = [*calm_weeks(NOON, 4), *at_once(burst(NOON, 40, lasting=30 * MINUTE, text="Never again, Acme"))]
    (tmp_path / "whole").mkdir()
    other = Database(f"sqlite:///{tmp_path / 'whole' / 'reference.sqlite'}")
    other.upgrade()
    whole, cut = House(other, tmp_path / "whole"), House(database, tmp_path)
    for house, step in ((whole, 500), (cut, size)):
        waiting = list(stream)
        while house.clock.now() < NOON + 41 * MINUTE:
            now = house.clock.now()
            news, waiting = [m for m in waiting if m.published_at <= now], [m for m in waiting if m.published_at > now]
            for start in range(0, len(news), step):
                house.write(*news[start : start + step])
            house.until(now + 5 * MINUTE)
    assert any(item.event is EventKind.OPENED for item in whole.judgements)
    assert [(item.at, item.level, item.score, item.evidence) for item in cut.judgements] == [
        (item.at, item.level, item.score, item.evidence) for item in whole.judgements
    ]
    other.close()
