"""The past of the database, brand by brand, for commands that look back."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.cli.surroundings import open_ready_database
from tocsin.config import Configuration, Environment
from tocsin.storage import past
from tocsin.storage.database import Database
from tocsin.storage.past import PastIncident

if TYPE_CHECKING:
    from services.alert.detection.replaying import Heard


@dataclass
class Past:
    """What the database holds of some brands. `mentions` and `imported` count what went through so far, by brand."""

    database: Database
    configuration: Configuration
    brands: Sequence[str]
    until: datetime
    live_only: bool
    mentions: dict[str, int] = field(default_factory=dict)
    imported: dict[str, int] = field(default_factory=dict)

    def heard(self, brand: str) -> Generator[Heard, None, None]:
        """The mentions of a brand, as they came; a transaction that only reads is open until the last is taken."""
        from services.alert.detection.lateness import wakes
        from services.alert.looking_back import heard_of

        lateness = self.configuration.detection.lateness
        with self.database.read() as session:
            for row in past.received(session, brand):
                self.mentions[brand] = self.mentions.get(brand, 0) + 1
                if not row.wakes and wakes(row.at, row.received_at, row.source, lateness):
                    self.imported[brand] = self.imported.get(brand, 0) + 1
                yield heard_of(row, brand, lateness, live_only=self.live_only)

    def incidents(self) -> Mapping[str, list[PastIncident]]:
        """What was really opened, by brand and time."""
        found: dict[str, list[PastIncident]] = {brand: [] for brand in self.brands}
        with self.database.read() as session:
            for incident in past.opened_incidents(session, self.brands):
                found[incident.brand].append(incident)
        return found


@contextmanager
def past_of(configuration: Configuration, wanted: Sequence[str], *, live_only: bool) -> Iterator[Past]:
    """The past of these brands; of all, without any.

    Raises DatabaseUnavailable and DatabaseOutdated; CommandFailed (status 1) where there is no mention, (2) for a brand without one.
    """
    environment = Environment.read()
    with closing(open_ready_database(configuration, environment)) as database:
        with database.read() as session:
            known = past.brands_with_mentions(session)
            until = past.known_until(session)
        if not known or until is None:
            raise CommandFailed(
                f"the database ({database.url.render_as_string()}) holds no mentions yet; let some come in, or put history into it "
                "with 'tocsin import FILE'"
            )
        for brand in wanted:
            if brand not in known:
                raise CommandFailed(
                    f"--brand {brand}: the database holds no mention of it; it has those of {', '.join(known)}",
                    WRONG_CALL,
                )
        yield Past(database, configuration, list(dict.fromkeys(wanted)) or known, until, live_only)
