"""Which mentions tell the same story: near copies by MinHash, the same event in other words by the network's embedding.

Online: each mention is compared once with what the book holds, at the first evaluation that sees it, and keeps what it was given. A
book is bounded (`StorySettings`), so the work a mention is constant; what was told longest ago is forgotten first, the more mentions
the later. Grouping is leader clustering (Hartigan, *Clustering Algorithms*, 1975): a mention joins the nearest story within reach of
its centre, else begins one. Copies move no centre, so that a text that is pasted a thousand times does not pull the story to itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from services.alert.detection.blocks import HourBlock, number_of
from services.alert.detection.copies import PERMUTATIONS, resemblance, signature
from services.alert.detection.observations import Observation
from tocsin.contracts.settings.detection import StorySettings

WIDTH = 384
"""Numbers in an embedding."""
_SLOWEST = 1 / 20
"""A centre moves by at least this share towards a new text, so that it follows a story that goes on."""
_TEXT = np.dtype([
    ("key", "<i8"),
    ("story", "<i8"),
    ("last", "<f8"),
    ("mentions", "<i8"),
    ("comparable", "?"),
    ("signature", "<u2", (PERMUTATIONS,)),
])  # fmt: skip
"""Near copies of one text: 161 bytes."""
_STORY = np.dtype([
    ("id", "<i8"),
    ("last", "<f8"),
    ("mentions", "<i8"),
    ("texts", "<i8"),
    ("comparable", "?"),
    ("centre", "<f2", (WIDTH,)),
])  # fmt: skip
"""A story: 801 bytes."""
_VERSION = b"\x01"


class Telling(NamedTuple):
    """What a mention is grouped by."""

    mention_id: str
    at: datetime
    text: str
    """Its opening."""
    copy_key: str
    embedding: bytes | None = None
    """Signed bytes, as the network gives them; None where the mention has none."""


class Given(NamedTuple):
    """What a mention was given."""

    copies: int
    """Equal for near copies of one text."""
    story: int
    """Equal for mentions of one story; never 0."""


@dataclass(slots=True)
class StoryBook:
    """The stories of one brand that a new mention may still join. Not for sharing between threads."""

    settings: StorySettings
    _texts: NDArray[Any]
    _stories: NDArray[Any]
    _centres: NDArray[np.float32]
    _places: dict[int, int]
    """Where the exact keys are."""

    @classmethod
    def open(cls, settings: StorySettings, data: bytes | None = None) -> Self:
        """A book as `dump` wrote it; an empty one without, or where another version wrote it."""
        texts = np.zeros(settings.texts, dtype=_TEXT)
        stories = np.zeros(settings.stories, dtype=_STORY)
        if data and data[:1] == _VERSION:
            number = int.from_bytes(data[1:5], "little")
            known = np.frombuffer(data, dtype=_TEXT, count=number, offset=5)
            told = np.frombuffer(data, dtype=_STORY, offset=5 + known.nbytes)
            # The latest, if fewer are wanted now.
            known = known[np.argsort(known["last"])][-len(texts) :]
            told = told[np.argsort(told["last"])][-len(stories) :]
            texts[: len(known)], stories[: len(told)] = known, told
        places = {int(key): place for place, key in enumerate(texts["key"].tolist()) if key}
        return cls(settings, texts, stories, stories["centre"].astype(np.float32), places)

    def dump(self) -> bytes:
        """The book as bytes: at most 161 a text and 801 a story."""
        texts = self._texts[self._texts["key"] != 0]
        told = self._stories["id"] != 0
        stories = self._stories[told]
        stories["centre"] = self._centres[told]
        return b"".join((_VERSION, len(texts).to_bytes(4, "little"), texts.tobytes(), stories.tobytes()))

    def assign(self, news: Iterable[Telling]) -> dict[str, Given]:
        """Give each new mention its copies and its story, in order of time; by mention id."""
        ordered = sorted(news, key=lambda item: (item.at, item.mention_id))
        return {item.mention_id: self._give(item) for item in ordered}

    def _give(self, item: Telling) -> Given:
        at = item.at.timestamp()
        if not item.copy_key:
            # Nothing to compare words by; what the picture or the rating says may still be near a story.
            own = number_of(f"?{item.mention_id}")
            return Given(own, self._join(item, own, at))
        key = number_of(item.copy_key)
        place = self._places.get(key)
        mark = None
        if place is None:
            mark = signature(item.text)
            place = self._near(mark) if mark is not None else None
        if place is not None:
            text = self._texts[place]
            text["last"], text["mentions"] = max(text["last"], at), text["mentions"] + 1
            self._touch(int(text["story"]), at)
            return Given(int(text["key"]), int(text["story"]))
        story = self._join(item, key, at)
        self._learn_text(key, story, at, mark)
        return Given(key, story)

    def _near(self, mark: NDArray[np.uint16]) -> int | None:
        likeness = resemblance(mark, self._texts["signature"])
        likeness[~self._texts["comparable"]] = 0
        best = int(likeness.argmax())
        return best if likeness[best] >= self.settings.copy_resemblance else None

    def _join(self, item: Telling, own: int, at: float) -> int:
        """The story nearest to a new text, which its centre then moves towards; else a new one."""
        vector = _direction(item.embedding)
        if vector is not None:
            nearness = self._centres @ vector
            nearness[~self._stories["comparable"]] = -1
            best = int(nearness.argmax())
            if nearness[best] >= self.settings.similarity:
                story = self._stories[best]
                story["texts"] += 1
                moved = self._centres[best] + (vector - self._centres[best]) * max(_SLOWEST, 1 / story["texts"])
                self._centres[best] = moved / max(float(np.linalg.norm(moved)), 1e-6)
                self._touch(int(story["id"]), at)
                return int(story["id"])
        place = _cheapest(self._stories, "id")
        self._stories[place] = (own, at, 1, 1, vector is not None, np.zeros(WIDTH))
        self._centres[place] = 0 if vector is None else vector
        return own

    def _touch(self, story: int, at: float) -> None:
        for place in np.flatnonzero(self._stories["id"] == story).tolist():
            row = self._stories[place]
            row["last"], row["mentions"] = max(row["last"], at), row["mentions"] + 1

    def _learn_text(self, key: int, story: int, at: float, mark: NDArray[np.uint16] | None) -> None:
        place = _cheapest(self._texts, "key")
        self._places.pop(int(self._texts[place]["key"]), None)
        self._places[key] = place
        blank = np.zeros(PERMUTATIONS, dtype=np.uint16)
        self._texts[place] = (key, story, at, 1, mark is not None, blank if mark is None else mark)


def telling(item: Observation) -> Telling:
    """An observation as it is grouped."""
    return Telling(item.mention_id, item.at, item.text, item.copy_key, item.embedding)


def untold(block: HourBlock, instant: datetime) -> list[str]:
    """The mentions up to `instant` that were given no story yet."""
    new = (block.rows["story"] == 0) & (block.rows["seconds"] <= instant.timestamp())
    return [block.ids[place] for place in np.flatnonzero(new).tolist()]


def write_down(block: HourBlock, given: Mapping[str, Given]) -> HourBlock:
    """`block` with what its mentions were given; the same one where none of them was given anything."""
    places = [place for place, item in enumerate(block.ids) if item in given]
    if not places:
        return block
    rows = block.rows.copy()
    for place in places:
        rows[place]["copies"], rows[place]["story"] = given[block.ids[place]]
    return HourBlock(block.ids, rows, block.languages, block.sources)


def _cheapest(table: NDArray[Any], name: str) -> int:
    """A free row, else the one to forget: told longest ago, with an hour's grace for each doubling of its mentions."""
    free = np.flatnonzero(table[name] == 0)
    if len(free):
        return int(free[0])
    return int((table["last"] + 3600 * np.log2(np.maximum(table["mentions"], 1))).argmin())


def _direction(embedding: bytes | None) -> NDArray[np.float32] | None:
    if embedding is None or len(embedding) != WIDTH:
        return None
    vector = np.frombuffer(embedding, dtype=np.int8).astype(np.float32)
    length = float(np.linalg.norm(vector))
    return vector / length if length else None
