"""Morning digests over each database: written once, sent until they are through, whatever is killed in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from services.alert.digests import DigestWriter
from services.alert.notify.port import Delivery, Outcome
from tocsin.clock import ManualClock
from tocsin.config import Configuration, parse
from tocsin.contracts.incidents import Level
from tocsin.storage import near_misses
from tocsin.storage.database import Database
from tocsin.storage.figures import Thresholds
from tocsin.storage.near_misses import NearMiss
from tocsin.storage.notifications import AttemptOutcome
from tocsin.storage.tables.room import DigestTable

CONFIGURATION: Configuration = parse(
    """
brands: [{id: lunea, names: [Lunéa], time_zone: Europe/Paris}]
channels: [{id: post, kind: mail, host: mail.example, sender: tocsin@lunea.example}]
people: [{id: lea, name: Léa, language: fr, mail: lea@lunea.example, channels: [post]}]
digests: [{brand: lunea, at: "07:30", to: [lea]}]
""",
    variables={},
)
BEFORE = datetime(2026, 3, 3, 6, 29, tzinfo=UTC)
"""A minute before half past seven in Paris."""


class Mailbox:
    """A channel that remembers, and fails as often as it is told to."""

    kind = "mail"
    deduplicates = True
    address_hash = "x"
    timeout = timedelta(seconds=10)

    def __init__(self, failures: int = 0) -> None:
        self.received: list[Delivery] = []
        self.failures = failures

    def send(self, delivery: Delivery) -> Outcome:
        if self.failures:
            self.failures -= 1
            return Outcome(AttemptOutcome.RETRY, "421: busy")
        self.received.append(delivery)
        return Outcome(AttemptOutcome.ACCEPTED, "250")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(BEFORE)


def writer(database: Database, clock: ManualClock, mailbox: Mailbox) -> DigestWriter:
    return DigestWriter(database, clock, CONFIGURATION, {"post": mailbox}, thresholds=Thresholds())


def test_it_goes_out_once_a_morning_and_not_before_its_time(database: Database, clock: ManualClock) -> None:
    mailbox = Mailbox()
    first, second = (writer(database, clock, mailbox) for _ in range(2))
    assert first.write_due() == 0
    clock.move(60)
    assert (first.write_due(), second.write_due()) == (1, 0)
    second.send_due()
    first.send_due()
    clock.move(3600)
    first.write_due()
    first.send_due()
    (mail,) = mailbox.received
    assert mail.message.subject == "Lunéa : la nuit du 03/03 – rien n’a sonné"
    clock.move(23 * 3600)
    first.write_due()
    first.send_due()
    assert len(mailbox.received) == 2
    assert mailbox.received[0].id != mailbox.received[1].id


def test_what_almost_rang_is_in_it_the_worst_of_each_hour_alone(database: Database, clock: ManualClock) -> None:
    with database.unit_of_work() as session:
        for minutes, score in ((300, 20.0), (295, 44.0), (290, 31.0)):
            at = BEFORE - timedelta(minutes=minutes)
            near_misses.note(session, NearMiss("lunea", at, Level.YELLOW, score, {"fr": "Du verre"}, "buzz"))
    mailbox = Mailbox()
    clock.move(60)
    made = writer(database, clock, mailbox)
    made.write_due()
    made.send_due()
    text = mailbox.received[0].message.body
    assert "(score 44) : Du verre Pas d’alerte : on en parle beaucoup, mais sans nuire." in text
    assert "score 20" not in text
    assert "score 31" not in text


def test_a_server_that_is_busy_is_tried_again_with_the_same_id(database: Database, clock: ManualClock) -> None:
    mailbox = Mailbox(failures=2)
    clock.move(60)
    made = writer(database, clock, mailbox)
    made.write_due()
    for _ in range(3):
        made.send_due()
        clock.move(3600)
    assert len(mailbox.received) == 1
    assert mailbox.received[0].attempt == 3


def test_a_writer_that_died_while_sending_leaves_a_row_that_the_next_one_sends(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = Mailbox()
    clock.move(60)
    made = writer(database, clock, mailbox)
    made.write_due()

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("tocsin.storage.digests.finish", die)
        with pytest.raises(KeyboardInterrupt):
            made.send_next()
    clock.move(600)
    writer(database, clock, mailbox).send_due()
    assert len({delivery.id for delivery in mailbox.received}) == 1
    with database.read() as session:
        assert session.scalars(select(DigestTable.outcome)).all() == ["accepted"]


def test_after_an_outage_of_the_whole_morning_none_is_sent_at_noon(database: Database, clock: ManualClock) -> None:
    clock.move(7 * 3600)
    assert writer(database, clock, Mailbox()).write_due() == 0
