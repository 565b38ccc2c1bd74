"""Scores `tocsin detect` on the brands of the Numenta Anomaly Benchmark's realTweets and prints it beside published scores.

TOCSIN_TEST_DATA=… python -m tests.load.bench_nab
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import exp
from pathlib import Path

from services.alert.detection.series import detect_rows

PUBLISHED = {
    "ARTime": 81.8,
    "CAD-OSE": 74.5,
    "Skyline": 68.9,
    "Numenta HTM": 68.0,
    "plain 5-day rolling z-score, 24 h quiet": 67.1,
    "Twitter S-H-ESD": 59.6,
    "windowed Gaussian": 51.4,
}
"""NAB standard scores on all ten realTweets brands."""
EPISODE = timedelta(hours=6)


@dataclass(frozen=True)
class BrandScore:
    """What one brand adds: `raw` is scaled over all brands by `standard_score`."""

    raw: float
    windows: int
    found: int
    false_episodes: int
    weeks: float


def score_brand(
    times: Sequence[datetime], alerts: Sequence[int], windows: Sequence[tuple[datetime, datetime]]
) -> BrandScore:
    """NAB's standard profile: a detection in a window earns up to 1, the first alone; outside it costs up to 0.11; a miss costs 1."""
    unscored = min(int(0.15 * len(times)), 750)
    spans = [
        (min(i for i, at in enumerate(times) if at >= start), max(i for i, at in enumerate(times) if at <= end))
        for start, end in windows
    ]
    raw, found, false = 0.0, set(), []
    for row in (row for row, alert in enumerate(alerts) if alert and row >= unscored):
        inside = next((span for span in spans if span[0] <= row <= span[1]), None)
        if inside is not None:
            if inside not in found:
                found.add(inside)
                raw += _sigmoid(-(inside[1] - row + 1) / (inside[1] - inside[0] + 1)) / _sigmoid(-1)
            continue
        false.append(times[row])
        before = [span for span in spans if span[1] < row]
        distance = (row - before[-1][1]) / (before[-1][1] - before[-1][0]) if before else 4.0
        raw += 0.11 * (_sigmoid(distance) if distance <= 3 else -1.0)
    episodes = sum(1 for i, at in enumerate(false) if i == 0 or at - false[i - 1] >= EPISODE)
    weeks = (times[-1] - times[unscored]) / timedelta(weeks=1)
    return BrandScore(raw - (len(spans) - len(found)), len(spans), len(found), episodes, weeks)


def standard_score(scores: Sequence[BrandScore]) -> float:
    """0 for silence, 100 for each window found at its very start and nothing else."""
    windows = sum(score.windows for score in scores)
    return 100 * (sum(score.raw for score in scores) + windows) / (2 * windows)


def false_episodes_a_week(scores: Sequence[BrandScore]) -> float:
    """Alert rows outside windows, those less than 6 h apart as one, by brand and week."""
    return sum(score.false_episodes for score in scores) / sum(score.weeks for score in scores)


def _sigmoid(position: float) -> float:
    return 2 / (1 + exp(5 * position)) - 1


def bench(folder: Path) -> Mapping[str, BrandScore]:
    """The score of each brand in the `nab` folder of the test data."""
    labelled = json.loads((folder / "windows.json").read_text())
    scores = {}
    for brand, windows in sorted(labelled.items()):
        with (folder / f"{brand}.csv").open(newline="") as lines:
            rows = [(row[0], row[1]) for row in list(csv.reader(lines))[1:]]
        alerts = [row.alert for row in detect_rows(rows)]
        times = [datetime.fromisoformat(timestamp) for timestamp, _ in rows]
        spans = [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in windows]
        scores[brand] = score_brand(times, alerts, spans)
    return scores


def main() -> int:
    folder = os.environ.get("TOCSIN_TEST_DATA")
    if not folder:
        print("set TOCSIN_TEST_DATA to the folder of test data, which holds nab/", file=sys.stderr)
        return 2
    scores = bench(Path(folder) / "nab")
    print(f"{'brand':10} windows found  false episodes  NAB standard")
    for brand, score in scores.items():
        print(
            f"{brand:10} {score.windows:7} {score.found:5}  {score.false_episodes:14}  {standard_score([score]):12.1f}"
        )
    everything = list(scores.values())
    table = {**PUBLISHED, f"tocsin detect, {len(scores)} brands": standard_score(everything)}
    print()
    for name, points in sorted(table.items(), key=lambda item: -item[1]):
        print(f"{points:6.1f}  {name}")
    print(f"\n{false_episodes_a_week(everything):.2f} false episodes a brand and week")
    return 0


if __name__ == "__main__":
    sys.exit(main())
