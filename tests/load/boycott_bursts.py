"""How many of the real bursts of docs/boycott-bursts.md are noticed within three hours, and what else rings.

    TOCSIN_TEST_DATA=DATA python -m tests.load.boycott_bursts [--network]

Every tweet of the stream is taken as harmful, so that it measures detection and not the network; with `--network` its labels are
the network's. Takes about five minutes.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.alert.detection.backtest import EXACT, gold_record, run_backtest
from services.alert.detection.observations import HarmfulRates
from tests.load.bench_detect_quality import read
from tocsin.cli.classify import BATCH, classified
from tocsin.cli.networks import open_labeller, rates_of_network
from tocsin.contracts.events import ClassifiedMention, Mention, SentimentLabel
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.contracts.settings.services import ClassifierSettings
from tocsin.matching import BrandMatcher

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


def labelled(stream: Sequence[Mention], network: bool) -> tuple[list[ClassifiedMention], HarmfulRates]:
    """The stream with labels, and the error rates that belong to them."""
    if not network:
        negative = [mention.model_copy(update={"sentiment": SentimentLabel.NEGATIVE}) for mention in stream]
        return [gold_record(mention, "boycott") for mention in negative], EXACT
    settings = ClassifierSettings()
    labeller, matcher = open_labeller(settings), BrandMatcher.of_brands(())
    parts = [stream[start : start + BATCH] for start in range(0, len(stream), BATCH)]
    records = [record for part in parts for record in classified(part, labeller, matcher, first_brand_only=False)]
    return records, rates_of_network(settings)


@dataclass(frozen=True)
class Serious:
    """What rang: when orange or red began or rose, and the stretches for which it lasted."""

    at: list[datetime]
    stretches: list[tuple[datetime, datetime]]

    def since(self, moment: datetime) -> datetime | None:
        """Since when it had been serious at this moment; None where it was not."""
        return next((begin for begin, end in self.stretches if begin < moment < end), None)


def serious(mentions: Sequence[ClassifiedMention], rates: HarmfulRates) -> Serious:
    """What rings; year by year, each with some weeks before it, so that it does not take an hour."""
    at: list[datetime] = []
    stretches: list[tuple[datetime, datetime]] = []
    for year in YEARS:
        begin, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        part = [mention for mention in mentions if begin - KNOWN_BEFORE <= mention.published_at < end]
        began: datetime | None = None
        for event in run_backtest(part, DetectionSettings(), rates):
            moment, high = datetime.fromisoformat(event["at"]), event["level"] in ("orange", "red")
            if high and event["event"] in ("opened", "raised") and moment >= begin:
                at.append(moment)
            if high:
                began = began or moment
            elif began is not None:
                stretches.append((began, moment))
                began = None
        if began is not None:
            stretches.append((began, end))
    return Serious(at, stretches)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="store_true", help="take the network's labels")
    arguments = parser.parse_args()
    folder = os.environ.get("TOCSIN_TEST_DATA")
    if folder is None:
        print("TOCSIN_TEST_DATA names no folder of test data", file=sys.stderr)
        return 2
    stream = read(Path(folder) / "streams" / "boycott_2012_2019.jsonl")
    rung = serious(*labelled(stream, arguments.network))
    found, delays, ahead = 0, [], 0
    for burst in listed():
        times = [at for at in rung.at if burst <= at <= burst + WITHIN]
        found += bool(times)
        delays += [(times[0] - burst) / timedelta(minutes=1)] if times else []
        since = rung.since(burst)
        ahead += since is not None and not times
        before = f", serious since {since:%d %H:%M}" if since is not None else ""
        print(f"{burst:%Y-%m-%d %H:%M}  {f'{delays[-1]:.0f} min' if times else 'nothing begins within 3 h'}{before}")
    others = [at for at in rung.at if not any(burst <= at <= burst + BELONGS for burst in listed())]
    middle = f", median {sorted(delays)[len(delays) // 2]:.0f} min" if delays else ""
    print(f"{found} of {len(listed())} within 3 h{middle}; {ahead} more were orange or red already when they began")
    print(f"{len(others)} other alarms in {MONTHS} months: {len(others) / MONTHS:.2f} a month")
    return 0


if __name__ == "__main__":
    sys.exit(main())
