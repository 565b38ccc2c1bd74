"""Which playbook a crisis calls for, and what it asks for first."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.contracts.incidents import Incident, Level
from tocsin.contracts.settings.room import PlaybookSettings


def playbook_for(playbooks: Sequence[PlaybookSettings], incident: Incident) -> PlaybookSettings | None:
    """The first playbook of the incident's brand that is for a kind of risk which its evidence names, or for any.

    Where none is, or nobody knows yet what it is about, the brand's first: what the first ten minutes ask for is much the
    same, and a person may begin another.
    """
    kinds = kinds_of(incident)
    mine = [playbook for playbook in playbooks if not playbook.brands or incident.brand in playbook.brands]
    fits = (playbook for playbook in mine if not playbook.kinds or kinds.intersection(playbook.kinds))
    return next(fits, mine[0] if mine else None)


def first_step_of(playbooks: Sequence[PlaybookSettings], incident: Incident) -> dict[str, str]:
    """The title of the step that is due first, by language; empty where no playbook is for the incident."""
    playbook = playbook_for(playbooks, incident)
    if playbook is None:
        return {}
    steps = [*playbook.orange.steps, *(playbook.red.steps if incident.level is Level.RED else ())]
    if not steps:
        return {}
    return {str(language): title for language, title in min(steps, key=lambda step: step.due).title.items()}


def kinds_of(incident: Incident) -> frozenset[str]:
    """The kinds of risk that an incident's stories are about."""
    stories = incident.evidence.get("stories") or ()
    return frozenset(str(kind) for story in stories if isinstance(story, dict) for kind in story.get("kinds", ()))
