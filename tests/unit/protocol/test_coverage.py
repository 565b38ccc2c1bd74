"""What `tocsin check` says of a protocol that would let somebody sleep through a crisis."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.alert.protocol.coverage import Gap, Severity, find_gaps
from services.alert.protocol.directory import Directory
from tests.team import CHANNELS, DIRECTORY, START, steps
from tocsin.contracts.settings.protocol import (
    ChainLink,
    HoursSettings,
    LevelPolicy,
    PolicySettings,
    RotationSettings,
    ScheduleSettings,
)

PARIS = ZoneInfo("Europe/Paris")


def written(*notify: str, red: tuple[str, ...] | None = None, fallback: str | None = None) -> list[PolicySettings]:
    return [
        PolicySettings(
            id="night",
            orange=LevelPolicy(steps=steps((0, list(notify)))),
            red=LevelPolicy(steps=steps((0, list(red)))) if red else None,
            fallback=fallback,
        )
    ]


def with_schedule(*layers: RotationSettings) -> Directory:
    return replace(DIRECTORY, schedules={"s": ScheduleSettings(id="s", time_zone="Europe/Paris", layers=layers)})


def office_hours(until: int = 18) -> RotationSettings:
    return RotationSettings(
        people=("lea",), start=date(2026, 1, 1), at=time(0), hours=HoursSettings(begin=time(9), until=time(until))
    )


def test_a_protocol_in_which_somebody_is_always_woken_has_no_findings() -> None:
    assert find_gaps(written("person:lea"), DIRECTORY, START) == []
    assert find_gaps(written("schedule:evenings", red=("person:sam",)), DIRECTORY, START) == []


def test_no_policy_at_all_is_an_error() -> None:
    assert [finding.severity for finding in find_gaps([], DIRECTORY, START)] == [Severity.ERROR]


def test_a_level_that_reaches_nobody_who_wakes_is_an_error_of_that_level() -> None:
    findings = find_gaps(written("person:lea", red=("channel:wall",)), DIRECTORY, START)
    assert [(finding.severity, finding.place) for finding in findings] == [(Severity.ERROR, "policies.night.red")]
    assert "wakes: true" in findings[0].message


def test_a_person_whose_channels_do_not_wake_is_not_enough() -> None:
    silent = {channel.id: channel.model_copy(update={"wakes": False}) for channel in CHANNELS}
    findings = find_gaps(written("schedule:evenings"), replace(DIRECTORY, channels=silent), START)
    assert [finding.place for finding in findings] == ["policies.night.orange"]


def test_minutes_with_nobody_on_call_are_named_and_counted() -> None:
    findings = find_gaps(written("schedule:s"), with_schedule(office_hours()), START)
    by_place = {finding.place: finding for finding in findings}
    assert by_place["policies.night.orange"].severity is Severity.ERROR
    assert by_place["schedules.s"].severity is Severity.WARNING
    gaps = by_place["policies.night.orange"].gaps
    assert gaps[0] == Gap(START, datetime(2026, 3, 3, 9, tzinfo=PARIS))
    assert gaps[1] == Gap(datetime(2026, 3, 3, 18, tzinfo=PARIS), datetime(2026, 3, 4, 9, tzinfo=PARIS))
    covered = 28 * 9 * 60
    # The clocks go forward within the 28 days, but in the night, which is in a gap, and the 28 days are exact.
    assert f"{28 * 24 * 60 - covered} minutes" in by_place["policies.night.orange"].message
    assert "and 24 more stretches" in by_place["policies.night.orange"].message


def test_a_gap_of_a_schedule_is_only_a_warning_where_another_step_wakes_somebody() -> None:
    findings = find_gaps(written("schedule:s", "person:sam"), with_schedule(office_hours()), START)
    assert [finding.severity for finding in findings] == [Severity.WARNING]


def test_the_last_resort_is_no_rota() -> None:
    findings = find_gaps(written("schedule:s", fallback="person:sam"), with_schedule(office_hours()), START)
    assert [finding.severity for finding in findings] == [Severity.ERROR, Severity.WARNING]
    assert "wakes only the fallback owner, person:sam, during" in findings[0].message
    assert findings[0].gaps[0] == Gap(START, datetime(2026, 3, 3, 9, tzinfo=PARIS))


def test_a_person_may_be_woken_by_the_chain_alone() -> None:
    chained = DIRECTORY.people["lea"].model_copy(
        update={"channels": ("wall",), "chain": (ChainLink(channel="phone-lea"),)}
    )
    directory = replace(DIRECTORY, people={**DIRECTORY.people, "lea": chained})
    assert find_gaps(written("person:lea"), directory, START) == []


def test_a_step_that_nobody_hears_is_worth_a_warning() -> None:
    level = LevelPolicy(steps=steps((0, ["channel:wall"]), (5, ["person:lea"])))
    (finding,) = find_gaps([PolicySettings(id="night", orange=level)], DIRECTORY, START)
    assert (finding.severity, finding.place) == (Severity.WARNING, "policies.night.orange.steps[0]")
    assert "rings nobody on a channel that wakes" in finding.message


def test_a_last_resort_that_sleeps_on_is_worth_a_warning() -> None:
    level = LevelPolicy(steps=steps((0, ["person:lea"])))
    policy = PolicySettings(id="night", orange=level, red=level, fallback="channel:wall")
    (finding,) = find_gaps([policy], DIRECTORY, START)
    assert (finding.severity, finding.place) == (Severity.WARNING, "policies.night.fallback")
    assert "channel:wall is reached on no channel that wakes" in finding.message


def test_layers_that_fit_together_leave_no_gap() -> None:
    nights = RotationSettings(
        people=("sam",), start=date(2026, 1, 1), at=time(0), hours=HoursSettings(begin=time(18), until=time(9))
    )
    assert find_gaps(written("schedule:s"), with_schedule(office_hours(), nights), START) == []
    one_minute_short = nights.model_copy(update={"hours": HoursSettings(begin=time(18, 1), until=time(9))})
    findings = find_gaps(written("schedule:s"), with_schedule(office_hours(), one_minute_short), START)
    assert {gap.until - gap.since for gap in findings[0].gaps} == {timedelta(minutes=1)}


def test_a_rotation_that_begins_next_week_covers_nothing_before() -> None:
    later = RotationSettings(people=("lea",), start=date(2026, 3, 9), at=time(9))
    findings = find_gaps(written("schedule:s"), with_schedule(later), START)
    assert findings[0].gaps == (Gap(START, datetime(2026, 3, 9, 9, tzinfo=PARIS)),)
