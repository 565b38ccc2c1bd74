"""What every route of one application works with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from services.alert.protocol.directory import Directory
from services.api.live import LiveHead, OpenStreams
from services.api.pages.figures import RememberedFigures
from tocsin.access.identity_provider import IdentityProvider
from tocsin.access.passwords import Passwords
from tocsin.access.principals import Principal
from tocsin.access.sessions import Sessions
from tocsin.bus.failures import BusError
from tocsin.bus.port import Bus
from tocsin.clock import Clock
from tocsin.config import Configuration
from tocsin.contracts.topics import CLASSIFIED, MENTIONS
from tocsin.storage import oncall, ticks
from tocsin.storage.database import Database
from tocsin.storage.figures import Thresholds


@dataclass(frozen=True, slots=True)
class ApiContext:
    """Made once by `services.api.app.create_app`.

    `clock` is that of the mentions and incidents, `people_clock` the one that keys, links and sessions expire by.
    """

    configuration: Configuration
    database: Database
    clock: Clock
    people_clock: Clock
    home: Path
    """The data folder."""
    sessions: Sessions
    passwords: Passwords
    identity_provider: IdentityProvider | None
    directory: Directory
    bus: Bus
    thresholds: Thresholds
    figures: RememberedFigures
    live: LiveHead
    open_streams: OpenStreams
    workbooks: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(2))
    """How many Excel files are made at a time."""

    previews: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(1))
    """Previews of queries read every text of a week: one at a time, so that pages stay quick."""

    def brand_ids(self, principal: Principal) -> list[str]:
        """The configured brands that a principal may see, in the order of the configuration."""
        return [brand.id for brand in self.configuration.brands if principal.sees(brand.id)]

    def complete_up_to(self, session: Session) -> datetime | None:
        """Up to when everything that was published has been handled, by the ticks; None where that is not known now."""
        try:
            classified, mentions = self.bus.partitions(CLASSIFIED), self.bus.partitions(MENTIONS)
        except BusError:
            return None
        return ticks.complete_up_to(session, classified_partitions=classified, mentions_partitions=mentions)

    def directory_now(self, session: Session) -> Directory:
        """The directory with the shifts that people have exchanged since the configuration was written."""
        return self.directory.with_overrides(oncall.overrides(session, self.clock.now()))

    def sees(self, principal: Principal, brand: str) -> bool:
        """True where the brand is configured and the principal may see it."""
        return self.configuration.brand(brand) is not None and principal.sees(brand)


def context_of(request: Request) -> ApiContext:
    """The context of the application that the request came to."""
    context: ApiContext = request.app.state.context
    return context


async def _context(request: Request) -> ApiContext:
    # A coroutine, so that it waits for no thread.
    return context_of(request)


Context = Annotated[ApiContext, Depends(_context)]
