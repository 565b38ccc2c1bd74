"""A team is rung together: its people, and whoever is on call for its schedules at that moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from services.alert.protocol.commands import Judged, Open
from services.alert.protocol.coverage import Severity, find_gaps
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from tests.team import DIRECTORY, INCIDENT, REASONS, START
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.protocol import LevelPolicy, PolicySettings, StepSettings, TeamSettings

CELL = TeamSettings(id="cell", members=("schedule:evenings", "person:ines", "person:lea"))
POLICY = PolicySettings(
    id="night",
    orange=LevelPolicy(
        steps=(
            StepSettings(notify=("team:cell", "channel:wall")),
            StepSettings(wait=timedelta(minutes=5), notify=("person:sam",)),
        )
    ),
)


def rung(directory: Directory, after: timedelta = timedelta(0)) -> list[str]:
    command = Open(INCIDENT, "lunea", Judged(Level.ORANGE, 70.0, REASONS), snapshot(POLICY))
    decision = decide(None, command, START + after, directory)
    return list(dict.fromkeys(notification.target for notification in decision.notifications))


def test_everybody_in_it_is_rung_at_once_and_each_once() -> None:
    directory = replace(DIRECTORY, teams={"cell": CELL})
    assert rung(directory) == ["person:lea", "person:ines", "channel:wall"], "Léa is on call, too"
    assert rung(directory, timedelta(days=7)) == ["person:sam", "person:ines", "person:lea", "channel:wall"]


def test_a_team_that_is_not_there_any_more_reaches_nobody() -> None:
    assert rung(DIRECTORY) == ["channel:wall"]


def test_a_team_that_is_on_call_alone_leaves_the_gaps_of_its_schedule() -> None:
    alone = TeamSettings(id="cell", members=("schedule:nobody",))
    policy = POLICY.model_copy(update={"orange": LevelPolicy(steps=(StepSettings(notify=("team:cell",)),))})
    found = find_gaps([policy], replace(DIRECTORY, teams={"cell": alone}), START)
    assert [(item.severity, item.place) for item in found] == [
        (Severity.ERROR, "policies.night.orange"),
        (Severity.WARNING, "schedules.nobody"),
    ]
    assert find_gaps([policy], replace(DIRECTORY, teams={"cell": CELL}), START) == []
