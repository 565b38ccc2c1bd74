"""The evaluator on both databases: when an instant is due, what it does to incidents, and that two of them are as good as one."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from services.alert.counting import Counting
from services.alert.detection.backtest import run_backtest
from services.alert.detection.observations import HarmfulRates
from services.alert.detection.state import BrandProfile, Judgement
from services.alert.evaluator import CATCH_UP, PATIENCE, Evaluator, next_instant
from services.alert.handler import AlertHandler
from tests.records import NOON, classified, record
from tocsin.bus.embedded import EmbeddedBus
from tocsin.clock import ManualClock
from tocsin.contracts import topics
from tocsin.contracts.codec import encode_classified
from tocsin.contracts.events import ClassifiedMention
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.observability.health import Health
from tocsin.storage import brands
from tocsin.storage.brands import BrandStatus
from tocsin.storage.database import Database

SETTINGS = DetectionSettings()
RATES = HarmfulRates(risk_threshold=1.0, relevance_threshold=0.0, toxicity_threshold=1.0)
MINUTE = timedelta(minutes=1)


class Installation:
    """A handler and evaluators on one database, with a clock that the test moves and a watermark that it sets."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.clock = ManualClock(NOON + timedelta(seconds=1))
        self.complete_up_to: datetime | None = None
        self.applied: list[Judgement] = []
        self.handler = AlertHandler(database, self.clock, SETTINGS, EmbeddedBus(folder / "bus.sqlite", self.clock))

    def evaluator(self, owner: str = "one") -> Evaluator:
        return Evaluator(
            self.database,
            self.clock,
            owner,
            settings=SETTINGS,
            rates=RATES,
            profiles={},
            unknown=BrandProfile(id=""),
            complete_up_to=lambda _session: self.complete_up_to,
            count=Counting(SETTINGS, RATES, self.clock),
            apply=lambda _session, judgement, _complete: self.applied.append(judgement),
            health=Health(),
        )

    def write(self, *mentions: ClassifiedMention) -> None:
        self.handler.handle(
            [record(topics.CLASSIFIED, encode_classified(item, source="test", at=NOON)) for item in mentions]
        )

    def level(self, brand: str = "acme") -> Level:
        with self.database.read() as session:
            return brands.board(session, [brand])[0].level


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Installation:
    return Installation(database, tmp_path)


def calm_weeks(until: datetime, days: int = 10) -> list[ClassifiedMention]:
    """Two authors an hour, one of ten negative."""
    return [
        classified(
            f"calm-{hour}-{which}",
            at=until - timedelta(hours=hour) - 7 * MINUTE,
            author=f"calm-{hour}-{which}",
            negative=0.9 if (hour + which) % 10 == 0 else 0.1,
        )
        for hour in range(1, 24 * days)
        for which in range(2)
    ]


def burst(at: datetime, count: int) -> list[ClassifiedMention]:
    """So many angry authors within the minute before `at`."""
    return [
        classified(
            f"angry-{number}", at=at - timedelta(seconds=1 + number % 50), author=f"angry-{number}", negative=0.95
        )
        for number in range(count)
    ]


def test_an_instant_waits_for_the_ticks_that_pass_it(house: Installation) -> None:
    house.write(*calm_weeks(NOON))
    evaluator = house.evaluator()
    house.complete_up_to = NOON - MINUTE
    assert evaluator.evaluate_due() == 0
    house.complete_up_to = NOON
    house.clock.move(10)
    assert evaluator.evaluate_due() == 1
    assert house.applied[0].at == NOON


def test_without_ticks_an_instant_is_judged_when_patience_is_over_and_says_so(house: Installation) -> None:
    house.write(*calm_weeks(NOON), *burst(NOON, 40))
    evaluator = house.evaluator()
    assert evaluator.evaluate_due() == 0
    house.clock.move(PATIENCE.total_seconds() - 1)
    assert evaluator.evaluate_due() == 1
    [judgement] = house.applied
    assert judgement.level.serious
    assert judgement.evidence["complete_up_to"] is None or judgement.evidence["complete_up_to"] < NOON.isoformat()


def test_instants_follow_each_other_also_when_nothing_is_said(house: Installation) -> None:
    house.write(*calm_weeks(NOON))
    evaluator = house.evaluator()
    for _ in range(4):
        house.complete_up_to = house.clock.now()
        assert evaluator.evaluate_due() == 1
        assert evaluator.evaluate_due() == 0
        house.clock.move(300)
    assert [judgement.at for judgement in house.applied] == [NOON + 5 * number * MINUTE for number in range(4)]


def test_a_crisis_raises_the_level_in_the_database(house: Installation) -> None:
    house.write(*calm_weeks(NOON), *burst(NOON, 40))
    house.complete_up_to = NOON
    house.evaluator().evaluate_due()
    assert house.level().serious
    assert house.applied[0].event is not None
    assert "40 " in house.applied[0].reasons[0].en
    with house.database.read() as session:
        [status] = brands.board(session, ["acme"])
    assert status.reasons == {"fr": house.applied[0].reasons[0].fr, "en": house.applied[0].reasons[0].en}


def test_of_two_evaluators_exactly_one_judges_each_instant(house: Installation) -> None:
    house.write(*calm_weeks(NOON), *burst(NOON, 40))
    house.complete_up_to = NOON
    start = threading.Barrier(2)

    def work(owner: str) -> None:
        evaluator = house.evaluator(owner)
        start.wait()
        evaluator.evaluate_due()

    threads = [threading.Thread(target=work, args=(owner,)) for owner in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [judgement.at for judgement in house.applied] == [NOON]


def test_a_crash_before_the_commit_leaves_the_instant_to_the_next(house: Installation) -> None:
    house.write(*calm_weeks(NOON), *burst(NOON, 40))
    house.complete_up_to = NOON
    crashing = house.evaluator("crashing")
    crashing._apply = lambda *_: (_ for _ in ()).throw(RuntimeError("power cut"))
    with pytest.raises(RuntimeError):
        crashing.evaluate_due()
    assert house.level() is Level.GREEN
    # The claim of the dead one has run out.
    house.clock.move(130)
    assert house.evaluator("next").evaluate_due() == 1
    assert house.level().serious


def test_after_a_long_absence_nobody_is_woken_for_what_is_long_over() -> None:
    def status(evaluated_at: datetime | None, due_at: datetime = NOON) -> BrandStatus:
        return BrandStatus("acme", due_at, Level.GREEN, 0.0, evaluated_at, None, {}, {}, None)

    assert next_instant(status(None, NOON + 3 * MINUTE), NOON + 4 * MINUTE) == NOON
    assert next_instant(status(NOON - 5 * MINUTE), NOON) == NOON
    assert next_instant(status(NOON - timedelta(days=2)), NOON) == NOON - CATCH_UP


def test_a_live_run_and_a_backtest_of_the_same_mentions_ring_at_the_same_instant(house: Installation) -> None:
    mentions = sorted([*calm_weeks(NOON), *burst(NOON + 62 * MINUTE, 40)], key=lambda item: item.published_at)
    believed = [item.model_copy(update={"received_at": item.published_at}) for item in mentions]
    house.write(*[item for item in believed if item.published_at <= NOON])
    evaluator = house.evaluator()
    later = [item for item in believed if item.published_at > NOON]
    for number in range(20):
        house.complete_up_to = house.clock.now()
        due = [item for item in later if NOON + 5 * (number - 1) * MINUTE < item.published_at <= house.clock.now()]
        if due:
            house.write(*due)
        evaluator.evaluate_due()
        house.clock.move(300)
    live = [(item.at, item.level) for item in house.applied if item.event is not None]
    end = classified("end", at=NOON + timedelta(hours=3), author="end", negative=0.1)
    replayed = list(
        run_backtest([*believed, end.model_copy(update={"received_at": end.published_at})], SETTINGS, RATES)
    )
    assert [(datetime.fromisoformat(change["at"]), Level(change["level"])) for change in replayed][: len(live)] == live
    assert live
