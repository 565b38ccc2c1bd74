"""Policies: what an incident keeps of the one it began with, and the walk through its steps, rounds and fallback."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from tocsin.contracts.incidents import EscalationSnapshot, Level, PendingStep, PolicySnapshot, StepSnapshot
from tocsin.contracts.settings.protocol import LevelPolicy, PolicySettings


def snapshot(policy: PolicySettings) -> PolicySnapshot:
    """What an incident keeps of a policy; the version changes with anything that the policy says."""
    return PolicySnapshot(
        id=policy.id,
        version=hashlib.sha256(policy.model_dump_json().encode()).hexdigest()[:12],
        orange=_escalation(policy.orange),
        red=_escalation(policy.red) if policy.red else None,
        fallback=policy.fallback,
    )


def _escalation(level: LevelPolicy) -> EscalationSnapshot:
    return EscalationSnapshot(
        steps=tuple(StepSnapshot(wait=step.wait, notify=step.notify) for step in level.steps),
        repeat=level.repeat,
        repeat_after=level.repeat_after,
        acknowledgement_timeout=level.acknowledgement_timeout,
    )


def escalation_of(policy: PolicySnapshot, level: Level | None) -> EscalationSnapshot:
    """What the policy does at a level: red's steps for red where they are written, orange's for everything else."""
    return policy.red if level is Level.RED and policy.red is not None else policy.orange


def first_step(escalation: EscalationSnapshot, now: datetime) -> PendingStep:
    """The beginning of the escalation."""
    return PendingStep(loop=0, step=0, due_at=now + escalation.steps[0].wait)


def following_step(
    policy: PolicySnapshot, escalation: EscalationSnapshot, rung: PendingStep, now: datetime, *, at_once: bool
) -> PendingStep | None:
    """The step after `rung`, which was rung `now`; None when nobody is left to call.

    Waits count from when a step was really rung, not from when it was due, so that after an outage nobody's waiting time
    is cut short. `at_once` (nobody was on call) leaves out the wait for the next step of the same round, never the one
    between two rounds: somebody may be on call by then.
    """
    following = rung.step + 1
    if following < len(escalation.steps):
        wait = timedelta(0) if at_once else escalation.steps[following].wait
        return PendingStep(loop=rung.loop, step=following, due_at=now + wait)
    if following > len(escalation.steps):
        return None  # that was the fallback
    if rung.loop < escalation.repeat:
        return PendingStep(loop=rung.loop + 1, step=0, due_at=now + escalation.repeat_after + escalation.steps[0].wait)
    if policy.fallback is None:
        return None
    return PendingStep(loop=rung.loop, step=following, due_at=now + escalation.repeat_after)


def targets_of(policy: PolicySnapshot, escalation: EscalationSnapshot, step: PendingStep) -> tuple[str, ...]:
    """Whom a step rings, as the policy names them; the step after the last is the fallback."""
    if step.step < len(escalation.steps):
        return escalation.steps[step.step].notify
    return (policy.fallback,) if policy.fallback else ()
