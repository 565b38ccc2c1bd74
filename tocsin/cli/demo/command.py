"""`tocsin demo`: watch a crisis being noticed."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from tocsin.bus.failures import Retryable
from tocsin.cli.demo.scenario import EVENING, Scenario
from tocsin.cli.failure import DONE, FAILED
from tocsin.cli.progress import progress
from tocsin.clock import ScaledClock
from tocsin.config import Environment
from tocsin.contracts.decisions import NotificationKind
from tocsin.contracts.incidents import Incident
from tocsin.observability.logs import configure_logs
from tocsin.process import Surroundings, run_components, stop_on_signals
from tocsin.storage import brands, incidents, notifications
from tocsin.storage.notifications import NotificationOutcome
from tocsin.storage.searches import MentionFilter, find_mentions

LOOK_SECONDS = 0.5
"""How often the terminal looks at the database, of the machine's time."""
TELL_EVERY = timedelta(minutes=10)
"""How often the terminal says how things stand, of the story's time."""
SHOWN = 3
"""Mentions that are shown each time."""
LINGER = timedelta(minutes=12)
"""After the story is told, so much longer it is watched, so that the escalation's next step is seen."""


def register(app: typer.Typer) -> None:
    """Add `tocsin demo`."""
    app.command("demo")(demo)


def demo(
    stay: Annotated[bool, typer.Option("--stay", help="Keep the page up until Ctrl-C.")] = False,
) -> None:
    """Watch a crisis being noticed: two quiet weeks, an evening, a bad buzz, somebody is rung.

    The last line is JSON: {"incident", "level", "notified", "page"}. Exit status 1 where nobody was notified.
    """
    from tocsin.cli.demo import house
    from tocsin.cli.surroundings import open_database, surroundings

    configure_logs(process="demo", level="warning")
    configuration = house.demo_configuration()
    environment = house.fresh_folder(Environment.read())
    scenario = Scenario.load()
    start = house.beginning(scenario, datetime.now(UTC))
    history, evening = house.written_story(scenario, start)
    say("An ordinary evening of Lunéa, a brand of yoghurt that does not exist, until somebody finds glass.")
    say(f"First, two quiet weeks: {len(history)} mentions in {len(scenario.languages)} languages …")
    with closing(open_database(configuration, environment)) as database:
        database.upgrade()
    clock = house.story_clock(start)
    stop = threading.Event()
    stop_on_signals(stop)
    with surroundings(configuration, environment, clock) as given:
        with progress("history", len(history)) as advance:
            house.teach_history(given, history, advance)
        components, server = house.furnish(given, evening, sys.stdout)
        page = house.page_link(given, server.url, "lea")
        say(f"\nThe page; this link signs you in, once:\n  {page}\n")
        # The story begins when everything stands.
        clock.restart(start)
        watcher = _Watcher(given, clock, stop, scenario, until=start + EVENING + LINGER, stay=stay, page=page)
        watching = threading.Thread(target=watcher.watch, name="watcher")
        watching.start()
        run_components(components, stop, drain_seconds=20)
        watching.join()
        if not stay:
            watcher.tell_result()
    raise typer.Exit(DONE if watcher.notified else FAILED)


def say(text: str) -> None:
    """One line to the terminal, at once."""
    print(text, flush=True)


@dataclass
class _Watcher:
    """Looks at the database as the page does, says how things stand, and ends the demo when the story is over."""

    given: Surroundings
    clock: ScaledClock
    stop: threading.Event
    scenario: Scenario
    until: datetime
    stay: bool
    page: str
    notified: list[str] = field(default_factory=list)
    incident: Incident | None = None

    def watch(self) -> None:
        """Until the story is over and a while more, or until it is stopped."""
        try:
            self._watch_story()
            if self.stay and not self.stop.is_set():
                # The evening goes on, but at the pace of whoever looks at the page.
                self.clock.change_speed(1)
                say("\nThe page stays up. Ctrl-C ends it.")
                self.tell_result()
                self.stop.wait()
        finally:
            self.stop.set()

    def _watch_story(self) -> None:
        told_at = self.clock.now()
        while not self.stop.wait(LOOK_SECONDS) and self.clock.now() < self.until:
            now = self.clock.now()
            try:
                self._look()
                if now >= told_at + TELL_EVERY:
                    self._say_how_things_stand(told_at, now)
                    told_at = now
            except Retryable:
                continue  # The database was busy; it is looked at again in a moment.

    def tell_result(self) -> None:
        """The last line: what came of it, as JSON."""
        self._look()
        result: dict[str, Any] = {
            "incident": str(self.incident.id) if self.incident else None,
            "level": str(self.incident.level) if self.incident else None,
            "notified": self.notified,
            "page": self.page,
        }
        say(json.dumps(result, ensure_ascii=False))

    def _look(self) -> None:
        with self.given.database.read() as session:
            found = incidents.list_incidents(session, brands=[self.scenario.brand], limit=1)
            if not found:
                return
            pages = [
                item
                for item in notifications.notifications(session, found[0].id)
                if item.notification.kind is NotificationKind.PAGE and item.outcome is NotificationOutcome.ACCEPTED
            ]
        if self.incident is None:
            say(f"\n{self._time(found[0].opened_at)}  an incident opens: {found[0].level}")
        self.incident = found[0]
        self.notified = list(dict.fromkeys(item.notification.name for item in pages))

    def _say_how_things_stand(self, since: datetime, now: datetime) -> None:
        with self.given.database.read() as session:
            status = next(iter(brands.board(session, [self.scenario.brand])), None)
            said = find_mentions(session, MentionFilter(self.scenario.brand, since, now), limit=500)
        if status is None:
            return
        why = status.reasons.get("en", "")
        say(
            f"\n{self._time(now)}  {status.level:<6}  score {status.score:>3.0f}  mentions in 10 min: {len(said)}.  {why}".rstrip()
        )
        # One of each language, a few at most: they are what the network has just read.
        shown = list({mention.language: mention for mention in reversed(said)}.values())[-SHOWN:]
        for mention in shown:
            say(
                f"       {mention.language or '–':<3} {mention.sentiment or '–':<9} risk {mention.risk or 0:.2f}  {mention.text}"
            )

    def _time(self, at: datetime) -> str:
        return f"{at.astimezone(ZoneInfo(self.scenario.time_zone)):%H:%M}"
