"""What a person may do with an incident beside taking it in hand and closing it: which forms the page shows, and what they offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.alert.protocol.closing import REOPEN_WITHIN
from services.api.pages.loudness import shown_text
from tocsin.contracts.incidents import Incident, IncidentState, Level

SILENCES = (1, 4, 12, 24, 72, 168)
"""Hours that the form offers."""
_TITLE = 80
"""Characters of a story's title."""


@dataclass(frozen=True, slots=True)
class OtherIncident:
    """One that this one could go on as part of."""

    id: UUID
    brand: str
    level: Level
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Menu:
    """Which commands make sense now; the state machine has the last word."""

    offered: frozenset[str]
    people: Sequence[tuple[str, str]]
    """Id and name."""
    stories: Sequence[tuple[str, str]]
    """As the evidence names them, with their titles; those that were split off are left out."""
    others: Sequence[OtherIncident]
    hours: Sequence[int] = SILENCES


def menu_of(
    incident: Incident, now: datetime, *, people: Sequence[tuple[str, str]], others: Sequence[OtherIncident]
) -> Menu:
    """The commands that the table of docs/protocol.md does not call illegal for this incident."""
    gone = {item.story for item in incident.split_off}
    stories = [
        (str(story["id"]), shown_text(str(story.get("title") or story["id"]), _TITLE))
        for story in incident.evidence.get("stories") or ()
        if story.get("id") and story["id"] not in gone
    ]
    return Menu(
        offered=frozenset(_offered(incident, now, stories=bool(stories), others=bool(others))),
        people=people,
        stories=stories,
        others=others,
    )


def _offered(incident: Incident, now: datetime, *, stories: bool, others: bool) -> set[str]:
    offered = {"note"}
    if not incident.state.open:
        if incident.state is IncidentState.RESOLVED:
            offered.add("review")
        closed_for = now - incident.resolved_at if incident.resolved_at is not None else REOPEN_WITHIN
        if incident.merged_into is None and closed_for <= REOPEN_WITHIN:
            offered.add("reopen")
        return offered
    offered |= {"mitigate", "level", "assign", "silence"}
    if incident.state is IncidentState.TRIGGERED and incident.level is not Level.GREEN:
        offered.add("resolve")  # else its form stands above
    if incident.in_hand:
        offered.add("unacknowledge")
    if incident.level is not Level.GREEN:
        offered.add("escalate")
    if incident.silence is not None:
        offered.add("unsilence")
    if stories:
        offered.add("split")
    if others:
        offered.add("merge")
    return offered
