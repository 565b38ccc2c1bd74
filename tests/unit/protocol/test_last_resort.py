"""The database is away: after two minutes the fallback owner is rung from the configuration alone, and once more much later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from services.alert.last_resort import AGAIN_AFTER, LastResort
from services.alert.notify.port import Delivery, Outcome
from tests.team import CHANNELS, DIRECTORY, START, steps
from tocsin.bus.failures import Retryable
from tocsin.clock import ManualClock
from tocsin.contracts.settings.protocol import LevelPolicy, PolicySettings
from tocsin.storage.notifications import AttemptOutcome

POLICIES = [
    PolicySettings(id=name, orange=LevelPolicy(steps=steps((0, ["person:lea"]))), fallback=fallback)
    for name, fallback in (("night", "person:sam"), ("day", "person:sam"), ("none", None))
]


PAGED = PolicySettings(
    id="paged", orange=LevelPolicy(steps=steps((0, ["channel:pager"])), repeat=0), escalation="pagerduty"
)


class Phone:
    """A channel that writes down what it was given."""

    kind = "phone"
    deduplicates = True
    address_hash = "x"
    timeout = timedelta(seconds=1)

    def __init__(self) -> None:
        self.heard: list[Delivery] = []

    def send(self, delivery: Delivery) -> Outcome:
        self.heard.append(delivery)
        return Outcome(AttemptOutcome.ACCEPTED, "heard")


class House:
    """A database that may be away, a clock, phones, and the last resort that watches."""

    def __init__(self, policies: Sequence[PolicySettings] = POLICIES) -> None:
        self.seconds = 0.0
        self.away = False
        self.clock = ManualClock(START)
        self.phones = {channel.id: Phone() for channel in CHANNELS}
        self.watch = LastResort(self.ask, policies, DIRECTORY, self.phones, self.clock, steady=lambda: self.seconds)

    def ask(self) -> None:
        if self.away:
            raise Retryable("the database is away")

    def passes(self, seconds: int) -> None:
        for _ in range(seconds // 5):
            self.seconds += 5
            self.clock.move(5)
            self.watch.look()

    def heard(self) -> list[tuple[str, str]]:
        return [(name, item.notification.name) for name, phone in self.phones.items() for item in phone.heard]


def test_after_two_minutes_the_fallback_owner_is_rung_on_every_channel_once() -> None:
    house = House()
    house.passes(60)
    house.away = True
    house.passes(115)
    assert house.heard() == []
    house.passes(20)
    assert house.heard() == [("phone-sam", "Sam"), ("pager", "Sam")]
    house.passes(600)
    assert len(house.heard()) == 2
    message = house.phones["phone-sam"].heard[0].message
    assert message.subject == "Tocsin cannot call anybody any more"
    assert len(message.text_message) <= 160
    assert message.text_message.startswith("Tocsin cannot call anybody any more. Its database")
    assert message.spoken == (
        "Tocsin cannot call anybody any more. Its database has not answered for 2 min: no alarm will go out before it is back. "
        "Tell whoever runs it, and watch over your brands yourself."
    )


def test_a_minute_away_wakes_nobody() -> None:
    house = House()
    for _ in range(5):
        house.away = True
        house.passes(60)
        house.away = False
        house.passes(60)
    assert house.heard() == []


def test_it_is_said_again_while_it_stays_away_and_anew_the_next_time() -> None:
    house = House()
    house.away = True
    house.passes(125 + int(AGAIN_AFTER.total_seconds()))
    assert [name for name, _ in house.heard()] == ["phone-sam", "phone-sam", "pager", "pager"]
    house.away = False
    house.passes(10)
    house.away = True
    house.passes(125)
    assert len(house.heard()) == 6
    ids = [item.id for item in house.phones["phone-sam"].heard]
    assert ids[0] != ids[1]


def test_the_clock_on_the_wall_does_not_matter() -> None:
    house = House()
    house.away = True
    house.passes(60)
    house.clock.move(-3600)
    house.passes(55)
    assert house.heard() == []
    house.passes(20)
    assert len(house.heard()) == 2


def test_two_processes_ring_with_the_same_ids_so_that_receivers_ring_once() -> None:
    first, second = House(), House()
    for house in (first, second):
        house.away = True
        house.passes(125)
    assert first.phones["pager"].heard[0].id == second.phones["pager"].heard[0].id


def test_where_pagerduty_escalates_it_is_told() -> None:
    house = House([PAGED])
    house.away = True
    house.passes(130)
    assert house.heard() == [("pager", "pager")]
