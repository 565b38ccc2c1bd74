"""The composition root of ingest: what it is built from, and nothing else."""

from __future__ import annotations

import os
import secrets
import socket

import httpx
from fastapi import APIRouter

from services.ingest.delivering import Delivery
from services.ingest.languages import LanguageDetector
from services.ingest.leases import SourceLeases
from services.ingest.normalising import Normaliser
from services.ingest.publisher import InFlight, Publisher
from services.ingest.receiving import KeyVerifier, Receiver, create_router
from services.ingest.routing import BrandRules, Router
from services.ingest.runner import SourceRunner
from services.ingest.sources.files import FileSource
from services.ingest.sources.port import Source
from services.ingest.sources.rss import RssSource
from services.ingest.ticking import Ticking
from tocsin.clock import SystemClock
from tocsin.contracts.settings.sources import RssSource as RssSettings
from tocsin.live_settings import Following, LiveSettings
from tocsin.process import Component, Surroundings


class Ingest:
    """The parts of one process, with what they share: the memory of brands, and what is in flight. Make one a process."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self.live = LiveSettings(surroundings.configuration, surroundings.database, surroundings.clock)
        self.live.refresh()
        self._brands = Router(Following(self.live, lambda overlay: BrandRules.of(overlay.configuration.brands)))
        self._in_flight = InFlight(surroundings.clock)
        self._normaliser = Normaliser(LanguageDetector())

    def publisher(self) -> Publisher:
        """A way to the bus, for one thread or one request."""
        return Publisher(self._surroundings.bus.producer(), self._brands, self._surroundings.clock)

    def components(self) -> list[Component]:
        """Ticks, the configured sources, and what keeps up with the settings of run time."""
        given = self._surroundings
        components: list[Component] = [Ticking(given.bus, self._in_flight, given.clock, given.health), self.live]
        if given.configuration.sources:
            components.append(self._runner())
        return components

    def router(self, verifier: KeyVerifier) -> APIRouter:
        """`POST /v1/mentions`, for an application with `tocsin.problems.install`. Without `components`, run `live` beside it."""
        brands = frozenset(brand.id for brand in self._surroundings.configuration.brands)
        return create_router(Receiver(self._normaliser, self.publisher, self._in_flight, brands), verifier)

    def _runner(self) -> SourceRunner:
        given = self._surroundings
        # Leases are between processes, whose clocks may differ; a scaled clock is in one process, and has its own time.
        now = given.database.now if isinstance(given.clock, SystemClock) else given.clock.now
        client = httpx.Client()
        sources: list[Source] = [
            RssSource(settings, client, given.clock) if isinstance(settings, RssSettings) else FileSource(settings)
            for settings in given.configuration.sources
        ]
        return SourceRunner(
            sources,
            SourceLeases(given.database, owner(), now),
            lambda source: Delivery(source, self.publisher(), self._normaliser, self._in_flight, given.clock),
            clock=given.clock,
            health=given.health,
        )


def owner() -> str:
    """A name for this process that no other has, nor itself after a restart."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
