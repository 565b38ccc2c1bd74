"""Silences: nobody is called until an instant, unless it gets worse. When a silence ends, the level of that moment counts."""

from __future__ import annotations

from datetime import timedelta

from services.alert.protocol.commands import TIMER, SilenceUntil, Unsilence
from services.alert.protocol.draft import Draft
from tocsin.contracts.decisions import Decision, RefusalKind
from tocsin.contracts.incidents import IncidentEventType, IncidentState, Silence

LONGEST_SILENCE = timedelta(days=7)
"""Who wants it quiet for longer wants it resolved, or another policy."""


def silence(draft: Draft, command: SilenceUntil) -> Decision:
    """Call nobody until then; a silence that is there already is replaced."""
    incident = draft.incident
    if not incident.state.open:
        return draft.refuse(RefusalKind.ILLEGAL, "the incident is resolved; nobody is called for it")
    if (stale := draft.stale(command.version)) is not None:
        return stale
    if not draft.now < command.until <= draft.now + LONGEST_SILENCE:
        return draft.refuse(
            RefusalKind.INVALID,
            f"a silence ends in the future, and within {LONGEST_SILENCE.days} days; give such an 'until'",
        )
    draft.change(
        silence=Silence(
            until=command.until,
            level=incident.level,
            by=command.actor,
            at=draft.now,
            brand_silence=command.brand_silence,
        ),
        pending=None,
    )
    draft.record(
        IncidentEventType.SILENCED,
        command.actor,
        until=command.until.isoformat(),
        whole_brand=command.brand_silence is not None or None,
    )
    return draft.decision()


def unsilence(draft: Draft, command: Unsilence) -> Decision:
    """A person ends it before its time."""
    present = draft.incident.silence
    if not draft.incident.state.open or present is None:
        return draft.refuse(RefusalKind.ILLEGAL, "the incident is not silenced")
    if (stale := draft.stale(command.version)) is not None:
        return stale
    if command.brand_silence is not None and present.brand_silence != command.brand_silence:
        return draft.decision()  # somebody silenced the incident itself meanwhile; that stays
    return _end(draft, command.actor, "lifted")


def silence_due(draft: Draft) -> Decision:
    """The timer of a silence: nothing happens before its time, nor where it was made longer."""
    present = draft.incident.silence
    if not draft.incident.state.open or present is None or present.until > draft.now:
        return draft.decision()
    return _end(draft, TIMER, "ended")


def _end(draft: Draft, actor: str, why: str) -> Decision:
    draft.end_silence(actor, why)
    if draft.incident.state is IncidentState.TRIGGERED:
        draft.begin_escalation()
    return draft.decision()
