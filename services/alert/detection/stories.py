"""Which mentions tell the same story: near copies by MinHash, the same event in other words by the network's embedding.

Online: each mention is compared once with what the book holds, at the first evaluation that sees it, and keeps what it was given. A
book is bounded (`StorySettings`), so the work a mention is constant; what was told longest ago is forgotten first, the more mentions
the later. Grouping is leader clustering (Hartigan, *Clustering Algorithms*, 1975): a mention joins the nearest story within reach of
its centre, else begins one. Copies move no centre, so that a text that is pasted a thousand times does not pull the story to itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from math import log2
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.alert.detection.blocks import HourBlock, number_of
from services.alert.detection.copies import PERMUTATIONS, equal_values, signatures
from services.alert.detection.observations import Observation
from tocsin.contracts.settings.detection import StorySettings

WIDTH = 384
"""Numbers in an embedding."""
_SLOWEST = 1 / 20
"""A centre moves by at least this share towards a new text, so that it follows a story that goes on."""
_GRACE = 3600.0
_SMALL = 26
"""Rows and columns of a product of embeddings that BLAS works out at once without sharing it out among threads."""
_TOGETHER = 128
"""Mentions that are compared together."""
_ENTRY = [("key", "<i8"), ("extra", "<i8"), ("last", "<f8"), ("mentions", "<i8"), ("comparable", "?")]
_TEXT = np.dtype([*_ENTRY, ("signature", "<u2", (PERMUTATIONS,))])
"""Near copies of one text: 161 bytes."""
_STORY = np.dtype([*_ENTRY, ("centre", "<f2", (WIDTH,))])
"""A story: 801 bytes."""
_VERSION = b"\x03"
_DIGEST = 16
_HEAD = 1 + _DIGEST + 4
"""The version, a digest of what follows it, and how many texts there are."""


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
            number = int.from_bytes(data[_DIGEST + 1 : _HEAD], "little")
            texts = np.frombuffer(data, dtype=_TEXT, count=number, offset=_HEAD)
            stories = np.frombuffer(data, dtype=_STORY, offset=_HEAD + texts.nbytes)
            texts, stories = self._texts.fill(texts), self._stories.fill(stories)
            self._signatures[:, : len(texts)] = texts["signature"].T
            self._centres[: len(stories)] = stories["centre"]

    def dump(self) -> bytes:
        """The book as bytes: at most 161 a text and 801 a story. Its first 40 tell it from every other one."""
        texts, stories = self._texts.rows(), self._stories.rows()
        texts["signature"] = self._signatures[:, self._texts.used()].T
        stories["centre"] = self._centres[self._stories.used()]
        # Whoever goes on with this book and whoever reads it again shall group alike.
        self._centres[self._stories.used()] = stories["centre"]
        rest = b"".join((len(texts).to_bytes(4, "little"), texts.tobytes(), stories.tobytes()))
        return b"".join((_VERSION, blake2b(rest, digest_size=_DIGEST).digest(), rest))

    @property
    def settings(self) -> StorySettings:
        """What it was made for."""
        return self._settings

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
        nearness = _Nearness(self._centres, self._stories.comparable, [items[index].embedding for index in fresh])
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
        equal = equal_values(mark, self._signatures)
        equal *= self._texts.comparable
        best = int(equal.argmax())
        return best if equal[best] >= self._settings.copy_resemblance * PERMUTATIONS else None

    def _join(self, key: int, at: float, nearness: _Nearness, row: int) -> int:
        """The story nearest to a new text, which its centre then moves towards; else a new one."""
        comparable = nearness.comparable[row]
        if comparable:
            best, how_near = nearness.best(row)
            if how_near >= self._settings.similarity:
                texts = self._stories.extra[best] = self._stories.extra[best] + 1
                nearness.move(best, row, max(_SLOWEST, 1 / texts))
                self._stories.touch(best, at)
                return self._stories.keys[best]
        place = self._stories.put(key, at, 1, comparable=comparable)
        nearness.begin(place, row)
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
        self._last = [0.0] * size
        self._mentions = [0] * size
        self._grace = np.full(size, -np.inf)

    def fill(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Put back what `rows` gave, the latest if there are more than places; returns those, in the order of their places."""
        if len(rows) > len(self.keys):
            rows = rows[np.sort(np.argsort(rows["last"])[-len(self.keys) :])]
        number = len(rows)
        self.keys[:number], self.extra[:number] = rows["key"].tolist(), rows["extra"].tolist()
        self.places = {key: place for place, key in enumerate(self.keys[:number])}
        self.comparable[:number] = rows["comparable"]
        self._last[:number], self._mentions[:number] = rows["last"].tolist(), rows["mentions"].tolist()
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
        found["comparable"], found["last"] = self.comparable[used], np.array(self._last)[used]
        found["mentions"] = np.array(self._mentions)[used]
        return found

    def touch(self, place: int, at: float) -> None:
        """One mention more."""
        mentions = self._mentions[place] = self._mentions[place] + 1
        last = self._last[place] = max(self._last[place], at)
        self._grace[place] = last + _GRACE * log2(mentions)

    def put(self, key: int, at: float, extra: int, *, comparable: bool) -> int:
        """A new entry, in a free place or in that of what is forgotten; returns the place."""
        place = int(self._grace.argmin())
        self.places.pop(self.keys[place], None)
        self.places[key] = place
        self.keys[place], self.extra[place], self.comparable[place] = key, extra, comparable
        self._last[place] = self._grace[place] = at
        self._mentions[place] = 1
        return place


def _products(vectors: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """`vectors @ others.T`, in pieces too small for BLAS to share out among threads: waiting for those costs more than the work."""
    found = np.empty((len(vectors), len(others)), dtype=np.float32)
    for top in range(0, len(vectors), _SMALL):
        rows = vectors[top : top + _SMALL]
        for left in range(0, len(others), _SMALL):
            np.matmul(rows, others[left : left + _SMALL].T, out=found[top : top + _SMALL, left : left + _SMALL])
    return found


class _Nearness:
    """The cosine of some new mentions with each centre, and how it changes while they join stories one after the other.

    A centre c that moves by a share a towards v becomes (c + a·(v − c))/n, so its cosine with any u becomes
    ((1 − a)·cos(c, u) + a·cos(v, u))/n: no new product with the whole centre is needed.
    """

    def __init__(
        self, centres: NDArray[np.float32], comparable: NDArray[np.bool_], embeddings: Sequence[bytes | None]
    ) -> None:
        """`centres` are changed in place; to those that are not `comparable` nothing is near, as it is at each moment."""
        self._centres = centres
        self.comparable: list[bool] = []
        """Which of the mentions have an embedding."""
        self._vectors = np.zeros((0, WIDTH), dtype=np.float32)
        """Of length 1; of length 0 where a mention has none."""
        self._with_centres = np.zeros((0, len(centres)), dtype=np.float32)
        self._with_each_other = np.zeros((0, 0), dtype=np.float32)
        self._in_reach = comparable
        self._add(embeddings)

    def _add(self, embeddings: Sequence[bytes | None]) -> None:
        vectors = np.zeros((len(embeddings), WIDTH), dtype=np.float32)
        given = [row for row, item in enumerate(embeddings) if item is not None and len(item) == WIDTH]
        if given:
            packed = np.frombuffer(b"".join(embeddings[row] or b"" for row in given), dtype=np.int8)
            plain = packed.reshape(-1, WIDTH).astype(np.float32)
            vectors[given] = plain / np.maximum(np.sqrt(np.einsum("ij,ij->i", plain, plain))[:, None], 1e-6)
        with_embedding = np.zeros(len(vectors), dtype=bool)
        with_embedding[given] = vectors[given].any(axis=1)
        self.comparable.extend(with_embedding.tolist())
        with_centres = _products(vectors, self._centres)
        with_centres[:, ~self._in_reach] = -1
        self._vectors = np.concatenate([self._vectors, vectors])
        self._with_centres = np.concatenate([self._with_centres, with_centres])
        self._with_each_other = _products(self._vectors, self._vectors)

    def add(self, embedding: bytes | None) -> int:
        """One mention more; returns its row."""
        self._add([embedding])
        return len(self._vectors) - 1

    def best(self, row: int) -> tuple[int, float]:
        """The nearest of the comparable centres, and its cosine."""
        cosines = self._with_centres[row]
        best = int(cosines.argmax())
        return best, float(cosines[best])

    def move(self, place: int, row: int, share: float) -> None:
        """Move a centre by this share towards a mention."""
        moved = self._centres[place]
        moved *= 1 - share
        moved += self._vectors[row] * share
        length = max(float(np.sqrt(moved @ moved)), 1e-6)
        moved /= length
        cosines = self._with_centres[:, place]
        cosines *= (1 - share) / length
        cosines += self._with_each_other[row] * (share / length)

    def begin(self, place: int, row: int) -> None:
        """A centre of its own for a mention; one without an embedding is near to nothing."""
        self._centres[place] = self._vectors[row]
        self._with_centres[:, place] = self._with_each_other[row] if self.comparable[row] else -1


def telling(item: Observation) -> Telling:
    """An observation as it is grouped."""
    return Telling(item.mention_id, item.at, item.text, item.copy_key, item.embedding)


def untold(block: HourBlock, instant: datetime) -> list[str]:
    """The mentions up to `instant` that were given no story yet."""
    if block.rows["story"].all():
        return []
    new = (block.rows["story"] == 0) & (block.rows["seconds"] <= instant.timestamp())
    return [block.ids[place] for place in np.flatnonzero(new).tolist()]


def write_down(block: HourBlock, given: Mapping[str, Given]) -> HourBlock:
    """`block` with what its mentions were given; the same one where none of them was given anything."""
    ids = block.ids
    places = [place for place in np.flatnonzero(block.rows["story"] == 0).tolist() if ids[place] in given]
    if not places:
        return block
    rows = block.rows.copy()
    rows["copies"][places], rows["story"][places] = zip(*(given[ids[place]] for place in places), strict=True)
    return HourBlock(ids, rows, block.languages, block.sources)
