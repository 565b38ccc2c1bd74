"""Who an author is in the rows: a digest that only this installation can make, and a name where it may be open."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from tocsin.contracts.events import AuthorRole, ClassifiedMention
from tocsin.contracts.settings.privacy import PrivacySettings
from tocsin.storage.merging import author_key
from tocsin.storage.signing import AUTHORS, signing_key

_OPEN_ROLES = {AuthorRole.PRESS, AuthorRole.OFFICIAL, AuthorRole.OWN}


class Pseudonyms:
    """`named` tells further ids or names of authors whose names are open now, such as those of watch rules."""

    def __init__(self, settings: PrivacySettings, named: Callable[[], Iterable[str]] = tuple) -> None:
        self._keeps_ids = settings.keep_author_ids
        self._names_from = settings.names_from_followers
        self._always_named = frozenset(map(_plain, settings.named_authors))
        self._named_now = named
        self._named: tuple[object, frozenset[str]] = ((), frozenset())
        self._key: bytes | None = None

    def key_of(self, session: Session, mention: ClassifiedMention, now: datetime) -> str | None:
        """What the author is told apart by; the installation's key is read, or made, the first time."""
        if self._key is None:
            self._key = signing_key(session, AUTHORS, now)
        return author_key(mention.source, mention.author.id, self._key)

    def names(self, mention: ClassifiedMention) -> bool:
        """Whether the author's name is open: press, officials, our own, watch-listed, or followed by many."""
        author = mention.author
        return author.role in _OPEN_ROLES or (author.followers or 0) >= self._names_from or self._is_listed(mention)

    def keeps_id(self, mention: ClassifiedMention) -> bool:
        """Whether the id that the source gives is kept: of listed authors too, because a watch rule may name them by it."""
        return self._keeps_ids or self._is_listed(mention)

    def _is_listed(self, mention: ClassifiedMention) -> bool:
        author = mention.author
        ids = (author.id, f"{mention.source}:{author.id}") if author.id else ()
        return any(self._is_named(_plain(given)) for given in (*ids, author.name) if given)

    def _is_named(self, author: str) -> bool:
        listed = self._named_now()
        if self._named[0] is not listed:
            self._named = (listed, frozenset(map(_plain, listed)))
        return author in self._always_named or author in self._named[1]


def _plain(author: str) -> str:
    return author.strip().removeprefix("@").casefold()
