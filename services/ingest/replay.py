"""Putting a file's mentions on the bus, as history or as if they were said now: `tocsin replay` and `tocsin import`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.ingest.backoff import GivenUp, until_it_works
from services.ingest.publisher import Publisher
from services.ingest.reading import Rejected
from services.ingest.routing import Outcome
from tocsin.clock import Clock
from tocsin.contracts.events import Mention

BATCH_SIZE = 200
BEHIND = timedelta(milliseconds=200)
"""Mentions that are due within so little time go in one batch."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a file is played.

    `speed`: how many seconds of the file pass in one of the clock; None: as fast as the bus takes it.
    `newest`: the file's latest time of publication, which `as_now` without a speed moves to now, and all others with it.
    """

    speed: float | None = None
    as_now: bool = False
    newest: datetime | None = None

    def __post_init__(self) -> None:
        if self.speed is not None and not self.speed > 0:
            raise ValueError(f"the speed must be above 0, not {self.speed:g}; 'max' is as fast as it goes")
        if self.as_now and self.speed is None and self.newest is None:
            raise ValueError("the newest publication must be known to move a file to now; see newest_publication")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a file's lines so far. `finished` is false where it was asked to stop before the end."""

    published: int = 0
    unmatched: int = 0
    rejected: int = 0
    finished: bool = False

    @property
    def lines(self) -> int:
        """How many lines were read."""
        return self.published + self.unmatched + self.rejected


def replay(
    mentions: Iterable[Mention | Rejected],
    publisher: Publisher,
    pace: Pace,
    *,
    clock: Clock,
    stop: threading.Event,
    on_rejected: Callable[[Rejected], None] | None = None,
    progress: Callable[[Replayed], None] | None = None,
) -> Replayed:
    """Publish `mentions` in their order; what the bus refuses for now is tried again until it takes it.

    As history they keep their times, are received now, and teach the baseline without waking anybody. With `pace.as_now` they
    were said just now: without a speed, the file ends now; with one, each is said when its turn comes. A file that is played
    as now twice is the same mentions, moved.
    """
    counts = dict.fromkeys(Outcome, 0)
    rejected = 0
    timing = _Timing(pace, clock.now())
    pending: list[Mention] = []

    def flush() -> Replayed:
        if pending:
            routed = until_it_works(
                lambda: publisher.publish(pending, teaches_only=not pace.as_now), clock=clock, stop=stop, what="replay"
            )
            for item in routed:
                counts[item.outcome] += 1
            pending.clear()
        done = Replayed(counts[Outcome.PUBLISHED], counts[Outcome.UNMATCHED], rejected)
        if progress is not None:
            progress(done)
        return done

    try:
        for item in mentions:
            if isinstance(item, Rejected):
                rejected += 1
                if on_rejected is not None:
                    on_rejected(item)
                continue
            due = timing.due(item)
            if pending and (len(pending) >= BATCH_SIZE or due > clock.now() + BEHIND):
                flush()
            if clock.wait(stop, (due - clock.now()).total_seconds()):
                break
            pending.append(timing.moved(item, due, clock.now()))
        else:
            return replace(flush(), finished=True)
        return flush()
    except GivenUp:
        return Replayed(counts[Outcome.PUBLISHED], counts[Outcome.UNMATCHED], rejected)


class _Timing:
    """When each mention's turn comes, and which times it then bears."""

    def __init__(self, pace: Pace, start: datetime) -> None:
        self._pace = pace
        self._start = start
        self._origin: datetime | None = None

    def due(self, mention: Mention) -> datetime:
        if self._pace.speed is None:
            return self._start
        if self._origin is None:
            self._origin = mention.published_at
        return self._start + (mention.published_at - self._origin) / self._pace.speed

    def moved(self, mention: Mention, due: datetime, now: datetime) -> Mention:
        if not self._pace.as_now:
            return mention.model_copy(update={"received_at": now})
        if self._pace.speed is None and self._pace.newest is not None:
            due = mention.published_at + (self._start - self._pace.newest)
        shift = due - mention.published_at
        changes: dict[str, object] = {"published_at": due, "received_at": due}
        if mention.revision is not None:
            changes["revision"] = mention.revision + round(shift / timedelta(milliseconds=1))
        if mention.engagement is not None and mention.engagement.observed_at is not None:
            observed_at = mention.engagement.observed_at + shift
            changes["engagement"] = mention.engagement.model_copy(update={"observed_at": observed_at})
        return mention.model_copy(update=changes)
