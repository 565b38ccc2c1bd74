"""The whole house in one process: all four services on one bus, one database and one scaled clock."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.resources import files
from typing import TextIO
from zoneinfo import ZoneInfo

from tocsin.access.commands import sign_in_link
from tocsin.cli.demo.scenario import EVENING, Scenario
from tocsin.cli.demo.story import Story
from tocsin.cli.history import import_history
from tocsin.clock import Clock, ManualClock, ScaledClock, SystemClock
from tocsin.config import Configuration, Environment, parse
from tocsin.contracts.events import Mention
from tocsin.process import Component, Surroundings
from tocsin.web import WebServer

SPEED = 100.0
"""Minutes of the story a minute."""
BEGINS = (20, 50)
"""Hour and minute at which the story begins, in the brand's time zone."""


def demo_configuration() -> Configuration:
    """The configuration that comes with the demo; whatever tocsin.yaml lies about is not read."""
    return parse(files("tocsin.cli.demo").joinpath("tocsin.yaml").read_text(encoding="utf-8"), name="demo/tocsin.yaml")


def fresh_folder(environment: Environment) -> Environment:
    """An empty folder for this run, inside the data folder."""
    home = environment.home / "demo"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    return Environment(home=home, database_url=None, kafka_bootstrap_servers=None)


def beginning(scenario: Scenario, now: datetime) -> datetime:
    """The latest evening that is over: the story never plays in the future."""
    zone = ZoneInfo(scenario.time_zone)
    start = now.astimezone(zone).replace(hour=BEGINS[0], minute=BEGINS[1], second=0, microsecond=0)
    while start + EVENING > now:
        start -= timedelta(days=1)
    return start.astimezone(now.tzinfo)


def written_story(scenario: Scenario, start: datetime) -> tuple[list[Mention], list[Mention]]:
    """The two weeks before `start` and the evening from it on, through the normaliser that every source goes through."""
    from services.ingest.languages import LanguageDetector
    from services.ingest.normalising import Normaliser

    normaliser = Normaliser(LanguageDetector())
    history = [normaliser.normalise({**raw, "brands": [scenario.brand]}, now=start) for raw in scenario.history(start)]
    return history, [normaliser.normalise(raw, now=start + EVENING) for raw in scenario.evening(start)]


def teach_history(given: Surroundings, mentions: Sequence[Mention], advance: Callable[[int], None]) -> None:
    """Two weeks of quiet into the database, labelled by the real network."""
    from services.alert.handler import AlertHandler
    from services.alert.pseudonyms import Pseudonyms
    from services.classify.handler import ClassifyHandler
    from services.classify.labelling import Labeller
    from tocsin.cli.networks import open_labeller
    from tocsin.matching import BrandMatcher

    labeller: Labeller = open_labeller(given.configuration.classifier)
    clock: Clock = ManualClock(mentions[-1].published_at)
    classify = ClassifyHandler(labeller, BrandMatcher.of_brands(given.configuration.brands), clock, partitions=1)
    alert = AlertHandler(
        given.database, clock, given.configuration.detection, given.bus, Pseudonyms(given.configuration.privacy)
    )
    import_history(mentions, classify, alert, clock, advance)


def furnish(given: Surroundings, evening: Sequence[Mention], output: TextIO) -> tuple[list[Component], WebServer]:
    """The components of all four services, the story beside them. Terminals print to `output`."""
    from services.alert import app as alert
    from services.api.app import create_app
    from services.classify import app as classify
    from services.ingest.app import Ingest

    api = given.configuration.api
    server = WebServer(None, api.host, api.port, name="web", health=given.health)
    server.bind()
    # Links in messages begin with the address that the server really has.
    served = replace(
        given,
        configuration=given.configuration.model_copy(update={"api": api.model_copy(update={"public_url": server.url})}),
    )
    server.app = create_app(served)
    ingest = Ingest(served)
    story = Story(evening, ingest.publisher().publish, given.clock)
    components = [
        *ingest.components(),
        *classify.components(served),
        *alert.components(served, output=output),
        story,
        server,
    ]
    return components, server


def page_link(given: Surroundings, base_url: str, person: str) -> str:
    """A link that signs `person` in, once; it holds for a day of the machine's time, which people click in, not of the story."""
    return sign_in_link(given.database, SystemClock(), base_url=base_url, person=person, lifetime=timedelta(days=1))


def story_clock(start: datetime) -> ScaledClock:
    """The one clock of bus, evaluator and timers."""
    return ScaledClock(start, SPEED)
