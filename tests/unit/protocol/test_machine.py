"""Random commands, timers, level changes, repeats and restarts against a model so simple that one can see that it is right."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.alert.protocol.closing import REOPEN_WITHIN
from services.alert.protocol.commands import (
    Acknowledge,
    AcknowledgementDue,
    ChangeLevel,
    Command,
    Reopen,
    Resolve,
    StepDue,
)
from services.alert.protocol.decide import decide
from tests.team import DIRECTORY, START, judged, opening, policy, steps
from tocsin.contracts.decisions import Decision, NotificationKind
from tocsin.contracts.incidents import Incident, IncidentState, Level, TimerKind
from tocsin.contracts.settings.protocol import LevelPolicy

MINUTE = timedelta(minutes=1)
POLICY = policy(
    orange=LevelPolicy(
        steps=steps((0, ["person:lea"]), (5, ["person:sam"])),
        repeat=1,
        repeat_after=timedelta(minutes=10),
        acknowledgement_timeout=timedelta(minutes=30),
    ),
    red=LevelPolicy(
        steps=steps((2, ["person:sam"]), (3, ["person:ines"])),
        repeat=0,
        repeat_after=timedelta(minutes=7),
        acknowledgement_timeout=timedelta(minutes=15),
    ),
)
PLANS = {
    Level.ORANGE: [(0, "Léa"), (5, "Sam"), (15, "Léa"), (20, "Sam"), (30, "Inès")],
    Level.RED: [(2, "Sam"), (5, "Inès"), (12, "Inès")],
}
"""Minutes after the start of the escalation, and who is called then, when every timer is punctual."""
TIMEOUTS = {Level.ORANGE: 30, Level.RED: 15, Level.YELLOW: 30, Level.GREEN: 30}


class Protocol(RuleBasedStateMachine):
    """`expected` is the model: pages still to come at exact minutes, and the minute at which an acknowledgement ends."""

    @initialize()
    def opens(self) -> None:
        self.now = START
        self.calls: list[tuple[datetime, str]] = []
        self.ids: set[UUID] = set()
        self.level = Level.ORANGE
        self.state = IncidentState.TRIGGERED
        self.acknowledged_level: Level | None = None
        self.ends: datetime | None = None
        self.resolved_at: datetime | None = None
        self.expected: list[tuple[datetime, str]] = []
        self.expected_calls: list[tuple[datetime, str]] = []
        self.begin()
        self.take(decide(None, opening(written=POLICY), START, DIRECTORY))

    def begin(self) -> None:
        """In the model: plan the pages of a new start, and count the one that is due at once as called."""
        if self.level.serious:
            self.expected = [(self.now + minutes * MINUTE, name) for minutes, name in PLANS[self.level]]
            self.call_what_is_due()

    def call_what_is_due(self) -> None:
        while self.expected and self.expected[0][0] <= self.now:
            self.expected_calls.append(self.expected.pop(0))

    def take(self, decision: Decision) -> None:
        """Save a decision as the database would: as text, each notification's key once."""
        self.incident = Incident.model_validate_json(decision.incident.model_dump_json())
        for notification in decision.notifications:
            if notification.id not in self.ids and notification.kind is NotificationKind.PAGE:
                self.calls += [(self.now, notification.name)] if notification.channel != "pager" else []
            self.ids.add(notification.id)

    def ask(self, command: Command) -> Decision:
        decision = decide(self.incident, command, self.now, DIRECTORY)
        self.take(decision)
        return decision

    @rule(minutes=st.integers(1, 45))
    def time_passes(self, minutes: int) -> None:
        until = self.now + minutes * MINUTE
        while self.incident.timers and self.incident.timers[0].due_at <= until:
            timer = self.incident.timers[0]
            self.now = timer.due_at
            if self.ends is not None and self.ends <= self.now:
                self.state, self.ends, self.acknowledged_level = IncidentState.TRIGGERED, None, None
                self.begin()
            self.call_what_is_due()
            before = self.incident
            self.ask(StepDue() if timer.kind is TimerKind.STEP else AcknowledgementDue())
            assert self.incident != before, "a due timer changed nothing: it would go off for ever"
        self.now = until
        assert self.ends is None or self.ends > self.now, "an acknowledgement ended unnoticed"
        assert not self.expected or self.expected[0][0] > self.now, "a step was lost"

    @rule(command=st.sampled_from([StepDue(), AcknowledgementDue()]))
    def a_timer_goes_off_that_is_not_due(self, command: Command) -> None:
        before = self.incident
        assert self.ask(command).events == ()
        assert self.incident == before

    @rule(level=st.sampled_from(Level))
    def is_judged(self, level: Level) -> None:
        decision = decide(self.incident, ChangeLevel(judged(level)), self.now, DIRECTORY)
        if not self.state.open:
            assert decision.refused is not None
            return
        risen, self.level = level > self.level, level
        if level is Level.GREEN:
            self.expected = []
        if risen and (self.acknowledged_level is None or self.acknowledged_level < level):
            if level.serious or self.acknowledged_level is not None:
                self.state, self.ends, self.acknowledged_level = IncidentState.TRIGGERED, None, None
            self.begin()
        self.take(decision)

    @precondition(lambda self: self.state.open)
    @rule(actor=st.sampled_from(["person:lea", "person:sam"]))
    def is_acknowledged(self, actor: str) -> None:
        self.state, self.expected, self.acknowledged_level = IncidentState.ACKNOWLEDGED, [], self.level
        self.ends = self.now + TIMEOUTS[self.level] * MINUTE
        assert self.ask(Acknowledge(actor, self.level)).refused is None

    @rule()
    def is_resolved(self) -> None:
        if self.state.open:
            self.resolved_at = self.now
        self.state, self.expected, self.ends, self.acknowledged_level = IncidentState.RESOLVED, [], None, None
        assert self.ask(Resolve("person:lea")).refused is None

    @precondition(lambda self: self.resolved_at is not None and not self.state.open)
    @rule()
    def is_reopened(self) -> None:
        assert self.resolved_at is not None
        if self.now - self.resolved_at > REOPEN_WITHIN:
            assert self.ask(Reopen("person:lea")).refused is not None
            return
        self.state = IncidentState.TRIGGERED
        self.begin()
        assert self.ask(Reopen("person:lea")).refused is None

    @invariant()
    def everybody_was_called_exactly_as_planned(self) -> None:
        assert self.calls == self.expected_calls

    @invariant()
    def the_incident_is_where_the_model_says(self) -> None:
        assert (self.incident.state, self.incident.level) == (self.state, self.level)
        assert len(self.incident.timers) <= 1


Protocol.TestCase.settings = settings(max_examples=100, stateful_step_count=30)
TestProtocol = Protocol.TestCase
