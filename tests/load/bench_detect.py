"""How fast detection is: mentions a second through detection alone, and one evaluation with its database.

    python -m tests.load.bench_detect [--mentions 200000] [--evaluations 20]

Three figures, each for what it says:

- **through detection alone**: classified records (decoded, with labels and embeddings, as `classify` writes them) to judged
  instants: observed, counted by the hour, put in columns, told by stories, judged every five minutes. One process a core; a brand is
  always in one of them, as a partition's key would have it. Nothing else of the handler: no bus, no rows.
- **500 brands**: what one process spends to judge 500 quiet brands at one instant, with their weeks of history.
- **one evaluation, database included**: `Evaluator.evaluate` on a brand with 10,000 mentions in its last day, the way it runs live:
  rows that are new since the last instant are counted, stories given, the rest read as columns, the judgement written and committed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import statistics
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from services.alert.counting import Counting
from services.alert.detection.backtest import replay
from services.alert.detection.judge import INSTANT, Judge
from services.alert.detection.observations import HarmfulRates, Rate
from services.alert.detection.state import BrandProfile, BrandState
from services.alert.detection.stories import WIDTH
from services.alert.evaluator import Evaluator
from services.alert.handler import AlertHandler
from tests.databases import postgresql_for_benchmarks
from tests.records import NOON, classified, record
from tests.unit.detection.given import calm_history
from tocsin.bus.embedded import EmbeddedBus
from tocsin.clock import ManualClock
from tocsin.contracts import topics
from tocsin.contracts.codec import encode_classified
from tocsin.contracts.events import ClassifiedMention
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.observability.health import Health
from tocsin.storage.database import Database

SETTINGS = DetectionSettings()
RATES = HarmfulRates(by_language={"en": Rate(tpr=0.77, fpr=0.13), "fr": Rate(tpr=0.8, fpr=0.15)})
BRANDS = 20
_WORDS = re.findall(
    r"\w+",
    "the train was late again and nobody told us why my order never came back to me they said it would be fine but it is not "
    "great service today thank you for the quick answer what a shame this brand used to be good I will not buy it again ever",
)


def spoken(number: int, brand: str, random: np.random.Generator, minutes: float) -> Iterator[ClassifiedMention]:
    """Mentions of one brand over so many minutes: a third are copies, the others are texts of their own near one of 40 stories."""
    events = random.normal(size=(40, WIDTH))
    pasted = [" ".join(random.choice(_WORDS, 18)) for _ in range(20)]
    for index in range(number):
        copied = random.random() < 0.33
        text = str(random.choice(pasted)) if copied else " ".join(random.choice(_WORDS, 18))
        vector = events[int(random.integers(40))] + random.normal(size=WIDTH) * 0.6
        packed = np.clip(vector / np.linalg.norm(vector) * 400, -127, 127).astype(np.int8).tobytes()
        at = NOON + timedelta(minutes=minutes * (index + 0.5) / number)
        yield classified(
            f"{brand}-{index}", brand=brand, at=at, author=f"a{int(random.integers(number))}", received_at=at, text=text,
            negative=0.9 if random.random() < 0.3 else 0.1, embedding=b64encode(packed).decode(),
        )  # fmt: skip


def _through(arguments: tuple[int, int]) -> tuple[int, int, float, float]:
    """One process: (mentions, judged instants, seconds, seconds of its core)."""
    worker, number = arguments
    random = np.random.default_rng(worker)
    minutes = 60.0
    brands = [list(spoken(number // BRANDS, f"brand-{worker}-{index}", random, minutes)) for index in range(BRANDS)]
    mentions = sorted((item for brand in brands for item in brand), key=lambda item: item.published_at)
    began, worked = time.perf_counter(), time.process_time()
    judged = sum(1 for _ in replay(mentions, SETTINGS, RATES))
    return len(mentions), judged, time.perf_counter() - began, time.process_time() - worked


def through_detection(mentions: int, processes: int) -> str:
    """Mentions a second of `processes` at work at the same time."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        found = pool.map(_through, [(worker, mentions // processes) for worker in range(processes)])
    total, judged = sum(item[0] for item in found), sum(item[1] for item in found)
    slowest, worked = max(item[2] for item in found), sum(item[3] for item in found)
    return (
        f"through detection alone: {total / slowest:,.0f} mentions a second on {processes} processes, "
        f"{total / worked:,.0f} a second of one core's own time "
        f"({total:,} mentions of {BRANDS * processes} brands, {judged} instants judged, {slowest:.1f} s)"
    )


def many_brands(brands: int = 500) -> str:
    """What judging so many brands at one instant takes one process."""
    history = calm_history(NOON, days=28, rate=2)
    random = np.random.default_rng(1)
    profile = BrandProfile(id="brand")
    judge = Judge(profile, SETTINGS, RATES)
    told = list(replay(spoken(48, "brand", random, 24 * 60), SETTINGS, RATES))
    state = told[-1].state if told else BrandState()
    began = time.perf_counter()
    for _ in range(brands):
        judge = Judge(profile, SETTINGS, RATES)
        judge.judge(NOON + timedelta(days=2), {}, history, state)
    seconds = time.perf_counter() - began
    size = len(state.model_dump_json())
    return f"{brands} quiet brands at one instant: {seconds:.1f} s of one process's 300 s; a state of {size:,} bytes"


class House:
    """A handler and an evaluator on one database, with a clock that is moved by hand."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.clock = ManualClock(NOON)
        self.handler = AlertHandler(database, self.clock, SETTINGS, EmbeddedBus(folder / "bus.sqlite", self.clock))
        self.evaluator = Evaluator(
            database,
            self.clock,
            "bench",
            settings=SETTINGS,
            rates=RATES,
            profiles={},
            unknown=BrandProfile(id=""),
            complete_up_to=lambda _session: self.clock.now(),
            count=Counting(SETTINGS, RATES, self.clock),
            apply=lambda *_: None,
            health=Health(),
        )

    def write(self, mentions: Iterable[ClassifiedMention]) -> None:
        """Mentions, as the worker would hand them over."""
        records = [record(topics.CLASSIFIED, encode_classified(item, source="bench", at=NOON)) for item in mentions]
        for start in range(0, len(records), 500):
            self.handler.handle(records[start : start + 500])


def _timed(house: House) -> tuple[float, datetime]:
    """Milliseconds of the next evaluation, and its instant."""
    began = time.perf_counter()
    judgement = house.evaluator.evaluate("acme")
    taken = (time.perf_counter() - began) * 1000
    assert judgement is not None
    return taken, judgement.at


def one_evaluation(name: str, database: Database, folder: Path, *, mentions: int, evaluations: int) -> str:
    """Milliseconds of an evaluation of a brand with so many mentions in the day before it."""
    house = House(database, folder)
    random = np.random.default_rng(3)
    last = evaluations * INSTANT
    all_day = list(spoken(mentions + mentions * evaluations // 288, "acme", random, (24 * HOUR + last) / MINUTE))
    weeks = [
        item.model_copy(update={"published_at": item.published_at - timedelta(days=27), "received_at": None})
        for item in spoken(3000, "acme", random, 27 * 24 * 60)
    ]
    named = [
        item.model_copy(update={"native_id": f"w{index}", "mention_id": classified(f"w{index}").mention_id})
        for index, item in enumerate(weeks)
    ]
    house.write(named)
    begin = NOON + 24 * HOUR
    house.write(item for item in all_day if item.published_at <= begin)
    house.clock.move((begin - NOON).total_seconds())
    first, judged = _timed(house)
    while judged < begin:
        _, judged = _timed(house)
    taken = []
    for number in range(1, evaluations + 1):
        instant = begin + number * INSTANT
        house.clock.move(INSTANT.total_seconds())
        house.write(item for item in all_day if instant - INSTANT < item.published_at <= instant)
        milliseconds, judged = _timed(house)
        assert judged == instant, f"{judged} was judged, not {instant}"
        taken.append(milliseconds)
    return (
        f"one evaluation on {name}, {mentions:,} mentions in the day: median {statistics.median(taken):.0f} ms, "
        f"highest of {len(taken)} {max(taken):.0f} ms; the first, which counts all of them, {first:.0f} ms"
    )


HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mentions", type=int, default=200_000)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--evaluations", type=int, default=20)
    parser.add_argument("--window", type=int, default=10_000)
    arguments = parser.parse_args()
    print(through_detection(arguments.mentions, arguments.processes), flush=True)
    print(many_brands(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/tocsin.sqlite")
        database.upgrade()
        figures = {"mentions": arguments.window, "evaluations": arguments.evaluations}
        print(one_evaluation("SQLite", database, Path(folder), **figures), flush=True)
        database.close()
        with postgresql_for_benchmarks() as url:
            if url is None:
                print("one evaluation on PostgreSQL: left out, there is none here and DATABASE_URL names none")
                return
            (Path(folder) / "bus.sqlite").unlink()
            database = Database(url)
            database.upgrade()
            print(one_evaluation("PostgreSQL", database, Path(folder), **figures), flush=True)
            database.close()


if __name__ == "__main__":
    main()
