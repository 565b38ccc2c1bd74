"""Every event of the crisis room has a sentence in each language."""

from __future__ import annotations

import pytest

from services.alert.room.commands import AddFollowUp, FinishFollowUp, FinishStep, SendUpdate
from services.api.pages.history import happenings
from services.api.pages.room_history import ROOM_EVENTS
from services.api.pages.wording import wording
from tests.crisis_room import SAM, CrisisRoom
from tests.team import DIRECTORY, START
from tocsin.contracts.incidents import IncidentEvent, IncidentState, Level


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_event_is_without_a_sentence(language: str) -> None:
    for event_type in ROOM_EVENTS:
        event = IncidentEvent(
            incident_id=CrisisRoom().incident.id,
            sequence=1,
            type=event_type,
            at=START,
            brand="lunea",
            level=Level.ORANGE,
            state=IncidentState.TRIGGERED,
            actor=SAM,
        )
        assert happenings([event], wording(language), DIRECTORY)[0].sentence


def test_what_happened_reads_like_it() -> None:
    room = CrisisRoom()
    room.done(FinishStep(step=1), SAM)
    room.pass_time(30)
    room.done(SendUpdate(update=1, version=1))
    room.done(AddFollowUp(text="Call <b>the</b> supplier", owner="sam"))
    room.done(FinishFollowUp(follow_up=1), SAM)
    said = [line.sentence for line in happenings(room.events, wording("en"), DIRECTORY)]
    for expected in (
        "Playbook begun: Fire.",
        "Sam did it: Freeze scheduled posts.",
        "Overdue step: Capture evidence. Called: Léa.",
        "A draft of situation update no. 1 is waiting.",
        "Léa sent situation update no. 1 to: Inès, wall.",
        "To do next, by Sam: Call <b>the</b> supplier",
    ):
        assert expected in said
