"""Random commands, timers, level changes, crashes, restarts and clocks against a model, on the real storage of both databases.

The model knows nothing of versions, events, rows or messages: only whose turn it is, at which minute. It says who must have
been called when; the database says who was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, select

from services.alert.protocol.commands import (
    Acknowledge,
    ChangeLevel,
    Command,
    Escalate,
    Mitigate,
    Open,
    Reopen,
    Resolve,
    Review,
    SetLevel,
    SilenceUntil,
    Unacknowledge,
    Unsilence,
)
from services.alert.protocol.decide import decide
from services.alert.timers import Timers
from tests.team import DIRECTORY, START, judged, policy, steps
from tocsin.clock import ManualClock
from tocsin.contracts.decisions import Decision
from tocsin.contracts.incidents import IncidentState, Level, Verdict
from tocsin.contracts.settings.protocol import LevelPolicy
from tocsin.storage import incidents, timers
from tocsin.storage.database import Database
from tocsin.storage.tables.incidents import IncidentTable, NotificationTable

MINUTE = timedelta(minutes=1)
POLICY = policy(
    orange=LevelPolicy(
        steps=steps((0, ["person:lea"]), (5, ["person:sam"])),
        repeat=1,
        repeat_after=10 * MINUTE,
        acknowledgement_timeout=30 * MINUTE,
    ),
    red=LevelPolicy(
        steps=steps((2, ["person:sam"]), (3, ["person:ines"])),
        repeat=0,
        repeat_after=7 * MINUTE,
        acknowledgement_timeout=15 * MINUTE,
    ),
)
WALKS = {
    Level.ORANGE: [(0, "Léa"), (5, "Sam"), (10, "Léa"), (5, "Sam"), (10, "Inès")],
    Level.RED: [(2, "Sam"), (3, "Inès"), (7, "Inès")],
}
"""Minutes after the call before, and who is called then; the last is the fallback."""
HOLDS = {Level.ORANGE: 30, Level.RED: 15, Level.YELLOW: 30, Level.GREEN: 30}


@dataclass
class Model:
    """Whose turn it is, at which minute."""

    now: datetime
    level: Level = Level.ORANGE
    judged: Level = Level.ORANGE
    by_hand: tuple[str, Level] | None = None
    """`floor` or `cap`, and the level that a person set."""
    state: IncidentState = IncidentState.TRIGGERED
    held_at: Level | None = None
    held_until: datetime | None = None
    silent_until: datetime | None = None
    silent_at: Level = Level.GREEN
    walk: list[tuple[int, str]] = field(default_factory=list)
    next_call: int = 0
    due: datetime | None = None
    calls: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def held(self) -> bool:
        return self.state in (IncidentState.ACKNOWLEDGED, IncidentState.MITIGATING)

    def begin(self) -> None:
        if self.level.serious and self.silent_until is None:
            self.walk, self.next_call = WALKS[self.level], 0
            self.due = self.now + self.walk[0][0] * MINUTE
            self.fire()

    def call(self) -> None:
        self.calls.append((self.now, self.walk[self.next_call][1]))
        self.next_call += 1
        more = self.next_call < len(self.walk)
        self.due = self.now + self.walk[self.next_call][0] * MINUTE if more else None

    def fire(self) -> None:
        """Everything whose time has come, at the present minute."""
        if self.held and self.held_until is not None and self.held_until <= self.now:
            self.let_go()
            self.begin()
        if self.state.open and self.silent_until is not None and self.silent_until <= self.now:
            self.silent_until = None
            if self.state is IncidentState.TRIGGERED:
                self.begin()
        while self.due is not None and self.due <= self.now:
            self.call()

    def next_event(self) -> datetime | None:
        ends = [self.due, self.held_until if self.held else None, self.silent_until if self.state.open else None]
        return min((end for end in ends if end is not None), default=None)

    def let_go(self) -> None:
        self.state, self.held_at, self.held_until = IncidentState.TRIGGERED, None, None

    def hold(self, state: IncidentState) -> None:
        self.state, self.held_at, self.due = state, self.level, None
        self.held_until = self.now + HOLDS[self.level] * MINUTE

    def move_level(self, level: Level) -> None:
        before, self.level = self.level, level
        if level is Level.GREEN:
            self.due = None
        if level <= before:
            return
        if self.silent_until is not None and self.silent_at < level:
            self.silent_until = None
        if self.held_at is not None:
            if self.held_at >= level:
                return
            self.let_go()
        self.begin()

    def judge(self, level: Level) -> None:
        before, self.judged = self.judged, level
        if self.by_hand is not None and self.by_hand[0] == "cap" and level > max(before, self.by_hand[1]):
            self.by_hand = None
        if self.by_hand is None:
            self.move_level(level)
        else:
            bound, wanted = self.by_hand
            self.move_level(max(wanted, level) if bound == "floor" else min(wanted, level))

    def set_by_hand(self, level: Level) -> None:
        self.by_hand = None
        if level is not self.judged:
            self.by_hand = ("floor" if level > self.judged else "cap", level)
        self.move_level(level)

    def escalate(self) -> None:
        self.silent_until = None
        if self.held:
            self.let_go()
        if self.next_call >= len(self.walk):
            self.next_call = 0
        self.call()

    def close(self) -> None:
        self.state, self.due, self.silent_until = IncidentState.RESOLVED, None, None
        self.held_until = self.held_at = None


class Crash(Exception):
    """The power goes, before the commit."""


class OnStorage(RuleBasedStateMachine):
    """The same random life for the model and for an incident in the database."""

    database: Database

    @initialize()
    def opens(self) -> None:
        self.clock = ManualClock(START)
        self.incident = uuid4()
        self.model = Model(START)
        self.model.begin()
        self.restart()
        # The database outlives this life, and so would the timers of the one before.
        with self.database.unit_of_work() as session:
            session.execute(delete(IncidentTable))
        opening = Open(self.incident, "lunea", judged(), POLICY)
        with self.database.unit_of_work() as session:
            assert incidents.insert_opened(session, decide(None, opening, START, DIRECTORY))

    def restart(self) -> None:
        self.timers = Timers(self.database, self.clock, DIRECTORY)

    def ask(self, command: Command) -> Decision:
        with self.database.unit_of_work() as session:
            return incidents.execute(
                session, self.incident, lambda found: decide(found, command, self.clock.now(), DIRECTORY)
            )

    def allowed(self, command: Command) -> None:
        refused = self.ask(command).refused
        assert refused is None, refused

    def ring(self) -> None:
        while self.timers.ring_due():
            pass
        self.model.fire()

    @rule(minutes=st.integers(1, 45))
    def time_passes(self, minutes: int) -> None:
        until = self.clock.now() + minutes * MINUTE
        while (event := self.model.next_event()) is not None and event <= until:
            # A second before, nothing has happened yet.
            self.go_to(event - timedelta(seconds=1))
            assert self.timers.ring_due() == 0
            self.go_to(event)
            self.ring()
        self.go_to(until)
        assert self.timers.ring_due() == 0

    @rule(minutes=st.integers(1, 90))
    def nobody_looks_at_the_timers_for_a_while(self, minutes: int) -> None:
        self.go_to(self.clock.now() + minutes * MINUTE)
        self.restart()
        self.ring()

    def go_to(self, at: datetime) -> None:
        if at > self.clock.now():
            self.clock.move((at - self.clock.now()).total_seconds())
            self.model.now = self.clock.now()

    @rule()
    def the_clock_jumps_back_and_comes_right_again(self) -> None:
        self.clock.move(-3600)
        assert self.timers.ring_due() == 0
        self.clock.move(3600)
        self.ring()

    @rule(level=st.sampled_from(Level))
    def the_power_goes_before_a_command_is_committed(self, level: Level) -> None:
        for command in (ChangeLevel(judged(level)), Acknowledge("person:lea"), Resolve("person:lea")):
            try:
                with self.database.unit_of_work() as session:
                    incidents.execute(
                        session,
                        self.incident,
                        lambda found, asked=command: decide(found, asked, self.clock.now(), DIRECTORY),
                    )
                    raise Crash
            except Crash:
                self.restart()

    @rule(minutes=st.integers(1, 20))
    def the_power_goes_before_the_timers_are_committed(self, minutes: int) -> None:
        self.go_to(self.clock.now() + minutes * MINUTE)
        timers_due = timers.lock_due

        def due_and_then_dark(*arguments: object) -> object:
            timers_due(*arguments)  # type: ignore[arg-type]
            raise Crash

        timers.lock_due = due_and_then_dark  # type: ignore[assignment]
        try:
            self.timers.ring_due()
        except Crash:
            pass
        finally:
            timers.lock_due = timers_due
        self.restart()
        self.ring()

    @rule(version=st.integers(1, 2))
    def whoever_looked_long_ago_changes_nothing(self, version: int) -> None:
        if self.version() > version:
            for command in (Unacknowledge("person:sam", version), SetLevel("person:sam", Level.GREEN, version)):
                assert self.ask(command).refused is not None

    def version(self) -> int:
        with self.database.read() as session:
            found = incidents.find(session, self.incident)
        assert found is not None
        return found.version

    @rule(level=st.sampled_from(Level))
    def is_judged(self, level: Level) -> None:
        refused = self.ask(ChangeLevel(judged(level))).refused
        assert (refused is None) == self.model.state.open
        if self.model.state.open:
            self.model.judge(level)

    @precondition(lambda self: self.model.state.open)
    @rule(level=st.sampled_from(Level))
    def is_set_by_hand(self, level: Level) -> None:
        self.allowed(SetLevel("person:sam", level))
        self.model.set_by_hand(level)

    @precondition(lambda self: self.model.state.open)
    @rule(acts=st.booleans())
    def is_taken_in_hand(self, acts: bool) -> None:
        self.allowed(Mitigate("person:lea") if acts else Acknowledge("person:lea"))
        acting = acts or self.model.state is IncidentState.MITIGATING
        self.model.hold(IncidentState.MITIGATING if acting else IncidentState.ACKNOWLEDGED)

    @precondition(lambda self: self.model.held)
    @rule()
    def is_given_back(self) -> None:
        self.allowed(Unacknowledge("person:lea"))
        self.model.let_go()
        self.model.begin()

    @precondition(lambda self: self.model.state.open and self.model.level > Level.GREEN)
    @rule()
    def others_are_wanted(self) -> None:
        self.allowed(Escalate("person:lea"))
        self.model.escalate()

    @precondition(lambda self: self.model.state.open)
    @rule(minutes=st.integers(1, 60))
    def is_silenced(self, minutes: int) -> None:
        until = self.clock.now() + minutes * MINUTE
        self.allowed(SilenceUntil("person:lea", until))
        self.model.silent_until, self.model.silent_at, self.model.due = until, self.model.level, None

    @precondition(lambda self: self.model.state.open and self.model.silent_until is not None)
    @rule()
    def the_silence_is_lifted(self) -> None:
        self.allowed(Unsilence("person:sam"))
        self.model.silent_until = None
        if self.model.state is IncidentState.TRIGGERED:
            self.model.begin()

    @precondition(lambda self: self.model.state.open)
    @rule()
    def is_resolved(self) -> None:
        self.allowed(Resolve("person:lea", verdict=Verdict.BUZZ))
        self.model.close()

    @precondition(lambda self: self.model.state is IncidentState.RESOLVED)
    @rule()
    def is_reviewed(self) -> None:
        self.allowed(Review("person:lea"))
        self.model.state = IncidentState.REVIEWED

    @precondition(lambda self: not self.model.state.open)
    @rule()
    def is_reopened(self) -> None:
        self.allowed(Reopen("person:lea"))
        self.model.state = IncidentState.TRIGGERED
        self.model.begin()

    @invariant()
    def everybody_was_called_exactly_as_planned(self) -> None:
        query = select(NotificationTable.created_at, NotificationTable.name).where(
            NotificationTable.incident_id == self.incident,
            NotificationTable.kind == "page",
            NotificationTable.channel != "pager",  # Sam's second one
        )
        with self.database.read() as session:
            called = [(row.created_at, row.name) for row in session.execute(query)]
        assert sorted(called) == sorted(self.model.calls)

    @invariant()
    def the_incident_is_where_the_model_says(self) -> None:
        with self.database.read() as session:
            found = incidents.find(session, self.incident)
        assert found is not None
        assert (found.state, found.level) == (self.model.state, self.model.level)
        assert (found.silence.until if found.silence else None) == self.model.silent_until


def live(database: Database, lives: int, steps_each: int) -> None:
    """Let random lives of incidents run on a database."""
    machine: Callable[[], OnStorage] = type("Living", (OnStorage,), {"database": database})
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=lives,
            stateful_step_count=steps_each,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_step_is_lost_early_or_late_whatever_happens(database: Database) -> None:
    live(database, lives=20, steps_each=25)
