"""From a mention to what goes on the bus: its brands given, found and inherited; nothing, or a removal, where it has none."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from tocsin.contracts.events import AuthorRole, Mention, Removal, RemovalReason
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.matching import BrandMatcher

MEMORY_SIZE = 200_000
"""Mentions whose brands are remembered, so that answers inherit them: about 40 MB."""


class Outcome(StrEnum):
    """What became of a mention."""

    PUBLISHED = "published"
    UNMATCHED = "unmatched"
    """No brand: dropped, or taken back where an earlier version had one."""


class Routed(NamedTuple):
    """What is to be put on the bus for a mention: itself with its brands, a removal, or nothing."""

    mention: Mention
    """As it came in."""
    event: Mention | Removal | None
    outcome: Outcome
    updated: bool
    """Whether it is a later version of a mention that was there before."""
    brands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BrandRules:
    """What is looked for in a mention."""

    matcher: BrandMatcher
    own_accounts: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, brands: Sequence[BrandSettings]) -> BrandRules:
        """The rules of these brands."""
        return cls(
            BrandMatcher.of_brands(brands),
            {brand.id: frozenset(map(_account, brand.own_accounts)) for brand in brands},
        )


_Key = tuple[str, str]
_Known = tuple[int, tuple[str, ...]]


class Router:
    """Decides for each mention; remembers the brands of the last `memory_size` ones. Safe between threads."""

    def __init__(
        self, brands: Sequence[BrandSettings] | Callable[[], BrandRules], memory_size: int = MEMORY_SIZE
    ) -> None:
        """`brands` as they are for good, or what tells before each batch how they are now."""
        if callable(brands):
            self._rules = brands
        else:
            fixed = BrandRules.of(brands)
            self._rules = lambda: fixed
        self._memory_size = memory_size
        self._memory: OrderedDict[_Key, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def route(self, mentions: Sequence[Mention], only: frozenset[str] | None = None) -> list[Routed]:
        """What is to be done with each of them, in order. Brands that were given come first, then those that the text names,
        then those of what it answers, quotes or reposts; of all of them, `only` these.

        Changes nothing, so that it can be asked again after a failure: `remember` follows when all of it is on the bus.
        """
        rules = self._rules()
        pending: dict[_Key, _Known] = {}
        routed = []
        for mention in mentions:
            found = rules.matcher.brands(mention.text)
            inherited = self._inherited(mention, pending)
            brands = tuple(dict.fromkeys((*mention.brands, *found, *inherited)))
            if only is not None:
                brands = tuple(brand for brand in brands if brand in only)
            key = (mention.source, mention.native_id)
            known = self._known(key, pending)
            updated = _is_update(mention) or (known is not None and known[0] < mention.version)
            if known is None or known[0] <= mention.version:
                pending[key] = (mention.version, brands)
            routed.append(_routed(mention, brands, rules, updated=updated))
        return routed

    def remember(self, routed: Iterable[Routed]) -> None:
        """These are on the bus: what answers them from now on inherits their brands."""
        with self._lock:
            for item in routed:
                key = (item.mention.source, item.mention.native_id)
                known = self._memory.get(key)
                if known is not None and known[0] > item.mention.version:
                    continue
                self._memory.pop(key, None)
                if item.brands:
                    self._memory[key] = (item.mention.version, item.brands)
                if len(self._memory) > self._memory_size:
                    self._memory.popitem(last=False)

    def _known(self, key: _Key, pending: Mapping[_Key, _Known]) -> _Known | None:
        if key in pending:
            return pending[key]
        with self._lock:
            return self._memory.get(key)

    def _inherited(self, mention: Mention, pending: Mapping[_Key, _Known]) -> Iterable[str]:
        for answered in (mention.in_reply_to, mention.quote_of, mention.repost_of):
            known = self._known((mention.source, answered), pending) if answered is not None else None
            if known is not None:
                yield from known[1]


def _routed(mention: Mention, brands: tuple[str, ...], rules: BrandRules, *, updated: bool) -> Routed:
    if brands:
        return Routed(mention, _with_brands(mention, brands, rules), Outcome.PUBLISHED, updated, brands)
    removal = None
    if updated:
        removal = Removal(id=mention.id, revision=mention.version, why=RemovalReason.UNMATCHED)
    return Routed(mention, removal, Outcome.UNMATCHED, updated, ())


def _with_brands(mention: Mention, brands: tuple[str, ...], rules: BrandRules) -> Mention:
    changes: dict[str, object] = {}
    if brands != mention.brands:
        changes["brands"] = brands
    # One role for all brands of a mention: what a brand's own account says of another brand is no public voice either.
    account = _account(mention.author.id or "")
    if account and any(account in rules.own_accounts.get(brand, ()) for brand in brands):
        changes["author"] = mention.author.model_copy(update={"role": AuthorRole.OWN})
    return mention.model_copy(update=changes) if changes else mention


def _is_update(mention: Mention) -> bool:
    """Whether the mention says itself that this is not its first version."""
    return mention.version > int(mention.published_at.timestamp() * 1000)


def _account(identifier: str) -> str:
    return identifier.strip().removeprefix("@").casefold()
