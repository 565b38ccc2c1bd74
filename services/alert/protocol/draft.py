"""A decision in the making: what an incident becomes, what happened to it, and whom to tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.alert.protocol.commands import TIMER
from services.alert.protocol.directory import Directory, Recipient, Ring
from services.alert.protocol.playbooks import first_step_of
from services.alert.protocol.policies import escalation_of, first_step, following_step, targets_of
from tocsin.contracts.decisions import (
    Called,
    Decision,
    Notification,
    NotificationContent,
    NotificationKind,
    Refusal,
    RefusalKind,
)
from tocsin.contracts.incidents import (
    Acknowledgement,
    EscalationSnapshot,
    Incident,
    IncidentEvent,
    IncidentEventType,
    IncidentState,
    PendingStep,
    PolicySnapshot,
    Reached,
)


class Draft:
    """Collects what one command does to one incident at one instant; `decision` hands it over."""

    def __init__(self, incident: Incident, now: datetime, directory: Directory) -> None:
        self.incident = incident
        self.now = now
        self.directory = directory
        self._before = incident
        self._events: list[IncidentEvent] = []
        self._notifications: list[Notification] = []
        self._opened: Decision | None = None

    def change(self, **fields: Any) -> None:
        """Set fields of the incident."""
        self.incident = self.incident.model_copy(update=fields)

    def record(self, event_type: IncidentEventType, actor: str, **data: Any) -> None:
        """Write an event, which makes a new version."""
        self.change(version=self.incident.version + 1)
        incident = self.incident
        self._events.append(
            IncidentEvent(
                incident_id=incident.id,
                sequence=incident.version,
                type=event_type,
                at=self.now,
                brand=incident.brand,
                also=incident.also or None,
                level=incident.level,
                state=incident.state,
                actor=actor,
                data={
                    **{name: value for name, value in data.items() if value is not None},
                    **({"exercise": True} if incident.exercise else {}),
                },
            )
        )

    def decision(self) -> Decision:
        """What came of it."""
        return Decision(self.incident, tuple(self._events), tuple(self._notifications), opened=self._opened)

    def open_another(self, decision: Decision) -> None:
        """Another incident comes of this command; it is saved together with this one."""
        self._opened = decision

    def refuse(self, kind: RefusalKind, reason: str) -> Decision:
        """Leave everything as it was, and say why."""
        return Decision(self._before, refused=Refusal(kind, reason))

    def stale(self, seen: int | None) -> Decision | None:
        """The refusal of a person who looked at another version than the present one; None where they did not."""
        if seen is None or seen == self._before.version:
            return None
        return self.refuse(
            RefusalKind.STALE,
            f"the incident has changed since (version {self._before.version}, not {seen}); look again, then decide again",
        )

    def hold(self, actor: str, state: IncidentState) -> None:
        """Put the incident into somebody's hands, for as long as the policy says; nobody is called meanwhile."""
        incident = self.incident
        timeout = escalation_of(incident.policy, incident.level).acknowledgement_timeout if incident.policy else None
        until = self.now + timeout if timeout is not None else None
        self.change(
            state=state,
            acknowledged=Acknowledgement(by=actor, at=self.now, level=incident.level, until=until),
            pending=None,
        )

    def let_go(self, actor: str, why: str) -> None:
        """Nobody has it in hand any more."""
        held = self.incident.acknowledged
        self.change(state=IncidentState.TRIGGERED, acknowledged=None)
        self.record(IncidentEventType.UNACKNOWLEDGED, actor, why=why, was=held.by if held else None)

    def end_silence(self, actor: str, why: str) -> None:
        """Pages may go out again."""
        self.change(silence=None)
        self.record(IncidentEventType.UNSILENCED, actor, why=why)

    def begin_escalation(self) -> None:
        """Start from step 0 with whoever is on call now; at green or yellow, or in a silence, nobody is called."""
        incident = self.incident
        if not incident.level.serious or incident.policy is None or incident.silence is not None:
            return
        pending = first_step(escalation_of(incident.policy, incident.level), self.now)
        self.change(start=incident.start + 1, escalation_level=incident.level, pending=pending, rung=None)
        self.ring_what_is_due()

    def ring_now(self, actor: str) -> None:
        """Ring the step after the last one without any wait, or begin again where none is left, because `actor` wants it."""
        incident, policy = self.incident, self.incident.policy
        if policy is None:
            return
        following = incident.pending
        if following is None:
            if incident.rung is not None:
                escalation = escalation_of(policy, incident.escalation_level)
                following = following_step(policy, escalation, incident.rung, self.now, at_once=True)
            # It was stopped in between: what still waits of the start before is not to go out now.
            self.change(start=incident.start + 1)
        if following is None:
            self.change(escalation_level=incident.escalation_level or incident.level)
            following = PendingStep(loop=0, step=0, due_at=self.now)
        self.change(pending=following.model_copy(update={"due_at": self.now}))
        self.ring_what_is_due(actor)

    def ring_what_is_due(self, actor: str = TIMER) -> None:
        """Ring every step whose time has come, and set the next one."""
        policy = self.incident.policy
        if policy is None:
            return
        escalation = escalation_of(policy, self.incident.escalation_level)
        while self.incident.pending is not None and self.incident.pending.due_at <= self.now:
            self._ring(policy, escalation, self.incident.pending, actor)

    def tell_those_who_were_called(
        self, kind: NotificationKind, actor: str, *, each_time: bool = False, **facts: Any
    ) -> None:
        """A state message to each target and channel that was ever called, but for whoever caused it.

        Once a start, or `each_time` that it is told.
        """
        step = self._event_step() if each_time else PendingStep(loop=0, step=0, due_at=self.now)
        for reached in self.incident.reached:
            if reached.target != actor:
                recipient = self.directory.recipient(reached.target, self.now)
                if (
                    recipient is not None
                    and reached.channel in recipient.channels
                    and self.directory.tells(reached.channel)
                ):
                    self._notify(recipient, [Ring(reached.channel)], kind, step, **facts)

    def tell(self, reference: str, kind: NotificationKind, **facts: Any) -> None:
        """A state message to whomever `person:…` means, on all their channels; once an event."""
        recipient = self.directory.recipient(reference, self.now)
        if recipient is not None:
            rings = [Ring(channel) for channel in recipient.channels if self.directory.tells(channel)]
            self._notify(recipient, rings, kind, self._event_step(), **facts)

    def _event_step(self) -> PendingStep:
        # State messages of one kind may follow each other within a start; the event that they tell keeps them apart.
        return PendingStep(loop=0, step=self.incident.version, due_at=self.now)

    def _ring(
        self, policy: PolicySnapshot, escalation: EscalationSnapshot, step: PendingStep, actor: str = TIMER
    ) -> None:
        wanted = targets_of(policy, escalation, step)
        recipients = self.directory.recipients(wanted, self.now)
        nobody = not recipients
        is_fallback = step.step == len(escalation.steps)
        following = following_step(policy, escalation, step, self.now, at_once=nobody)
        told = self._fallback_to_tell(policy) if nobody and not is_fallback else ()
        self.change(pending=following, rung=step)
        self._remember((*recipients, *told))
        self.record(
            IncidentEventType.ESCALATED,
            actor,
            start=self.incident.start,
            loop=step.loop,
            step=step.step,
            fallback=is_fallback or None,
            called=[_called(recipient) for recipient in recipients],
            nobody_on_call=list(wanted) if nobody else None,
            fallback_told=[_called(recipient) for recipient in told] or None,
            next_at=following.due_at.isoformat() if following else None,
        )
        for recipient in (*recipients, *told):
            self._notify(
                recipient,
                recipient.rings,
                NotificationKind.PAGE,
                step,
                called=self._called_in_this_start(),
                fallback=is_fallback or recipient in told,
                **self._next_called(policy, escalation),
            )

    def _fallback_to_tell(self, policy: PolicySnapshot) -> tuple[Recipient, ...]:
        """The fallback owner, once a start, where a step found nobody on call."""
        if policy.fallback is None:
            return ()
        already = {reached.target for reached in self.incident.reached if reached.start == self.incident.start}
        found = self.directory.recipients([policy.fallback], self.now)
        return tuple(recipient for recipient in found if recipient.target not in already)

    def _remember(self, recipients: Sequence[Recipient]) -> None:
        reached = {(known.target, known.channel): known for known in self.incident.reached}
        for recipient in recipients:
            for channel in recipient.channels:
                # Taken out first, so that the order is that of the last call.
                reached.pop((recipient.target, channel), None)
                reached[recipient.target, channel] = Reached(
                    target=recipient.target,
                    name=recipient.name,
                    channel=channel,
                    at=self.now,
                    start=self.incident.start,
                )
        self.change(reached=tuple(reached.values()))

    def _called_in_this_start(self) -> tuple[Called, ...]:
        called = {}
        for reached in self.incident.reached:
            if reached.start == self.incident.start:
                called[reached.target] = Called(name=reached.name, at=reached.at)
        return tuple(called.values())

    def _next_called(self, policy: PolicySnapshot, escalation: EscalationSnapshot) -> dict[str, Any]:
        """The next step that will find somebody, seen from now; overrides and shifts may still change it."""
        step = self.incident.pending
        while step is not None:
            recipients = self.directory.recipients(targets_of(policy, escalation, step), step.due_at)
            if recipients:
                return {"next_names": tuple(recipient.name for recipient in recipients), "next_at": step.due_at}
            step = following_step(policy, escalation, step, step.due_at, at_once=True)
        return {}

    def _notify(
        self, recipient: Recipient, rings: Sequence[Ring], kind: NotificationKind, step: PendingStep, **facts: Any
    ) -> None:
        incident = self.incident
        begin = self.now
        if not incident.level.serious:
            begin = self.directory.waits_until(recipient.target, self.now) or self.now
        content = NotificationContent(
            incident_id=incident.id,
            brand=incident.brand,
            brand_name=self.directory.brand_name(incident.brand),
            kind=kind,
            level=incident.level,
            score=incident.score,
            reasons=incident.reasons,
            at=self.now,
            opened_at=incident.opened_at,
            complete_up_to=incident.complete_up_to,
            link=self.directory.link(incident.id),
            exercise=incident.exercise,
            first_step=first_step_of(self.directory.playbooks, incident) if kind is NotificationKind.PAGE else {},
            **facts,
        )
        self._notifications.extend(
            Notification(
                incident_id=incident.id,
                start=incident.start,
                step=step.step,
                loop=step.loop,
                round=ring.round,
                target=recipient.target,
                name=recipient.name,
                channel=ring.channel,
                kind=kind,
                language=recipient.language,
                time_zone=recipient.time_zone,
                level=incident.level,
                created_at=self.now,
                due_at=begin + ring.after,
                content=content,
            )
            for ring in rings
        )


def _called(recipient: Recipient) -> dict[str, Any]:
    return {"target": recipient.target, "name": recipient.name, "channels": list(recipient.channels)}
