"""A telephone takes so many messages within a time, whatever rings it; what is over that waits, and the first page never does."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from services.alert.notify.limits import PhoneLimits
from services.alert.notify.port import Channel, Delivery, Outcome
from services.alert.notify.sender import Sender
from services.alert.protocol.commands import Acknowledge, Open
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from services.alert.timers import Timers
from tests.team import START, judged
from tocsin.clock import ManualClock
from tocsin.config import parse
from tocsin.contracts.decisions import NotificationKind
from tocsin.storage import incidents
from tocsin.storage.database import Database
from tocsin.storage.notifications import AttemptOutcome

MOST, WITHIN = 3, timedelta(minutes=10)
TWILIO = f"twilio: {{account: AC{'0' * 32}, token: a-token, url: 'https://twilio.example'}}"
CONFIGURATION = parse(
    f"""
channels:
  - {{id: sms, kind: sms, {TWILIO}, sender: "+33700000000", most: {MOST}, within: 10 min}}
  - {{id: call, kind: call, {TWILIO}, sender: "+33700000000", most: {MOST}, within: 10 min}}
  - {{id: wall, kind: terminal}}
people:
  - {{id: lea, name: Léa, phone: "+33600000001", channels: [sms, call, wall]}}
  - {{id: sam, name: Sam, phone: "+33600000002", channels: [sms]}}
policies:
  # One round a minute: far more than anybody would write down.
  - {{id: loud, orange: {{steps: [{{notify: ["person:lea"]}}], repeat: 20, repeat_after: 1 min}}}}
  - {{id: both, orange: {{steps: [{{notify: ["person:lea", "person:sam"]}}], repeat: 0}}}}
"""
)


class House:
    """Timers and a sender that keeps to the limits, on a clock that the test moves; what went out, when and to whom."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ManualClock(START)
        self.directory = Directory.of(CONFIGURATION)
        self.told: list[tuple[datetime, str, str, UUID, NotificationKind]] = []
        made: dict[str, Channel] = {item.id: Recorder(item.kind, self) for item in CONFIGURATION.channels}
        self._timers = Timers(database, self.clock, self.directory)
        self._sender = Sender(database, self.clock, made, limits=PhoneLimits.of(CONFIGURATION))

    def opens(self, number: int, policy: int = 0) -> UUID:
        """An incident of a brand of its own; its first pages go out at once."""
        identifier = UUID(int=number)
        opening = Open(identifier, f"brand-{number}", judged(), snapshot(CONFIGURATION.policies[policy]))
        with self.database.unit_of_work() as session:
            incidents.insert_opened(session, decide(None, opening, self.clock.now(), self.directory))
        self._sender.send_due()
        return identifier

    def acknowledges(self, incident: UUID) -> None:
        with self.database.unit_of_work() as session:
            incidents.execute(
                session,
                incident,
                lambda known: decide(known, Acknowledge("person:sam"), self.clock.now(), self.directory),
            )

    def lasts(self, minutes: int) -> None:
        for _ in range(minutes):
            self.clock.move(60)
            self._timers.ring_due()
            self._sender.send_due()

    def rung(self, person: str, *channels: str) -> list[datetime]:
        """When pages reached a person on these channels."""
        return [
            at
            for at, target, channel, _, kind in self.told
            if target == f"person:{person}" and channel in channels and kind is NotificationKind.PAGE
        ]


class Recorder:
    """A channel that takes everything."""

    deduplicates = False
    address_hash = "x"
    timeout = timedelta(seconds=1)

    def __init__(self, kind: str, house: House) -> None:
        self.kind = kind
        self._house = house

    def send(self, delivery: Delivery) -> Outcome:
        told = delivery.notification
        self._house.told.append((self._house.clock.now(), told.target, told.channel, told.incident_id, told.kind))
        return Outcome(AttemptOutcome.ACCEPTED, "taken")


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def test_texts_and_calls_together_stay_within_the_limit_and_what_is_no_telephone_has_none(house: House) -> None:
    house.opens(1)
    house.lasts(20)
    rung = house.rung("lea", "sms", "call")
    for at in rung:
        assert sum(at <= other < at + WITHIN for other in rung) <= MOST
    assert len(rung) == 2 * MOST + 2, "three in each ten minutes, and the two that then went at once"
    assert len(house.rung("lea", "wall")) == 21


def test_what_waited_goes_out_when_there_is_room_again_where_it_is_still_wanted(house: House) -> None:
    house.opens(1)
    house.lasts(2)
    assert len(house.rung("lea", "sms", "call")) == MOST
    house.lasts(7)
    assert len(house.rung("lea", "sms", "call")) == MOST
    house.lasts(1)
    assert house.rung("lea", "sms", "call")[MOST:] == [START + WITHIN] * 2


def test_what_waited_is_not_sent_any_more_once_somebody_has_it_in_hand(house: House) -> None:
    incident = house.opens(1)
    house.lasts(5)
    house.acknowledges(incident)
    house.lasts(25)
    assert len(house.rung("lea", "sms", "call")) == MOST


def test_the_first_page_of_an_alert_never_waits_however_much_a_telephone_has_had(house: House) -> None:
    house.opens(1)
    house.lasts(5)
    before = len(house.rung("lea", "sms", "call"))
    other = house.opens(2)
    assert [at for at, _, channel, incident, _ in house.told if incident == other and channel in ("sms", "call")] == [
        house.clock.now()
    ] * 2
    assert len(house.rung("lea", "sms", "call")) == before + 2


def test_everybody_has_a_limit_of_their_own(house: House) -> None:
    house.opens(1)
    house.lasts(5)
    house.opens(2, policy=1)
    assert house.rung("sam", "sms") == [house.clock.now()]
