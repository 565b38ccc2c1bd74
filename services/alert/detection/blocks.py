"""One clock hour of mentions in columns: what an evaluation looks at, small enough to be kept in a row and read again.

A mention is *first* when no earlier one of its author stands in the same clock hour (UTC). Windows count first mentions, as
`HourCount` does, so a window and its baseline count the same thing; a window's very first hour may miss an author who wrote
just before it began.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.alert.detection.observations import HarmfulRates, Observation, primary_language
from tocsin.contracts.events import AuthorRole, RiskKind, SourceKind

FIRST, FIRST_HARMFUL, FIRST_TOXIC = 1, 2, 4
"""Its author's first of the hour: of all, of the harmful, of the harmful and toxic ones."""
HARMFUL, CRISIS, PRESS, REPOST, TOXIC = 8, 16, 32, 64, 128
"""What it is by itself: harmful, with a crisis word, by the press, a repost of another, harmful and toxic."""
_BY_ITSELF = HARMFUL | CRISIS | PRESS | REPOST | TOXIC

ROW = np.dtype([
    ("seconds", "<f8"),  # event time, since 1970
    ("author", "<i8"),  # a hash; without an author, of the mention
    ("followers", "<i8"),  # -1 where the source gives none
    ("engagement", "<i8"),
    ("copies", "<i8"),  # equal for copies of one text; near copies once `story` is set
    ("story", "<i8"),  # 0 until it was given one
    ("kinds", "<u2"),  # a bit a kind of risk
    ("language", "<u2"),  # index into `languages`
    ("source", "<u2"),  # index into `sources`
    ("flags", "u1"),
])  # fmt: skip
"""One mention: 55 bytes, and 37 for its id."""
_BIT = {kind: 1 << number for number, kind in enumerate(RiskKind)}
_VERSION = 2


@dataclass(frozen=True, slots=True)
class HourBlock:
    """The mentions of one clock hour that may wake somebody, by time."""

    ids: tuple[str, ...]
    rows: NDArray[Any]
    """Of `ROW`, one a mention, in the order of `ids`."""
    languages: tuple[str, ...]
    sources: tuple[str, ...]


def bits_of(kinds: Iterable[RiskKind]) -> int:
    """The bits of these kinds in the column `kinds`."""
    return sum(_BIT[kind] for kind in set(kinds))


def kinds_of(bits: int) -> list[RiskKind]:
    """The kinds of these bits."""
    return [kind for kind, bit in _BIT.items() if bits & bit]


def number_of(key: str) -> int:
    """A hash of 63 bits, the same in every process and never 0; keys of hexadecimal digits are taken as they are."""
    number = 0
    if len(key) in (16, 24):
        try:
            number = int(key[:16], 16)
        except ValueError:
            number = 0
    if not number:
        number = int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
    return (number & 0x7FFF_FFFF_FFFF_FFFF) or 1


class Marked(NamedTuple):
    """One mention, made ready to be counted and to be put into a block; it does not depend on the others of its hour."""

    id: str
    seconds: float
    author: int
    followers: int
    engagement: int
    copies: int
    kinds: int
    language: str
    source: str
    flags: int
    wakes: bool
    """One that does not is counted in its hour, and is in no block."""


def mark(item: Observation, rates: HarmfulRates, speaks_of_crisis: Callable[[str], bool]) -> Marked:
    """What is kept of a mention that counts."""
    flags = 0
    if item.negative or item.risk >= rates.risk_threshold:
        flags = HARMFUL | TOXIC if item.toxicity >= rates.toxicity_threshold else HARMFUL
    if item.text and speaks_of_crisis(item.text):
        flags |= CRISIS
    if item.role is AuthorRole.PRESS or item.source_kind is SourceKind.PRESS:
        flags |= PRESS
    if item.repost:
        flags |= REPOST
    own = f"?{item.mention_id}"
    return Marked(
        item.mention_id,
        item.at.timestamp(),
        number_of(item.author or own),
        -1 if item.followers is None else item.followers,
        item.engagement,
        number_of(item.copy_key or own),
        bits_of(item.kinds) if item.kinds else 0,
        primary_language(item.language),
        item.source,
        flags,
        item.wakes,
    )


def build_block(marked: Iterable[Marked]) -> HourBlock:
    """The columns of one clock hour, of those of its mentions that may wake somebody, whatever the order in which they came."""
    return extend_block(_EMPTY, marked)


def extend_block(block: HourBlock, marked: Iterable[Marked]) -> HourBlock:
    """`block` with more mentions of its hour: what `build_block` makes of all (but in which order languages and sources are numbered);
    which story a mention tells stays with it.
    """
    ordered = sorted((item for item in marked if item.wakes), key=_BY_TIME)
    if not ordered:
        return block
    before = len(block.rows)
    languages = {name: number for number, name in enumerate(block.languages)}
    sources = {name: number for number, name in enumerate(block.sources)}
    rows = np.zeros(before + len(ordered), dtype=ROW)
    rows[:before] = block.rows
    ids, seconds, authors, followers, engagement, copies, kinds, spoken, said, flags, _ = zip(*ordered, strict=True)
    new = rows[before:]
    new["seconds"], new["author"], new["followers"], new["engagement"] = seconds, authors, followers, engagement
    new["copies"], new["kinds"], new["flags"] = copies, kinds, flags
    new["language"] = [languages.setdefault(name, len(languages)) for name in spoken]
    new["source"] = [sources.setdefault(name, len(sources)) for name in said]
    names = (*block.ids, *ids)
    if before and (float(rows["seconds"][before - 1]), names[before - 1]) > (seconds[0], ids[0]):
        names, rows = _in_order(names, rows)
    _mark_first(rows)
    return HourBlock(names, rows, tuple(languages), tuple(sources))


_BY_TIME = attrgetter("seconds", "id")


def _in_order(ids: tuple[str, ...], rows: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[Any]]:
    """By time, and by id where two came at one moment."""
    seconds = rows["seconds"].tolist()
    order = sorted(range(len(ids)), key=lambda place: (seconds[place], ids[place]))
    return tuple([ids[place] for place in order]), rows[order]


def _mark_first(rows: NDArray[Any]) -> None:
    """Flag each author's first mention in order of the rows: of all, of the harmful, of the harmful and toxic ones."""
    flags = rows["flags"] & _BY_ITSELF
    for flag, which in (
        (FIRST, np.arange(len(rows))),
        (FIRST_HARMFUL, np.flatnonzero(flags & HARMFUL)),
        (FIRST_TOXIC, np.flatnonzero(flags & TOXIC)),
    ):
        # The first of each author, because `unique` tells the first place of each value.
        _, first = np.unique(rows["author"][which], return_index=True)
        flags[which[first]] |= flag
    rows["flags"] = flags


_EMPTY = HourBlock((), np.zeros(0, dtype=ROW), (), ())


def marks_of(
    observations: Iterable[Observation], rates: HarmfulRates, speaks_of_crisis: Callable[[str], bool]
) -> list[Marked]:
    """Those that count, made ready."""
    return [mark(item, rates, speaks_of_crisis) for item in observations if item.counts(rates)]


def blocks_of(
    observations: Iterable[Observation], rates: HarmfulRates, speaks_of_crisis: Callable[[str], bool]
) -> dict[datetime, HourBlock]:
    """Blocks by the start of their hour."""
    hours: dict[int, list[Observation]] = {}
    for observation in observations:
        hours.setdefault(int(observation.at.timestamp() // 3600), []).append(observation)
    return {
        datetime.fromtimestamp(hour * 3600, UTC): build_block(marks_of(items, rates, speaks_of_crisis))
        for hour, items in hours.items()
    }


def keep_stories(block: HourBlock, before: HourBlock | None) -> HourBlock:
    """`block`, just built, with the stories that its mentions were given when it was `before`."""
    if before is None or not len(before.rows):
        return block
    told = {before.ids[index]: index for index in np.flatnonzero(before.rows["story"]).tolist()}
    pairs = [(here, told[item]) for here, item in enumerate(block.ids) if item in told]
    if not pairs:
        return block
    here, there = np.array(pairs).T
    rows = block.rows.copy()
    for name in ("copies", "story"):
        rows[name][here] = before.rows[name][there]
    return HourBlock(block.ids, rows, block.languages, block.sources)


def dump_block(block: HourBlock) -> bytes:
    """A block as bytes, for a column of a row. Its first 40 tell it from every other one."""
    head = {"version": _VERSION, "ids": block.ids, "languages": block.languages, "sources": block.sources}
    rest, rows = json.dumps(head, separators=(",", ":")).encode(), block.rows.tobytes()
    digest = blake2b(rows, digest_size=8, key=blake2b(rest).digest()).hexdigest()
    encoded = b'{"digest":"' + digest.encode() + b'",' + rest[1:]
    return len(encoded).to_bytes(4, "little") + encoded + rows


def load_block(data: bytes) -> HourBlock | None:
    """The inverse of `dump_block`; None for what another version wrote, which must be built again."""
    size = int.from_bytes(data[:4], "little")
    head = json.loads(data[4 : 4 + size])
    if head["version"] != _VERSION:
        return None
    rows = np.frombuffer(data, dtype=ROW, offset=4 + size)
    return HourBlock(tuple(head["ids"]), rows, tuple(head["languages"]), tuple(head["sources"]))
