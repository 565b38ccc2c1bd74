"""How many of the real bursts of docs/boycott-bursts.md are noticed within three hours, and what else rings.

    TOCSIN_TEST_DATA=DATA python -m tests.load.boycott_bursts

Every tweet of the stream is taken as harmful, so that it measures detection and not the network. Takes about five minutes.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.alert.detection.backtest import EXACT, gold_record, run_backtest
from tests.load.bench_detect_quality import read
from tocsin.contracts.events import ClassifiedMention, SentimentLabel
from tocsin.contracts.settings.detection import DetectionSettings

LISTED = Path(__file__).parents[2] / "docs" / "boycott-bursts.md"
WITHIN = timedelta(hours=3)
BELONGS = timedelta(hours=24)
KNOWN_BEFORE = timedelta(days=45)
"""What a year is given of the time before it, to learn the usual from."""
YEARS = range(2012, 2020)
MONTHS = 12 * len(YEARS)


def listed() -> list[datetime]:
    """The starts of the bursts that were found by reading."""
    found = re.finditer(r"^\| (20\S+) \|", LISTED.read_text(encoding="utf-8"), re.MULTILINE)
    return [datetime.fromisoformat(row[1]).replace(tzinfo=UTC) for row in found]


def serious(mentions: Sequence[ClassifiedMention]) -> list[datetime]:
    """When orange or red began, or rose; year by year, each with some weeks before it, so that it does not take an hour."""
    at: list[datetime] = []
    for year in YEARS:
        begin, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        part = [mention for mention in mentions if begin - KNOWN_BEFORE <= mention.published_at < end]
        for event in run_backtest(part, DetectionSettings(), EXACT):
            if event["event"] in ("opened", "raised") and event["level"] in ("orange", "red"):
                moment = datetime.fromisoformat(event["at"])
                if moment >= begin:
                    at.append(moment)
    return at


def main() -> int:
    folder = os.environ.get("TOCSIN_TEST_DATA")
    if folder is None:
        print("TOCSIN_TEST_DATA names no folder of test data", file=sys.stderr)
        return 2
    stream = read(Path(folder) / "streams" / "boycott_2012_2019.jsonl")
    negative = [mention.model_copy(update={"sentiment": SentimentLabel.NEGATIVE}) for mention in stream]
    rung = serious([gold_record(mention, "boycott") for mention in negative])
    found, delays = 0, []
    for burst in listed():
        times = [at for at in rung if burst <= at <= burst + WITHIN]
        found += bool(times)
        delays += [(times[0] - burst) / timedelta(minutes=1)] if times else []
        print(f"{burst:%Y-%m-%d %H:%M}  {f'{delays[-1]:.0f} min' if times else 'not within 3 h'}")
    others = [at for at in rung if not any(burst <= at <= burst + BELONGS for burst in listed())]
    print(f"{found} of {len(listed())} within 3 h, median {sorted(delays)[len(delays) // 2]:.0f} min")
    print(f"{len(others)} other alarms in {MONTHS} months: {len(others) / MONTHS:.2f} a month")
    return 0


if __name__ == "__main__":
    sys.exit(main())
