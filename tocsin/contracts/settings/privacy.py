"""`privacy`: whose names are kept in the open, and what is kept of the others."""

from __future__ import annotations

from pydantic import Field

from tocsin.contracts.settings.base import Settings


class PrivacySettings(Settings):
    """Authors are told apart by keyed digests; names are open for press and officials, and for these."""

    names_from_followers: int = Field(default=10_000, ge=0)
    """Names of authors with at least so many followers are open; 0: of everybody."""
    named_authors: tuple[str, ...] = ()
    """Ids or names of authors whose names are open, whatever their reach: a watch list."""
    keep_author_ids: bool = False
    """Keep the ids that sources give to authors, too; without them, links to profiles cannot be made, and nobody can be looked up."""
