"""How soon detection notices a crisis of known strength, and how often it rings for nothing.

    python -m tests.load.bench_detect_quality [--trials 15] [--months 2]

Made-up streams need no data. With TOCSIN_TEST_DATA, bursts of real boycott tweets are dropped into calm airline streams too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from services.alert.detection.backtest import EXACT, gold_record, run_backtest
from tests.load.injected import BEGIN, HOUR, Stream, alarms, delay_to_orange, draw, least_delay
from tocsin.contracts.events import ClassifiedMention, Mention, SentimentLabel
from tocsin.contracts.settings.detection import DetectionSettings

STREAMS = {
    "20/h, flat": Stream(),
    "20/h, by the hour": Stream(swing=0.8),
    "3/h, days swing": Stream(rate=3, drift=0.2),
    "100/h, days swing": Stream(rate=100, swing=0.5, drift=0.3),
}
LIMITS = {2.0: 240, 3.0: 90, 5.0: 45, 10.0: 30}
"""Minutes to orange at so many times the harmful rate, in the median, for the first of the streams."""
MONTH = 30 * 24 * HOUR
STRENGTHS = (10, 20, 40, 80, 160)
"""Mentions of a real burst that are dropped in."""


def delays(stream: Stream, times: float, trials: int, settings: DetectionSettings) -> list[float]:
    """Minutes to orange; infinite where it was not reached within a day."""
    found = [delay_to_orange(stream, times, seed, settings) for seed in range(trials)]
    return [float("inf") if hours is None else 60 * hours for hours in found]


def false_alarms(stream: Stream, months: int, settings: DetectionSettings) -> float:
    """Serious alarms a month of calm, those within a day as one."""
    number = 0
    for seed in range(months):
        begin = BEGIN + timedelta(days=15)
        mentions = draw(stream, BEGIN, (begin + MONTH - BEGIN) / HOUR, np.random.default_rng(1000 + seed), "calm")
        first = begin
        while found := alarms(mentions, first, begin + MONTH, settings):
            number += 1
            first = found[0] + timedelta(days=1)
    return number / months


def read(path: Path) -> list[Mention]:
    """The mentions of a file of the test data."""
    with path.open(encoding="utf-8") as lines:
        return [Mention.model_validate_json(line) for line in lines]


def bursts(boycott: Sequence[Mention], number: int) -> list[list[Mention]]:
    """The densest stretches of real boycott tweets with `number` mentions, not overlapping."""
    at = np.array([mention.published_at.timestamp() for mention in boycott])
    length = at[number - 1 :] - at[: len(at) - number + 1]
    chosen: list[int] = []
    for start in np.argsort(length, kind="stable"):
        if all(abs(int(start) - other) >= number for other in chosen):
            chosen.append(int(start))
        if len(chosen) == 5:
            break
    return [list(boycott[start : start + number]) for start in chosen]


def dropped_in(
    calm: Sequence[ClassifiedMention], burst: Sequence[Mention], onset: datetime, brand: str
) -> float | None:
    """Minutes from the burst's first mention to orange, squeezed into two hours; None when it was not noticed in six."""
    begin = burst[0].published_at
    lasted = max((burst[-1].published_at - begin).total_seconds(), 1.0)
    squeeze = min(1.0, 2 * 3600 / lasted)
    moved = []
    for number, mention in enumerate(burst):
        labelled = mention.model_copy(
            update={
                "native_id": f"burst-{number}",
                "published_at": onset + (mention.published_at - begin) * squeeze,
                "sentiment": SentimentLabel.NEGATIVE,
                "brands": (brand,),
            }
        )
        moved.append(gold_record(labelled, brand))
    mentions = sorted([*calm, *moved], key=lambda mention: mention.published_at)
    for event in run_backtest(mentions, DetectionSettings(), EXACT):
        at = datetime.fromisoformat(event["at"])
        if event["level"] in {"orange", "red"} and onset <= at <= onset + 6 * HOUR:
            return (at - onset).total_seconds() / 60
    return None


def bench_made_up(trials: int, months: int) -> bool:
    """Print delays beside the least possible and false alarms a month; true when all is as promised."""
    settings = DetectionSettings()
    good = True
    print(
        "minutes from the onset to orange, median (90th percentile), beside the least possible at one false alarm a month"
    )
    print(f"{'stream':20}" + "".join(f"{times:>20g}x" for times in LIMITS) + "   false alarms a month")
    for name, stream in STREAMS.items():
        cells = []
        for times, limit in LIMITS.items():
            found = delays(stream, times, trials, settings)
            median, late = float(np.median(found)), float(np.quantile(found, 0.9, method="higher"))
            least = 60 * least_delay(stream, times, MONTH / HOUR)
            cells.append(f"{median:8.0f} ({late:4.0f}) {least:5.0f}")
            good &= name != "20/h, flat" or median <= limit
        false = false_alarms(stream, months, settings)
        good &= false <= 1
        print(f"{name:20}" + "".join(f"{cell:>21}" for cell in cells) + f"{false:23.1f}", flush=True)
    return good


def bench_real(folder: Path) -> None:
    """Print how many real bursts of each size are noticed in a calm airline's stream, and how soon."""
    brand = "jetblue"
    airlines = [m for m in read(folder / "airlines_dev.jsonl") if m.brands[0] == brand]
    calm = [gold_record(mention, brand) for mention in airlines]
    boycott = read(folder / "boycott_2012_2019.jsonl")
    print(f"\nreal boycott bursts, squeezed into two hours, dropped into the fourth day of {brand}")
    random = np.random.default_rng(7)
    for number in STRENGTHS:
        found = []
        for burst in bursts(boycott, number):
            onset = calm[0].published_at + timedelta(days=3, hours=float(random.uniform(2, 12)))
            found.append(dropped_in(calm, burst, onset, brand))
        noticed = [minutes for minutes in found if minutes is not None]
        middle = f"{np.median(noticed):.0f} min" if noticed else "–"
        print(f"{number:5} mentions: {len(noticed)} of {len(found)} noticed, median {middle}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--months", type=int, default=2)
    arguments = parser.parse_args()
    begin = time.perf_counter()
    good = bench_made_up(arguments.trials, arguments.months)
    folder = os.environ.get("TOCSIN_TEST_DATA")
    if folder:
        bench_real(Path(folder) / "streams")
    print(f"\n{'as promised' if good else 'NOT as promised'}; {time.perf_counter() - begin:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
