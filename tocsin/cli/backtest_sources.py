"""Where `tocsin backtest` takes mentions from: a file, or the past of the database."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tocsin.cli.classify import BATCH, classified
from tocsin.cli.failure import CommandFailed
from tocsin.cli.files import RejectedLines, nothing_valid
from tocsin.cli.networks import open_labeller
from tocsin.cli.past import Past
from tocsin.cli.progress import Advance
from tocsin.config import Configuration
from tocsin.contracts.events import ClassifiedMention, Mention
from tocsin.matching import BrandMatcher

if TYPE_CHECKING:
    from services.alert.detection.replaying import Heard


class FromFile:
    """The mentions of a file, as one stream."""

    def __init__(
        self,
        file: Path,
        mentions: Iterator[Mention],
        rejected: RejectedLines,
        configuration: Configuration,
        advance: Advance,
        *,
        gold: bool,
    ) -> None:
        self.title = file.name
        self.past: Past | None = None
        self._file, self._rejected = file, rejected
        self._counted = _Counted(advance, configuration.detection.lateness.late_after)
        counted = self._counted(mentions)
        self._records = _with_human_labels(counted, rejected) if gold else _with_own_labels(counted, configuration)

    def streams(self) -> Iterator[tuple[Generator[Heard, None, None], datetime | None]]:
        """One, and no end but its last line."""
        from services.alert.detection.backtest import heard

        yield heard(self._records), None

    def check_end(self) -> None:
        """Raise CommandFailed where nothing was valid; warn of a file in the wrong order."""
        if not self._counted.count:
            raise nothing_valid(self._file, self._rejected)
        self._counted.warn_of_the_order(self._file)


class FromDatabase:
    """What the database holds, one stream a brand."""

    title = "Tocsin"

    def __init__(self, past: Past, advance: Advance) -> None:
        self.past = past
        self._advance = advance

    def streams(self) -> Iterator[tuple[Generator[Heard, None, None], datetime | None]]:
        """Each brand's, up to where the past is known."""
        for brand in self.past.brands:
            yield self._counted(brand), self.past.until

    def _counted(self, brand: str) -> Generator[Heard, None, None]:
        with closing(self.past.heard(brand)) as heard:
            for item in heard:
                self._advance(1)
                yield item

    def check_end(self) -> None:
        """Say what was imported: it woke nobody then."""
        imported, everything = sum(self.past.imported.values()), sum(self.past.mentions.values())
        if imported:
            told = (
                "they teach here and wake nobody, as then"
                if self.past.live_only
                else "here they are judged as though they had come live (--live-only: as then)"
            )
            print(
                f"tocsin: {imported} of {everything} mentions were imported or replayed and woke nobody; {told}",
                file=sys.stderr,
            )


class _Counted:
    """Counts what goes through, and what is far older than the lines before it."""

    def __init__(self, advance: Advance, late_after: timedelta) -> None:
        self.count = 0
        self._late = 0
        self._late_after = late_after
        self._advance = advance

    def __call__(self, mentions: Iterator[Mention]) -> Iterator[Mention]:
        newest: datetime | None = None
        for mention in mentions:
            self.count += 1
            newest = mention.published_at if newest is None else max(newest, mention.published_at)
            self._late += newest - mention.published_at > self._late_after
            self._advance(1)
            yield mention

    def warn_of_the_order(self, file: Path) -> None:
        """A file that was exported with the newest first would be judged as one backlog, and silently raise nothing."""
        if self._late > self.count / 2:
            print(
                f"tocsin: {file}: {self._late} of {self.count} mentions are far older than those before them, so they came late "
                "and wake nobody. If that is not how they came, sort it by published_at",
                file=sys.stderr,
            )


def _with_own_labels(mentions: Iterator[Mention], configuration: Configuration) -> Iterator[ClassifiedMention]:
    labeller = open_labeller(configuration.classifier)
    matcher = BrandMatcher.of_brands(configuration.brands)
    while batch := list(islice(mentions, BATCH)):
        yield from classified(batch, labeller, matcher, first_brand_only=False)


def _with_human_labels(mentions: Iterator[Mention], lines: RejectedLines) -> Iterator[ClassifiedMention]:
    from services.alert.detection.backtest import gold_record

    for mention in mentions:
        if mention.sentiment is None:
            raise CommandFailed(
                f"line {lines.line}: has no human sentiment; --gold-sentiment needs one on "
                "every line (negative, neutral or positive). Leave the option out to use the classifier"
            )
        for brand in mention.brands or ("",):
            yield gold_record(mention, brand)
