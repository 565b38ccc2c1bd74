"""From rows to what detection is given: the last day in columns, and the hours of the weeks before, counted again where needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy.orm import Session

from services.alert.detection.blocks import (
    HourBlock,
    Marked,
    build_block,
    keep_stories,
    marks_of,
)
from services.alert.detection.hours import tally_of
from services.alert.detection.observations import HarmfulRates, HourCount, Observation, start_of_hour
from services.alert.detection.stories import Telling, untold, write_down
from services.alert.detection.voices import Quote
from services.alert.detection.words import crisis_word_finder
from services.alert.evaluator import Counted
from services.alert.muting import Mutes, muted_hours, mutes_of
from services.alert.rereading import Seen
from tocsin.clock import Clock
from tocsin.contracts.events import AuthorRole, RiskKind, SentimentLabel, SourceKind
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.storage import blocks, counts, stories
from tocsin.storage.counts import ObservedRow
from tocsin.storage.thresholds import Thresholds

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_MOMENT = timedelta(microseconds=1)
_KINDS = frozenset(RiskKind)


class Counting:
    """Counts a brand's dirty hours again and reads what `judge` needs; see `services.alert.evaluator.Count`.

    What has not changed since the last evaluation is not looked at again: an hour that nobody wrote to comes as a block.
    """

    def __init__(
        self,
        settings: DetectionSettings | Callable[[str], DetectionSettings],
        rates: HarmfulRates,
        clock: Clock,
        *,
        kept: timedelta = timedelta(days=400),
    ) -> None:
        """`settings` for good and for every brand, or what tells how a brand's are now (`""`: one that nobody configured).

        `kept`: how long mentions are kept; what is older cannot be counted again."""
        self._settings_of = settings if callable(settings) else lambda _brand: settings
        baseline = self._settings_of("").baseline
        self._memory = baseline.memory + baseline.guard + _DAY
        self._kept = kept - _DAY
        self._rates = rates
        self._clock = clock
        self._seen = Seen()

    def __call__(self, session: Session, brand: str, since: datetime, instant: datetime) -> Counted:
        """In the evaluator's transaction: the brand is locked."""
        mutes = mutes_of(session, brand, instant - self._memory)
        counted, muted = self._counted(session, brand, since, instant, mutes)
        if muted:
            # Only now is it known that these tell a muted story; counted again, they are left out.
            counts.mark_dirty(session, {(brand, hour) for hour in muted})
            counted, _ = self._counted(session, brand, since, instant, mutes)
        return counted

    def _counted(
        self, session: Session, brand: str, since: datetime, instant: datetime, mutes: Mutes
    ) -> tuple[Counted, list[datetime]]:
        """What is known, and the hours in which a mention was just given a muted story."""
        telling = stories.tellers(session, brand, mutes.stories) if mutes.stories else {}

        def seen(row: ObservedRow) -> Observation:
            muted = mutes and mutes.mutes(
                at=row.at,
                author=row.author_key,
                source=row.source,
                text=row.text,
                story=telling.get(row.mention_id),
            )
            return observed(row, muted=bool(muted))

        first = start_of_hour(since)
        speaks_of_crisis = crisis_word_finder(self._settings_of(brand).crisis_words)
        built: dict[datetime, HourBlock] = {}

        def count(rows: Sequence[ObservedRow]) -> dict[datetime, dict[str, Any]]:
            marked = self._marked_by_hour([seen(row) for row in rows], speaks_of_crisis)
            built.update({hour: build_block(items) for hour, items in marked.items() if hour >= first})
            return _rows_of(marked)

        thresholds = Thresholds(risk=self._rates.risk_threshold, relevance=self._rates.relevance_threshold)
        now = self._clock.now()
        dirty = counts.recount(
            session,
            brand,
            count,
            now=now,
            thresholds=thresholds,
            locked=True,
            kept_since=start_of_hour(now - self._kept),
        )
        until = max([instant, *(hour for hour in dirty if hour >= first)]) + _MOMENT
        stored = self._seen.blocks(session, brand, first, until)
        changed = {hour: keep_stories(block, stored.get(hour)) for hour, block in built.items()}
        changed |= {hour: self._block((), speaks_of_crisis) for hour in dirty if hour in stored and hour not in built}
        for hour in [hour for hour, block in stored.items() if block is None and hour not in changed]:
            rows = counts.observations(session, brand, hour, hour + _HOUR)
            changed[hour] = self._block([seen(row) for row in rows], speaks_of_crisis)
        known = {hour: block for hour, block in stored.items() if block is not None} | changed
        told, muted = self._tell_stories(session, brand, known, instant, mutes)
        known |= told
        self._seen.write_blocks(session, brand, {hour: known[hour] for hour in {*changed, *told}})
        history = counts.history(session, brand, instant - self._memory, instant + _MOMENT)
        quoted, present = (first - _DAY, until + _HOUR), start_of_hour(instant)
        counted = Counted(
            blocks=known,
            history=[_hour_count(hour, numbers) for hour, numbers in history],
            quotes=lambda ids: {item: Quote(*said) for item, said in blocks.quotes(session, ids, quoted).items()},
            mutes=mutes,
            version=hash(tuple(row for row in history if row[0] < present)),
        )
        return counted, muted

    def forget_counts(self, session: Session, brand: str, instant: datetime) -> None:
        """Have every hour of the memory counted again: what a count means has changed (a threshold, the crisis words)."""
        counts.mark_all_dirty(
            session, brand, start_of_hour(max(instant - self._memory, self._clock.now() - self._kept))
        )

    def count(self, rows: Sequence[ObservedRow]) -> dict[datetime, dict[str, Any]]:
        """The counts of the hours that these rows are in, as JSON."""
        speaks_of_crisis = crisis_word_finder(self._settings_of("").crisis_words)
        return _rows_of(self._marked_by_hour([observed(row) for row in rows], speaks_of_crisis))

    def _marked_by_hour(
        self, observations: Sequence[Observation], speaks_of_crisis: Callable[[str], bool]
    ) -> dict[datetime, list[Marked]]:
        hours: dict[int, list[Marked]] = {}
        for item in marks_of(observations, self._rates, speaks_of_crisis):
            hours.setdefault(int(item.seconds // 3600), []).append(item)
        return {datetime.fromtimestamp(hour * 3600, UTC): items for hour, items in hours.items()}

    def _block(self, observations: Sequence[Observation], speaks_of_crisis: Callable[[str], bool]) -> HourBlock:
        return build_block(marks_of(observations, self._rates, speaks_of_crisis))

    def _tell_stories(
        self, session: Session, brand: str, known: Mapping[datetime, HourBlock], instant: datetime, mutes: Mutes
    ) -> tuple[dict[datetime, HourBlock], list[datetime]]:
        """Give new mentions their stories; the blocks that this changes, and the hours in which one of them is muted."""
        new = {hour: ids for hour, block in known.items() if (ids := untold(block, instant))}
        if not new:
            return {}, []
        book = self._seen.book(session, brand, self._settings_of(brand).stories)
        published = min(new), max(new) + _HOUR
        rows = blocks.tellings(session, brand, [item for ids in new.values() for item in ids], published)
        given = book.assign(Telling(*row) for row in rows)
        self._seen.write_book(session, brand, book)
        # As the evidence names them; so people find the mentions of a story.
        named = {item: f"{told.story:016x}" for item, told in given.items()}
        stories.write(session, brand, named)
        return {hour: write_down(known[hour], given) for hour in new}, muted_hours(named, new, mutes)


def _rows_of(marked: Mapping[datetime, Sequence[Marked]]) -> dict[datetime, dict[str, Any]]:
    return {hour: tally_of(hour, items).count().to_json() for hour, items in marked.items()}


@lru_cache(maxsize=65_536)
def _hour_count(hour: datetime, numbers: str) -> HourCount:
    # Keyed by what is written there, so it is right whoever counted the hour again; about 1 kB an entry.
    return HourCount.from_json(hour, json.loads(numbers))


def observed(row: ObservedRow, *, muted: bool = False) -> Observation:
    """A row as detection sees it. Without labels it counts as calm: nothing is known against it."""
    return Observation(
        mention_id=row.mention_id,
        at=row.at,
        author=row.author_key,
        negative=row.sentiment == SentimentLabel.NEGATIVE,
        risk=row.risk or 0.0,
        # A newer classify may know kinds that this alert does not.
        kinds=tuple(RiskKind(kind) for kind in row.risk_kinds if kind in _KINDS),
        toxicity=row.toxicity or 0.0,
        relevance=row.relevance,
        language=row.language,
        followers=row.followers,
        role=AuthorRole(row.role),
        source=row.source,
        source_kind=SourceKind(row.source_kind),
        text=row.text,
        copy_key=row.copy_key,
        engagement=row.engagement,
        repost=row.repost,
        wakes=row.wakes,
        counted=row.role != AuthorRole.OWN and not muted,
    )
