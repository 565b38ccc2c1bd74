"""Days that are added up: they say what their hours say, and are gone as soon as one of these changes."""

from __future__ import annotations

import itertools
import threading
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, func, select

from services.alert.counting import Counting
from services.alert.detection.observations import HarmfulRates
from services.alert.upkeep import Upkeep
from tests.contents import SETTINGS
from tests.records import NOON, classified
from tocsin.clock import ManualClock
from tocsin.contracts.events import Engagement, Risk, RiskKind, RiskKindScore, SourceKind
from tocsin.contracts.settings.services import RetentionSettings
from tocsin.observability.health import Health
from tocsin.storage import counts, distinct, mentions
from tocsin.storage.database import Database
from tocsin.storage.figures import Figures, count_spans, split_spans
from tocsin.storage.merging import Received
from tocsin.storage.tables.figures import DayFiguresTable, HourFiguresTable
from tocsin.storage.tallies import Split
from tocsin.storage.thresholds import Thresholds

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PARIS, KOLKATA = ZoneInfo("Europe/Paris"), ZoneInfo("Asia/Kolkata")
USUAL = Thresholds()


class Brand:
    """What was said of `acme`, and its days."""

    def __init__(self, database: Database, zone: ZoneInfo, clock: ManualClock) -> None:
        self._database = database
        self._clock = clock
        self._counting = Counting(SETTINGS, HarmfulRates(), clock)
        self._upkeep = Upkeep(
            database,
            clock,
            "me",
            retention=RetentionSettings(),
            complete_up_to=lambda _session: None,
            health=Health(),
            zones={"acme": zone},
        )

    def say(self, number: int, *, seed: int, within: timedelta, authors: int = 40) -> None:
        """As many mentions of all sorts, and have their hours counted."""
        random = Random(seed)
        said = [
            classified(
                f"{seed}-{index}",
                at=NOON - random.random() * within,
                source=random.choice(["bluesky", "rss"]),
                source_kind=random.choice(list(SourceKind)),
                language=random.choice(["fr", "pt-BR", None]),
                negative=random.choice([0.9, 0.1]),
                author=str(random.randrange(authors)),
                engagement=random.choice([None, Engagement(likes=2, replies=1), Engagement(views=100)]),
                risk=Risk(score=0.4, kinds=(RiskKindScore(kind=random.choice(list(RiskKind)), score=0.7),)),
            )
            for index in range(number)
        ]
        with self._database.unit_of_work() as session:
            mentions.write(session, [Received(item, item.published_at, True, copy_key=item.text) for item in said])

    def count(self) -> None:
        with self._database.unit_of_work() as session:
            counts.recount(session, "acme", self._counting.count, now=self._clock.now())

    def add_up_days(self) -> int:
        """Have the days that are over added up; returns how many there are."""
        self._upkeep.clean_up(threading.Event())
        with self._database.read() as session:
            return session.scalar(select(func.count()).where(DayFiguresTable.split == "")) or 0

    def figures(self, edges: list[datetime]) -> list[tuple[Figures, list[dict[str, Figures]]]]:
        """Every figure between the edges, as a whole and by every split."""
        with self._database.read() as session:
            wholes = count_spans(session, "acme", edges, thresholds=USUAL)
            apart = [split_spans(session, "acme", edges, split=split, thresholds=USUAL) for split in Split]
        return [(whole, [spans[index][1] for spans in apart]) for index, whole in enumerate(wholes)]


@pytest.fixture(params=[PARIS, KOLKATA], ids=["Paris", "Kolkata"])
def zone(request: pytest.FixtureRequest) -> ZoneInfo:
    found: ZoneInfo = request.param
    return found


@pytest.fixture
def brand(database: Database, zone: ZoneInfo, clock: ManualClock) -> Brand:
    return Brand(database, zone, clock)


def midnights(zone: ZoneInfo, days: int) -> list[datetime]:
    today = NOON.astimezone(zone).replace(hour=0, minute=0)
    return [(today - timedelta(days=back)).astimezone(NOON.tzinfo) for back in range(days, -2, -1)]


def ways(zone: ZoneInfo) -> list[list[datetime]]:
    """Edges of days, of weeks, of hours, of two rolling weeks, and at odd minutes."""
    days = midnights(zone, 12)
    return [
        days,
        days[::7],
        [NOON - 30 * HOUR + index * HOUR for index in range(31)],
        [NOON - 10 * DAY - HOUR / 2, NOON - 3 * DAY + timedelta(minutes=5), NOON],
        [NOON - 9 * DAY + timedelta(seconds=7), NOON - timedelta(minutes=13, seconds=3)],
    ]


def test_whatever_is_asked_days_say_what_their_hours_say(brand: Brand, zone: ZoneInfo) -> None:
    brand.say(400, seed=1, within=11 * DAY)
    brand.count()
    from_hours = [brand.figures(edges) for edges in ways(zone)]
    assert brand.add_up_days() >= 10
    assert [brand.figures(edges) for edges in ways(zone)] == from_hours
    # What is said later of a day that was added up is there at once, after its hour was counted, and after the day was again.
    brand.say(60, seed=2, within=9 * DAY)
    later = [brand.figures(edges) for edges in ways(zone)]
    assert sum(whole.mentions for whole, _ in later[0]) > sum(whole.mentions for whole, _ in from_hours[0])
    brand.count()
    assert [brand.figures(edges) for edges in ways(zone)] == later
    brand.add_up_days()
    assert [brand.figures(edges) for edges in ways(zone)] == later


def test_months_are_read_from_days_alone(brand: Brand, zone: ZoneInfo, database: Database) -> None:
    brand.say(200, seed=1, within=11 * DAY)
    brand.count()
    brand.add_up_days()
    until_today = midnights(zone, 12)[:-1]
    before = brand.figures(until_today)
    with database.unit_of_work() as session:
        session.execute(delete(HourFiguresTable))
    assert brand.figures(until_today) == before
    assert sum(whole.mentions for whole, _ in before) > 150


def test_a_day_that_is_not_over_or_has_an_uncounted_hour_is_not_added_up(brand: Brand, zone: ZoneInfo) -> None:
    brand.say(200, seed=1, within=5 * DAY)
    brand.count()
    days = brand.add_up_days()
    assert days in (5, 6)
    brand.say(1, seed=2, within=30 * HOUR)
    brand.say(40, seed=3, within=HOUR)
    brand.add_up_days()
    assert brand.add_up_days() <= days
    brand.count()
    assert brand.add_up_days() == days


@pytest.mark.parametrize("zone", [PARIS], indirect=True)
def test_a_brand_that_moves_to_another_zone_has_its_old_days_where_they_fit(
    brand: Brand, database: Database, clock: ManualClock
) -> None:
    brand.say(300, seed=1, within=8 * DAY)
    brand.count()
    edges = ways(KOLKATA)
    before = [brand.figures(each) for each in edges]
    brand.add_up_days()
    assert [brand.figures(each) for each in edges] == before
    moved = Brand(database, KOLKATA, clock)
    moved.add_up_days()
    assert [brand.figures(each) for each in edges] == before


@pytest.mark.parametrize("zone", [PARIS], indirect=True)
def test_authors_of_a_day_are_exact_and_of_a_week_of_crowds_estimated(
    brand: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distinct, "MOST_EXACT", 50)
    brand.say(400, seed=1, within=3 * DAY, authors=10_000)
    brand.count()
    days = midnights(PARIS, 4)
    exact = [whole.authors for whole, _ in brand.figures(days)]
    week = brand.figures([days[0], days[-1]])[0][0].authors
    brand.add_up_days()
    assert [whole.authors for whole, _ in brand.figures(days)] == exact
    assert brand.figures([days[0], days[-1]])[0][0].authors == pytest.approx(week, rel=4 * 0.0163)
    assert max(exact) > 50


def test_days_on_which_the_clocks_change_are_as_long_as_they_are(database: Database, clock: ManualClock) -> None:
    clock.move((datetime(2026, 4, 1, 12, tzinfo=NOON.tzinfo) - clock.now()).total_seconds())
    brand = Brand(database, PARIS, clock)
    with database.unit_of_work() as session:
        said = [
            classified(f"{hour}", at=datetime(2026, 3, 28, 12, tzinfo=NOON.tzinfo) + hour * HOUR, author=str(hour % 5))
            for hour in range(60)
        ]
        mentions.write(session, [Received(item, item.published_at, True, copy_key=item.text) for item in said])
    brand.count()
    days = [datetime(2026, 3, day, tzinfo=PARIS).astimezone(NOON.tzinfo) for day in (28, 29, 30, 31)]
    assert [until - since for since, until in itertools.pairwise(days)] == [DAY, 23 * HOUR, DAY]
    before = brand.figures(days)
    brand.add_up_days()
    assert brand.figures(days) == before
    assert [whole.mentions for whole, _ in before] == [11, 23, 24]
