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
from operator import itemgetter
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


def build_block(
    observations: Iterable[Observation], rates: HarmfulRates, speaks_of_crisis: Callable[[str], bool]
) -> HourBlock:
    """The columns of one clock hour, whatever the order in which its mentions came."""
    kept = sorted(
        ((item.at.timestamp(), item.mention_id, item) for item in observations if item.wakes and item.counts(rates)),
        key=itemgetter(0, 1),
    )
    seen: dict[int, int] = {}
    languages: dict[str, int] = {}
    sources: dict[str, int] = {}
    rows = np.empty(len(kept), dtype=ROW)
    risky, toxic_from = rates.risk_threshold, rates.toxicity_threshold
    for index, (seconds, mention_id, item) in enumerate(kept):
        author = number_of(item.author or f"?{mention_id}")
        flags = HARMFUL if item.negative or item.risk >= risky else 0
        new = FIRST | (FIRST_HARMFUL if flags else 0)
        new |= FIRST_TOXIC if flags and item.toxicity >= toxic_from else 0
        before = seen.get(author, 0)
        seen[author] = before | new
        flags |= new & ~before
        if item.text and speaks_of_crisis(item.text):
            flags |= CRISIS
        if item.role is AuthorRole.PRESS or item.source_kind is SourceKind.PRESS:
            flags |= PRESS
        if item.repost:
            flags |= REPOST
        rows[index] = (
            seconds,
            author,
            -1 if item.followers is None else item.followers,
            item.engagement,
            number_of(item.copy_key or f"?{mention_id}"),
            0,
            bits_of(item.kinds) if item.kinds else 0,
            languages.setdefault(primary_language(item.language), len(languages)),
            sources.setdefault(item.source, len(sources)),
            flags,
        )
    return HourBlock(tuple(mention_id for _, mention_id, _ in kept), rows, tuple(languages), tuple(sources))


def blocks_of(
    observations: Iterable[Observation], rates: HarmfulRates, speaks_of_crisis: Callable[[str], bool]
) -> dict[datetime, HourBlock]:
    """Blocks by the start of their hour."""
    hours: dict[int, list[Observation]] = {}
    for observation in observations:
        hours.setdefault(int(observation.at.timestamp() // 3600), []).append(observation)
    return {
        datetime.fromtimestamp(hour * 3600, UTC): build_block(items, rates, speaks_of_crisis)
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
