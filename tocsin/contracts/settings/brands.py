"""`brands`: whom the bell watches over, and the words that a mention of each contains."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

from tocsin.contracts.queries import parse_query
from tocsin.contracts.settings.base import Identifier, Settings


def _known_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is no IANA time zone; write it like 'Europe/Paris'") from error
    return value


TimeZone = Annotated[str, AfterValidator(_known_zone)]
"""An IANA time zone, such as `Europe/Paris`."""


def _readable_query(value: str) -> str:
    parse_query(value)
    return value


Query = Annotated[str, AfterValidator(_readable_query)]
"""Terms joined by OR, each a word, a "phrase", a #tag or an @handle; see `tocsin.contracts.queries`."""


class BrandSettings(Settings):
    """One brand. `query` decides what mentions it; without one, only sources that name the brand themselves feed it."""

    id: Identifier
    names: tuple[str, ...] = ()
    """How people call it; each is a term of the query when no `query` is written."""
    query: Query | None = None
    """Terms, separated by OR, each a word or a \"phrase\"."""
    exclude: Query | None = None
    """Terms, written as in `query`; a mention that has one of them is not about the brand, such as \"orange juice\" for Orange."""
    time_zone: TimeZone = "UTC"
    """Whose hours are the brand's hours: the baseline compares Monday 9 o'clock with other Mondays at 9 there."""
    languages: tuple[str, ...] = ()
    own_accounts: tuple[str, ...] = ()
    """Author ids of the brand's own accounts: kept for response times, never counted."""
    policy: Identifier | None = None
    """The escalation policy for its incidents; without one, the only policy there is."""
