"""Mutes: which mentions ring no bell, because a person said so, until a time that they gave.

Whether a mention is muted follows from what is stored of it and from the mutes alone, never from when somebody asks. So hours that
are counted again give the same counts, and a mention that was published under a mute stays muted when the mute is over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from services.alert.detection.state import Reason
from services.alert.detection.stories import StoryBook, Telling
from tocsin.contracts.queries import parse_query
from tocsin.contracts.settings.detection import StorySettings
from tocsin.contracts.settings.run_time import Mute, RunTimeSetting
from tocsin.matching import BrandMatcher
from tocsin.storage import blocks, run_time_settings, stories


@dataclass(frozen=True, slots=True)
class _Standing:
    """One mute, and the stretch of event time that it holds for (its beginning included)."""

    id: str
    mute: Mute
    begins: datetime
    ends: datetime

    def holds(self, at: datetime) -> bool:
        return self.begins <= at < self.ends


class Mutes:
    """The mutes of one brand, ready to be held against its mentions. False where there are none."""

    def __init__(self, settings: Iterable[RunTimeSetting] = ()) -> None:
        """Those that were not withdrawn; one that was never held at all."""
        self._all = [
            _Standing(str(item.id), item.value, item.begins, item.ends)
            for item in settings
            if isinstance(item.value, Mute) and item.withdrawn_at is None
        ]
        self._named: dict[tuple[str, str], list[_Standing]] = defaultdict(list)
        for item in self._all:
            for kind in ("story", "author", "source"):
                name = getattr(item.mute, kind)
                if name is not None:
                    self._named[kind, name].append(item)
        terms = {item.id: item for item in self._all if item.mute.terms is not None}
        self._terms = terms
        self._matcher = BrandMatcher({name: parse_query(item.mute.terms or "") for name, item in terms.items()})

    def __bool__(self) -> bool:
        return bool(self._all)

    @property
    def stories(self) -> frozenset[str]:
        """The stories that any of them names."""
        return frozenset(item.mute.story for item in self._all if item.mute.story is not None)

    def mutes(self, *, at: datetime, author: str | None, source: str, text: str, story: str | None = None) -> bool:
        """Whether a mention published at `at` is muted; `author` by its key, `story` as far as it was given one."""
        named = {"story": story, "author": author, "source": source}
        if any(item.holds(at) for kind, name in named.items() if name for item in self._named.get((kind, name), ())):
            return True
        holding = any(item.holds(at) for item in self._terms.values())
        return holding and any(self._terms[name].holds(at) for name in self._matcher.spans(text))

    def sources(self, at: datetime) -> frozenset[str]:
        """The sources that are muted at an instant: their silence is no alarm."""
        return frozenset(item.mute.source for item in self._all if item.mute.source is not None and item.holds(at))

    def evidence(self, at: datetime) -> list[dict[str, Any]]:
        """What is left out at an instant, for whoever is called."""
        return [
            {
                "setting": item.id,
                **item.mute.model_dump(mode="json", exclude={"kind"}, exclude_none=True),
                "until": item.ends.isoformat(),
            }
            for item in self._all
            if item.holds(at)
        ]

    def reason(self, at: datetime) -> Reason | None:
        """The sentence that says so; None while none holds."""
        holding = [item for item in self._all if item.holds(at)]
        if not holding:
            return None
        until = max(item.ends for item in holding)
        number = len(holding)
        return Reason(
            fr=f"Sourdines en vigueur : {number}, au plus tard jusqu’au {until:%d.%m. %H:%M} UTC ; "
            "ce qu’elles couvrent n’est pas compté.",
            en=f"Mutes in force: {number}, until {until:%d.%m. %H:%M} UTC at the latest; what they cover is not counted.",
        )


NO_MUTES = Mutes()


def mutes_of(session: Session, brand: str, since: datetime) -> Mutes:
    """The mutes of a brand that hold for any moment after `since`. The brand must be locked, as it is while one is set."""
    found = run_time_settings.mutes(session, brand, since)
    return Mutes(found) if found else NO_MUTES


def stories_told(
    session: Session, brand: str, mentions: Collection[UUID], settings: StorySettings
) -> Mapping[UUID, str]:
    """The story of each of these mentions: as it was given, else as it would be given now; nothing is written."""
    known = stories.of_mentions(session, brand, mentions)
    new = [item for item in mentions if item not in known]
    if not new:
        return known
    book = StoryBook(settings, blocks.load_book(session, brand))
    rows = blocks.tellings(session, brand, [str(item) for item in new])
    given = book.assign(Telling(*row) for row in rows)
    return {**known, **{UUID(item): f"{told.story:016x}" for item, told in given.items()}}


def muted_hours(told: Mapping[str, str], asked: Mapping[datetime, Sequence[str]], mutes: Mutes) -> list[datetime]:
    """The hours of `asked` in which a mention was just given a muted story; `told` by mention id."""
    muted = mutes.stories
    return [hour for hour, ids in asked.items() if any(told.get(item) in muted for item in ids)]
