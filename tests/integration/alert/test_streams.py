"""Whole streams through handler, evaluator and incidents, on both databases: what processes do must not show in what rings."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest

from services.alert.detection.backtest import run_backtest
from services.alert.detection.state import BrandProfile
from services.alert.detection.stories import WIDTH
from tests.integration.alert.house import HOUR, MINUTE, RATES, House, burst, calm_weeks
from tests.records import NOON, classified
from tocsin.contracts.events import ClassifiedMention, RiskKindScore
from tocsin.contracts.incidents import IncidentEventType, Level
from tocsin.storage.database import Database
from tocsin.storage.tables.mentions import DirtyHourTable, HourCountTable

FIVE = 5 * MINUTE


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    return House(database, tmp_path)


def embedded(event: int, number: int) -> str:
    """An embedding near that of an event, base64."""
    vector = np.random.default_rng(event).normal(size=WIDTH) + 0.4 * np.random.default_rng(1000 + number).normal(
        size=WIDTH
    )
    return b64encode(np.clip(vector * 30, -127, 127).astype(np.int8).tobytes()).decode()


def changes(house: House) -> list[tuple]:
    return [
        (item.at, item.event, item.level, item.score, item.reasons, item.evidence["stories"])
        for item in house.judgements
        if item.event is not None
    ]


def crisis() -> list[ClassifiedMention]:
    """Forty minutes of anger in two stories, some of it pasted."""
    words = "glass jar child found shame brand never again batch shop recall bad".split()  # noqa: SIM905 - a sentence of them
    said = []
    for number in range(90):
        event, at = number % 2, NOON + timedelta(seconds=30 + 26 * number)
        pasted = f"Everybody should know what they did to us, share this number {event}"
        own = " ".join(Random(number).sample(words, 7))
        said.append(
            classified(
                f"crisis-{number}",
                at=at,
                received_at=at,
                author=f"crisis-{number}",
                text=pasted if number % 5 == 0 else own,
                embedding=embedded(event, number),
                negative=0.9,
            )
        )
    return said


def test_a_restart_a_rebalance_and_a_second_process_give_the_same_alerts(database: Database, tmp_path: Path) -> None:
    before, said = calm_weeks(NOON, 5), crisis()
    (tmp_path / "other").mkdir()
    other_database = Database(f"sqlite:///{tmp_path / 'other' / 'reference.sqlite'}")
    other_database.upgrade()
    reference = House(other_database, tmp_path / "other")
    reference.write(*before)
    reference.until(NOON + HOUR, said=said)
    assert changes(reference), "there is something to compare"

    troubled = House(database, tmp_path)
    troubled.write(*before, *before[:500])
    random, waiting = Random(1), list(said)
    evaluators = [troubled.evaluator("one"), troubled.evaluator("two")]
    handlers = [troubled.handler, troubled.another_handler()]
    number = 0
    while troubled.clock.now() < NOON + HOUR + MINUTE:
        now = troubled.clock.now()
        due = [item for item in waiting if item.received_at and item.received_at <= now]
        waiting = waiting[len(due) :]
        # Cut otherwise, out of order, by two handlers, and each batch once more where it was not committed on the bus.
        random.shuffle(due)
        for start in range(0, len(due), 4):
            batch = due[start : start + 4]
            troubled.write(*batch, handler=handlers[number % 2])
            troubled.write(*batch, handler=handlers[(number + 1) % 2])
        if number % 3 == 0:
            # A process is gone and another comes up: everything that it knew is in the database.
            evaluators[number % 2] = troubled.evaluator(f"new-{number}")
        while evaluators[0].evaluate_due() + evaluators[1].evaluate_due():
            pass
        troubled.clock.move(300)
        number += 1
    assert changes(troubled) == changes(reference)
    assert [item.level for item in troubled.incidents()] == [item.level for item in reference.incidents()]
    (one,), (other,) = troubled.incidents(), reference.incidents()
    assert [(event.type, event.at) for event in troubled.events(one)] == [
        (event.type, event.at) for event in reference.events(other)
    ]
    reference.database.close()

    # And a replay of the same file gives what the live run gave.
    everything = sorted([*before, *said], key=lambda item: item.received_at or item.published_at)
    end = classified("end", at=NOON + HOUR, author="end", negative=0.1).model_copy(
        update={"received_at": NOON + HOUR + 2 * MINUTE}
    )
    replayed = [
        item for item in run_backtest([*everything, end], troubled.configuration.detection, RATES)
        if datetime.fromisoformat(item["at"]) >= NOON
    ]  # fmt: skip
    assert [(datetime.fromisoformat(item["at"]), item["level"], item["score"]) for item in replayed] == [
        (at, level.value, score) for at, _, level, score, *_ in changes(reference)
    ]


STORIES = (
    "Glass was found in a jar of Acme this morning by a mother of two",
    "My child nearly swallowed a splinter from their breakfast cream",
    "The shop at the corner has taken every Acme product off its shelves",
    "Their hotline hangs up as soon as one says the word splinter",
    "A nurse in Lyon says that three people came in with cut lips today",
)


def storm(size: int) -> list[ClassifiedMention]:
    """So many bad mentions in a minute, in five stories of one event, a tenth of them in words of their own."""
    return [
        classified(
            f"storm-{number}",
            at=NOON - timedelta(seconds=59 * (number + 0.5) / size),
            author=f"storm-{number}",
            text=STORIES[number % 5]
            + (f" and witness {number} saw it too, so help me, at door {number * 7}" if number % 10 == 0 else ""),
            embedding=embedded(number % 5, number),
            negative=0.95,
        )
        for number in range(size)
    ]


def test_ten_thousand_bad_mentions_in_a_minute_are_one_incident_and_one_escalation(house: House) -> None:
    house.write(*calm_weeks(NOON, 5))
    house.until(NOON + timedelta(seconds=2))
    house.write(*storm(10_000 if not house.database.is_postgresql else 2_000))
    house.until(NOON + 26 * MINUTE)
    (incident,) = house.incidents()
    assert incident.level.serious
    happened = Counter(event.type for event in house.events(incident))
    assert happened[IncidentEventType.OPENED] == 1
    # One start of the escalation, and one more where the level has risen to red since.
    assert incident.start <= 2
    assert happened[IncidentEventType.ESCALATED] <= 2 * incident.start
    assert len(incident.evidence["stories"]) == 5
    counts = incident.evidence["counts"]["told"]
    assert counts["mentions"] == counts["authors"]
    assert counts["stories"] < 20


def test_imported_history_and_a_replay_wake_nobody(database: Database, tmp_path: Path) -> None:
    house = House(database, tmp_path, "{watch: [{id: all, risk: 0.0}]}")
    house.write(*calm_weeks(NOON, 5), imported=True)
    house.write(*burst(NOON - 3 * MINUTE, 300), imported=True)
    house.until(NOON + 20 * MINUTE)
    assert len(house.judgements) >= 4
    assert {item.level for item in house.judgements} == {Level.GREEN}
    assert house.incidents() == []
    with house.database.read() as session:
        counted = sum(row.counts["mentions"] for row in session.query(HourCountTable))
    assert counted == len(calm_weeks(NOON, 5)) + 300, "it teaches all the same"


def test_a_backlog_that_comes_hours_late_wakes_nobody(house: House) -> None:
    house.write(*calm_weeks(NOON, 5))
    late = [
        item.model_copy(update={"received_at": NOON + 2 * MINUTE})
        for item in burst(NOON - 6 * HOUR, 200, lasting=3 * HOUR)
    ]
    house.until(NOON + 21 * MINUTE, said=late)
    assert max(item.level for item in house.judgements) is Level.GREEN


def test_mentions_of_the_future_wake_nobody_now_or_then(house: House) -> None:
    house.write(*calm_weeks(NOON, 5))
    ahead = [item.model_copy(update={"received_at": NOON}) for item in burst(NOON + 20 * MINUTE, 200)]
    house.until(NOON + 40 * MINUTE, said=ahead)
    assert max(item.level for item in house.judgements) is Level.GREEN


def test_a_threshold_that_changes_has_history_counted_again_and_a_query_that_changes_marks_a_break(
    house: House,
) -> None:
    house.write(*calm_weeks(NOON, 4))
    house.profile = BrandProfile(id="", baseline_key="query 1", counting_key="words 1")
    house.until(NOON + MINUTE)
    with house.database.unit_of_work() as session:
        rows = session.query(HourCountTable).all()
        for row in rows:
            row.counts = {**row.counts, "harmful": 777}
    assert house.judgements[-1].state.broken_at is None
    house.profile = BrandProfile(id="", baseline_key="query 2", counting_key="words 2")
    house.until(NOON + 6 * MINUTE)
    with house.database.read() as session:
        assert {row.counts["harmful"] for row in session.query(HourCountTable)} <= {0, 1, 2}
        assert session.query(DirtyHourTable).count() == 0
    assert house.judgements[-1].state.broken_at == NOON + FIVE
    house.until(NOON + 11 * MINUTE)
    assert house.judgements[-1].state.broken_at == NOON + FIVE


def test_a_recall_told_in_neutral_sentences_reaches_orange(house: House) -> None:
    house.write(*calm_weeks(NOON, 5, rate=4))
    recall = [
        item.model_copy(update={"risk": item.risk.model_copy(update={"kinds": (RiskKindScore(kind="product_safety", score=0.8),)})})
        for item in burst(NOON, 40, lasting=40 * MINUTE, negative=0.05, text="Acme recalls batch 12 of its jars as a precaution")
        if item.risk
    ]  # fmt: skip
    house.until(NOON + 46 * MINUTE, said=with_receipt(recall))
    assert house.level() is Level.ORANGE
    (incident,) = house.incidents()
    assert "on a grave matter" in incident.reasons["en"]
    assert "Acme recalls batch 12" in incident.reasons["en"]


def with_receipt(mentions: Iterable[ClassifiedMention]) -> list[ClassifiedMention]:
    return [item.model_copy(update={"received_at": item.published_at}) for item in mentions]
