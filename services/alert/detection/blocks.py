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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.alert.detection.observations import HarmfulRates, Observation, primary_language
from tocsin.contracts.events import AuthorRole, RiskKind, SourceKind

FIRST, FIRST_HARMFUL, FIRST_TOXIC = 1, 2, 4
"""Its author's first of the hour: of all, of the harmful, of the harmful and toxic ones."""
HARMFUL, CRISIS, PRESS, REPOST = 8, 16, 32, 64
"""What it is by itself: harmful, with a crisis word, by the press, a repost of another."""

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
_VERSION = 1


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
    try:
        number = int(key[:16], 16) if len(key) in (16, 24) else 0
    except ValueError:
        number = 0
    if not number:
        number = int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
    return (number & 0x7FFF_FFFF_FFFF_FFFF) or 1


@dataclass(frozen=True, slots=True)
class Marked:
    """One mention, made ready to be put into a block; it does not depend on the others of its hour."""

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
    toxic: bool


def mark(item: Observation, rates: HarmfulRates, speaks_of_crisis: Callable[[str], bool]) -> Marked:
    """What a block holds of a mention that wakes and counts."""
    harmful = item.negative or item.risk >= rates.risk_threshold
    flags = HARMFUL if harmful else 0
    if item.text and speaks_of_crisis(item.text):
        flags |= CRISIS
    if item.role is AuthorRole.PRESS or item.source_kind is SourceKind.PRESS:
        flags |= PRESS
    if item.repost:
        flags |= REPOST
    own = f"?{item.mention_id}"
    return Marked(
        id=item.mention_id,
        seconds=item.at.timestamp(),
        author=number_of(item.author or own),
        followers=-1 if item.followers is None else item.followers,
        engagement=item.engagement,
        copies=number_of(item.copy_key or own),
        kinds=bits_of(item.kinds) if item.kinds else 0,
        language=primary_language(item.language),
        source=item.source,
        flags=flags,
        toxic=harmful and item.toxicity >= rates.toxicity_threshold,
    )


def build_block(marked: Iterable[Marked]) -> HourBlock:
    """The columns of one clock hour, whatever the order in which its mentions came."""
    ordered = sorted(marked, key=attrgetter("seconds", "id"))
    languages: dict[str, int] = {}
    sources: dict[str, int] = {}
    rows = np.array(
        [
            (
                item.seconds,
                item.author,
                item.followers,
                item.engagement,
                item.copies,
                0,
                item.kinds,
                languages.setdefault(item.language, len(languages)),
                sources.setdefault(item.source, len(sources)),
                item.flags,
            )
            for item in ordered
        ],
        dtype=ROW,
    )
    everything = np.arange(len(rows))
    harmful = np.flatnonzero(rows["flags"] & HARMFUL)
    toxic = np.flatnonzero(np.fromiter((item.toxic for item in ordered), dtype=bool, count=len(ordered)))
    for flag, which in ((FIRST, everything), (FIRST_HARMFUL, harmful), (FIRST_TOXIC, toxic)):
        # The first of each author, because `unique` tells the first place of each value.
        _, first = np.unique(rows["author"][which], return_index=True)
        rows["flags"][which[first]] |= flag
    return HourBlock(tuple(item.id for item in ordered), rows, tuple(languages), tuple(sources))


def marks_of(
    observations: Iterable[Observation], rates: HarmfulRates, speaks_of_crisis: Callable[[str], bool]
) -> list[Marked]:
    """Those that may wake somebody and count, made ready."""
    return [mark(item, rates, speaks_of_crisis) for item in observations if item.wakes and item.counts(rates)]


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
    """A block as bytes, for a column of a row."""
    head = {"version": _VERSION, "ids": block.ids, "languages": block.languages, "sources": block.sources}
    encoded = json.dumps(head, separators=(",", ":")).encode()
    return len(encoded).to_bytes(4, "little") + encoded + block.rows.tobytes()


def load_block(data: bytes) -> HourBlock | None:
    """The inverse of `dump_block`; None for what another version wrote, which must be built again."""
    size = int.from_bytes(data[:4], "little")
    head = json.loads(data[4 : 4 + size])
    if head["version"] != _VERSION:
        return None
    rows = np.frombuffer(data, dtype=ROW, offset=4 + size)
    return HourBlock(tuple(head["ids"]), rows, tuple(head["languages"]), tuple(head["sources"]))
