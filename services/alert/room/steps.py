"""The playbook's steps: taken over at the start and when the level rises, done, not needed, or overdue."""

from __future__ import annotations

from datetime import datetime

from services.alert.room.commands import BeginPlaybook, FinishStep, ReopenStep, SkipStep
from services.alert.room.draft import RoomDraft, find
from services.alert.room.team import version_of
from tocsin.contracts.incidents import IncidentEventType, Level
from tocsin.contracts.room import AskKind, RoomDecision, RoomStep, StepState
from tocsin.contracts.settings.room import PlaybookLevel, PlaybookSettings

TIMER = "timer"


def begin(draft: RoomDraft, playbook: PlaybookSettings, start: datetime, actor: str = TIMER) -> None:
    """Take over what the incident's level asks for; deadlines count from `start`. What is there already stays as it is."""
    levels = [playbook.orange, *([playbook.red] if draft.incident.level is Level.RED else [])]
    known = {(step.playbook, step.id) for step in draft.room.steps}
    new = [
        (step, level)
        for level in levels
        for step in level.steps
        if (playbook.id, step.id) not in known
    ]  # fmt: skip
    begun = version_of(playbook)
    if begun not in draft.room.playbooks:
        draft.change(playbooks=(*draft.room.playbooks, begun))
    for step, _ in new:
        number = len(draft.room.steps) + 1
        taken = RoomStep(
            number=number,
            id=step.id,
            playbook=playbook.id,
            title=dict(step.title),
            detail=dict(step.detail) if step.detail else {},
            role=step.role,
            due_at=start + step.due,
            required=step.required,
        )
        draft.put("steps", taken)
        draft.ask(AskKind.STEP, number, by=taken.due_at, ring_at=taken.due_at, role=step.role)
    _set_cadence(draft, levels, start)
    if new:
        draft.record(
            IncidentEventType.PLAYBOOK_BEGUN,
            actor,
            playbook=begun,
            name=dict(playbook.name),
            steps=[step.id for step, _ in new],
        )


def _set_cadence(draft: RoomDraft, levels: list[PlaybookLevel], start: datetime) -> None:
    cadences = [level.update_every for level in levels if level.update_every is not None]
    if not cadences:
        return
    every = min(cadences)
    if draft.room.update_every is None or every < draft.room.update_every:
        due = draft.room.update_due_at
        draft.change(update_every=every, update_due_at=min(due, start + every) if due else start + every)


def begin_by_hand(draft: RoomDraft, command: BeginPlaybook, actor: str) -> RoomDecision:
    """A person knows better than the evidence what kind of crisis it is."""
    playbook = draft.team.playbook(command.playbook)
    if playbook is None:
        known = ", ".join(playbook.id for playbook in draft.team.playbooks) or "none"
        return draft.illegal(f"there is no playbook {command.playbook!r}; known are {known}")
    begin(draft, playbook, draft.now, actor)
    return draft.decision()


def finish(draft: RoomDraft, command: FinishStep, actor: str) -> RoomDecision:
    """Done; a second time changes nothing."""
    step = find(draft.room.steps, command.step)
    if step is None:
        return _no_step(draft, command.step)
    if step.state is StepState.DONE:
        return draft.decision()
    draft.put("steps", step, state=StepState.DONE, by=actor, at=draft.now, note=command.note or None)
    draft.stop_asking(AskKind.STEP, step.number)
    late = draft.now > step.due_at
    draft.record(
        IncidentEventType.STEP_DONE,
        actor,
        step=step.number,
        title=step.title,
        note=command.note or None,
        late=late or None,
    )
    return draft.decision()


def reopen(draft: RoomDraft, command: ReopenStep, actor: str) -> RoomDecision:
    """Not done after all: it is wanted again, and rings at once where its time has passed."""
    step = find(draft.room.steps, command.step)
    if step is None:
        return _no_step(draft, command.step)
    if step.state is StepState.OPEN:
        return draft.decision()
    draft.put("steps", step, state=StepState.OPEN, by=None, at=None, note=None)
    draft.ask(AskKind.STEP, step.number, by=step.due_at, ring_at=max(step.due_at, draft.now), role=step.role)
    draft.record(IncidentEventType.STEP_REOPENED, actor, step=step.number, title=step.title)
    return draft.decision()


def skip(draft: RoomDraft, command: SkipStep, actor: str) -> RoomDecision:
    """Not needed this time."""
    step = find(draft.room.steps, command.step)
    if step is None:
        return _no_step(draft, command.step)
    if step.required:
        return draft.illegal("this step is required before closing, so it cannot be skipped; do it, or have it done")
    if step.state is not StepState.OPEN:
        return draft.illegal(f"the step is {step.state} already")
    draft.put("steps", step, state=StepState.SKIPPED, by=actor, at=draft.now, note=command.reason)
    draft.stop_asking(AskKind.STEP, step.number)
    draft.record(IncidentEventType.STEP_SKIPPED, actor, step=step.number, title=step.title, reason=command.reason)
    return draft.decision()


def _no_step(draft: RoomDraft, number: int) -> RoomDecision:
    return draft.illegal(f"there is no step {number} in this room; it has {len(draft.room.steps)}")
