"""Which mentions tell the same story: near copies by MinHash, the same event in other words by the network's embedding.

Online: each mention is compared once with what the book holds, at the first evaluation that sees it, and keeps what it was given. A
book is bounded (`StorySettings`), so the work a mention is constant; what was told longest ago is forgotten first, the more mentions
the later. Grouping is leader clustering (Hartigan, *Clustering Algorithms*, 1975): a mention joins the nearest story within reach of
its centre, else begins one. Copies move no centre, so that a text that is pasted a thousand times does not pull the story to itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from math import log2
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.alert.detection.blocks import HourBlock, number_of
from services.alert.detection.copies import PERMUTATIONS, resemblance, signatures
from services.alert.detection.observations import Observation
from tocsin.contracts.settings.detection import StorySettings

WIDTH = 384
"""Numbers in an embedding."""
_SLOWEST = 1 / 20
"""A centre moves by at least this share towards a new text, so that it follows a story that goes on."""
_GRACE = 3600.0
_SMALL_PRODUCT = 200_000
_TOGETHER = 256
"""Mentions that are compared together."""
_ENTRY = [("key", "<i8"), ("extra", "<i8"), ("last", "<f8"), ("mentions", "<i8"), ("comparable", "?")]
_TEXT = np.dtype([*_ENTRY, ("signature", "<u2", (PERMUTATIONS,))])
"""Near copies of one text: 161 bytes."""
_STORY = np.dtype([*_ENTRY, ("centre", "<f2", (WIDTH,))])
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


class StoryBook:
    """The stories of one brand that a new mention may still join. Not for sharing between threads."""

    def __init__(self, settings: StorySettings, data: bytes | None = None) -> None:
        """A book as `dump` wrote it; an empty one without, or where another version wrote it."""
        self._settings = settings
        self._texts = _Shelf(_TEXT, settings.texts)
        self._stories = _Shelf(_STORY, settings.stories)
        self._signatures = np.zeros((PERMUTATIONS, settings.texts), dtype=np.uint16)
        self._centres = np.zeros((settings.stories, WIDTH), dtype=np.float32)
        if data and data[:1] == _VERSION:
            number = int.from_bytes(data[1:5], "little")
            texts = np.frombuffer(data, dtype=_TEXT, count=number, offset=5)
            stories = np.frombuffer(data, dtype=_STORY, offset=5 + texts.nbytes)
            texts, stories = self._texts.fill(texts), self._stories.fill(stories)
            self._signatures[:, : len(texts)] = texts["signature"].T
            self._centres[: len(stories)] = stories["centre"]

    def dump(self) -> bytes:
        """The book as bytes: at most 161 a text and 801 a story."""
        texts, stories = self._texts.rows(), self._stories.rows()
        texts["signature"] = self._signatures[:, self._texts.used()].T
        stories["centre"] = self._centres[self._stories.used()]
        return b"".join((_VERSION, len(texts).to_bytes(4, "little"), texts.tobytes(), stories.tobytes()))

    def assign(self, news: Iterable[Telling]) -> dict[str, Given]:
        """Give each new mention its copies and its story, in order of time; by mention id."""
        ordered = sorted(news, key=lambda item: (item.at, item.mention_id))
        given: dict[str, Given] = {}
        for start in range(0, len(ordered), _TOGETHER):
            given.update(self._give(ordered[start : start + _TOGETHER]))
        return given

    def _give(self, items: Sequence[Telling]) -> Iterator[tuple[str, Given]]:
        keys = [number_of(item.copy_key or f"?{item.mention_id}") for item in items]
        fresh = [index for index, key in enumerate(keys) if key not in self._texts.places]
        marks = dict(zip(fresh, signatures([items[index].text for index in fresh]), strict=True))
        nearness = _Nearness(self._centres, [items[index].embedding for index in fresh])
        rows = {index: row for row, index in enumerate(fresh)}
        for index, (item, key) in enumerate(zip(items, keys, strict=True)):
            at = item.at.timestamp()
            place = self._texts.places.get(key)
            mark = marks.get(index)
            if place is None and mark is not None:
                place = self._near(mark)
            if place is not None:
                self._texts.touch(place, at)
                copies, story = self._texts.keys[place], self._texts.extra[place]
                self._tell_on(story, at)
                yield item.mention_id, Given(copies, story)
                continue
            if index not in rows:
                # Its text was known when the batch began and has been forgotten within it: so many are new.
                rows[index] = nearness.add(item.embedding)
            story = self._join(key, at, nearness, rows[index])
            place = self._texts.put(key, at, story, comparable=mark is not None)
            self._signatures[:, place] = 0 if mark is None else mark
            yield item.mention_id, Given(key, story)

    def _near(self, mark: NDArray[np.uint16]) -> int | None:
        likeness = resemblance(mark, self._signatures)
        likeness[~self._texts.comparable] = 0
        best = int(likeness.argmax())
        return best if likeness[best] >= self._settings.copy_resemblance else None

    def _join(self, key: int, at: float, nearness: _Nearness, row: int) -> int:
        """The story nearest to a new text, which its centre then moves towards; else a new one."""
        vector = nearness.vectors[row]
        comparable = bool(vector.any())
        if comparable:
            best, how_near = nearness.best(row, self._stories.comparable)
            if how_near >= self._settings.similarity:
                texts = self._stories.extra[best] = self._stories.extra[best] + 1
                moved = self._centres[best] + (vector - self._centres[best]) * max(_SLOWEST, 1 / texts)
                self._centres[best] = moved / max(float(np.sqrt(moved @ moved)), 1e-6)
                nearness.moved(best)
                self._stories.touch(best, at)
                return self._stories.keys[best]
        place = self._stories.put(key, at, 1, comparable=comparable)
        self._centres[place] = vector
        nearness.moved(place)
        return key

    def _tell_on(self, story: int, at: float) -> None:
        place = self._stories.places.get(story)
        if place is not None:
            self._stories.touch(place, at)


class _Shelf:
    """A table of a fixed number of places; when it is full, what was touched longest ago goes first.

    Each doubling of its mentions gives an entry an hour's grace. `extra`: of a text its story, of a story its number of texts.
    """

    def __init__(self, dtype: np.dtype[Any], size: int) -> None:
        self._dtype = dtype
        self.keys = [0] * size
        """0 where a place is free."""
        self.extra = [0] * size
        self.places: dict[int, int] = {}
        self.comparable = np.zeros(size, dtype=bool)
        self._last = np.zeros(size)
        self._mentions = np.zeros(size, dtype=np.int64)
        self._grace = np.full(size, -np.inf)

    def fill(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Put back what `rows` gave, the latest if there are more than places; returns those, in the order of their places."""
        if len(rows) > len(self.keys):
            rows = rows[np.sort(np.argsort(rows["last"])[-len(self.keys) :])]
        number = len(rows)
        self.keys[:number], self.extra[:number] = rows["key"].tolist(), rows["extra"].tolist()
        self.places = {key: place for place, key in enumerate(self.keys[:number])}
        self.comparable[:number] = rows["comparable"]
        self._last[:number], self._mentions[:number] = rows["last"], rows["mentions"]
        self._grace[:number] = rows["last"] + _GRACE * np.log2(np.maximum(rows["mentions"], 1))
        return rows

    def used(self) -> NDArray[np.int64]:
        """The places that are taken. In their order, which decides between two that are equally near."""
        return np.flatnonzero(np.isfinite(self._grace))

    def rows(self) -> NDArray[Any]:
        """Everything as an array, in the order of `used`; signatures and centres are left 0."""
        used = self.used()
        found = np.zeros(len(used), dtype=self._dtype)
        found["key"], found["extra"] = np.array(self.keys)[used], np.array(self.extra)[used]
        found["comparable"], found["last"] = self.comparable[used], self._last[used]
        found["mentions"] = self._mentions[used]
        return found

    def touch(self, place: int, at: float) -> None:
        """One mention more."""
        self._mentions[place] += 1
        last = self._last[place] = max(float(self._last[place]), at)
        self._grace[place] = last + _GRACE * log2(self._mentions[place])

    def put(self, key: int, at: float, extra: int, *, comparable: bool) -> int:
        """A new entry, in a free place or in that of what is forgotten; returns the place."""
        place = int(self._grace.argmin())
        self.places.pop(self.keys[place], None)
        self.places[key] = place
        self.keys[place], self.extra[place], self.comparable[place] = key, extra, comparable
        self._last[place] = self._grace[place] = at
        self._mentions[place] = 1
        return place


def _products(vectors: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """`vectors @ centres.T`, in pieces too small for BLAS to share out among threads: waiting for those costs more than the work."""
    found = np.empty((len(vectors), len(centres)), dtype=np.float32)
    piece = max(1, _SMALL_PRODUCT // centres.size)
    for start in range(0, len(vectors), piece):
        np.matmul(vectors[start : start + piece], centres.T, out=found[start : start + piece])
    return found


class _Nearness:
    """The cosine of some new mentions with each centre: worked out together, and again for centres that have moved since."""

    def __init__(self, centres: NDArray[np.float32], embeddings: Sequence[bytes | None]) -> None:
        self._centres = centres
        self.vectors = np.zeros((len(embeddings), WIDTH), dtype=np.float32)
        """Of length 1; of length 0 where a mention has none."""
        given = [row for row, item in enumerate(embeddings) if item is not None and len(item) == WIDTH]
        if given:
            packed = np.frombuffer(b"".join(embeddings[row] or b"" for row in given), dtype=np.int8)
            vectors = packed.reshape(-1, WIDTH).astype(np.float32)
            self.vectors[given] = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
        self._before = _products(self.vectors, centres)
        self._moved: dict[int, None] = {}

    def add(self, embedding: bytes | None) -> int:
        """One mention more; returns its row."""
        other = _Nearness(self._centres, [embedding])
        self.vectors = np.concatenate([self.vectors, other.vectors])
        self._before = np.concatenate([self._before, other._before])
        return len(self.vectors) - 1

    def moved(self, place: int) -> None:
        """This centre is not what it was."""
        self._moved[place] = None

    def best(self, row: int, comparable: NDArray[np.bool_]) -> tuple[int, float]:
        """The nearest of the comparable centres, and its cosine."""
        cosines = self._before[row]
        if self._moved:
            places = list(self._moved)
            cosines[places] = self._centres[places] @ self.vectors[row]
        cosines[~comparable] = -1
        best = int(cosines.argmax())
        return best, float(cosines[best])


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
