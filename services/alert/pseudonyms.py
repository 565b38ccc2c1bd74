"""Who an author is in the rows: a digest that only this installation can make, and a name where it may be open."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from tocsin.contracts.events import AuthorRole, ClassifiedMention
from tocsin.contracts.settings.privacy import PrivacySettings
from tocsin.storage.merging import author_key
from tocsin.storage.signing import AUTHORS, signing_key

_OPEN_ROLES = {AuthorRole.PRESS, AuthorRole.OFFICIAL, AuthorRole.OWN}


class Pseudonyms:
    """`named`: further ids or names of authors whose names are open, such as those of watch rules."""

    def __init__(self, settings: PrivacySettings, named: Iterable[str] = ()) -> None:
        self.keeps_ids = settings.keep_author_ids
        self._names_from = settings.names_from_followers
        self._named = frozenset(_plain(author) for author in (*settings.named_authors, *named))
        self._key: bytes | None = None

    def key_of(self, session: Session, mention: ClassifiedMention, now: datetime) -> str | None:
        """What the author is told apart by; the installation's key is read, or made, the first time."""
        if self._key is None:
            self._key = signing_key(session, AUTHORS, now)
        return author_key(mention.source, mention.author.id, self._key)

    def names(self, mention: ClassifiedMention) -> bool:
        """Whether the author's name is open: press, officials, our own, watch-listed, or followed by many."""
        author = mention.author
        return (
            author.role in _OPEN_ROLES
            or (author.followers or 0) >= self._names_from
            or any(_plain(given) in self._named for given in (author.id, author.name) if given)
        )


def _plain(author: str) -> str:
    return author.strip().removeprefix("@").casefold()
