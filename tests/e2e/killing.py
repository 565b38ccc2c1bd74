"""Processes are killed at random moments while mentions flow; afterwards nothing is missing and nothing is there twice."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import sqlalchemy

from tests.brokers import await_condition
from tests.e2e.fleet import SERVICES, Fleet, crisis, mention
from tests.e2e.receiver import Receiver

BATCH = 50
SETTLES_WITHIN = 240.0


@dataclass(frozen=True)
class Aftermath:
    """What was found when everything had come to rest."""

    sent: int
    kills: Counter[str]
    missing: frozenset[str]
    strangers: frozenset[str]
    """Mentions that match no brand and were stored all the same."""
    incidents: int
    not_notified: int
    """Incidents of which nobody was told."""
    lost_messages: int
    """Messages that the database calls accepted and the receiver never saw."""
    repeated_deliveries: int
    outcomes: tuple[tuple[str, ...], ...]
    """Kind, level, outcome and so on of every notification, for who must find out why."""


def send_while_killing(fleet: Fleet, receiver: Receiver, *, count: int, rounds: int, seed: int) -> Aftermath:
    """Send `count` mentions of a growing crisis (and as many tenths that match nothing), `rounds` times killing every service.

    The sender behaves as a source does: what was not answered with 202 is sent again.
    """
    chance = random.Random(seed)
    address = fleet.send_address()
    key = fleet.command("keys", "create", "--name", "source", "--scope", "send").stdout.strip().splitlines()[-1]
    about_us = crisis(fleet.now(), count, name=f"kills-{seed}")
    others = [
        mention(f"other-{number}", "Un café, s'il vous plaît", fleet.now(), author="x") for number in range(count // 10)
    ]
    waiting: list[dict[str, Any]] = [*about_us, *others]
    chance.shuffle(waiting)
    finished = threading.Event()
    sender = threading.Thread(target=_send_all, args=(fleet, address, key, waiting, finished))
    sender.start()
    kills: Counter[str] = Counter()
    for _ in range(rounds):
        for service in chance.sample(SERVICES, len(SERVICES)):
            # A moment between two kills, so that they fall anywhere in the work; not a wait for anything.
            threading.Event().wait(chance.uniform(0.2, 2.0))
            fleet.kill(service)
            kills[service] += 1
    sender.join(SETTLES_WITHIN)
    assert finished.is_set(), f"the sender did not get rid of its mentions\n{fleet.logs()}"
    wanted = {str(item["native_id"]) for item in about_us}
    await_condition(lambda: wanted <= set(_stored(fleet)), "every mention in the database", SETTLES_WITHIN)
    await_condition(
        lambda: _incidents(fleet) > 0 and _unfinished(fleet) == 0, "every notification sent", SETTLES_WITHIN
    )
    stored = _stored(fleet)
    assert len(stored) == len(set(stored)), "a mention is stored twice"
    messages = _accepted_messages(fleet)
    return Aftermath(
        sent=count,
        kills=kills,
        missing=frozenset(wanted - set(stored)),
        strangers=frozenset(item for item in stored if item.startswith("other-")),
        incidents=_incidents(fleet),
        not_notified=_incidents(fleet) - len({incident for incident, _ in messages}),
        lost_messages=len({identifier for _, identifier in messages} - _received(receiver)),
        repeated_deliveries=receiver.deliveries - len(receiver.messages()),
        outcomes=tuple(
            tuple(map(str, row))
            for row in _rows(
                fleet,
                "SELECT kind, level, outcome, attempts, start, step, loop, created_at FROM notifications ORDER BY created_at",
            )
        ),
    )


def _received(receiver: Receiver) -> set[str]:
    return {str(message["data"]["notification_id"]) for message in receiver.messages().values()}


def _send_all(fleet: Fleet, address: str, key: str, waiting: list[dict[str, Any]], finished: threading.Event) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    while waiting:
        batch = [{**item, "published_at": fleet.now().isoformat()} for item in waiting[:BATCH]]
        try:
            answer = httpx.post(address, json=batch, headers=headers, timeout=10)
        except httpx.HTTPError:
            continue
        if answer.status_code == 202:
            del waiting[:BATCH]
        elif answer.status_code not in (429, 500, 502, 503):
            raise AssertionError(f"a good batch was refused: {answer.status_code} {answer.text}")
    finished.set()


def _stored(fleet: Fleet) -> list[str]:
    return [str(row[0]) for row in _rows(fleet, "SELECT native_id FROM mentions WHERE native_id NOT LIKE 'quiet-%'")]


def _incidents(fleet: Fleet) -> int:
    return int(_rows(fleet, "SELECT count(*) FROM incidents")[0][0])


def _unfinished(fleet: Fleet) -> int:
    return int(_rows(fleet, "SELECT count(*) FROM notifications WHERE outcome IS NULL")[0][0])


def _accepted_messages(fleet: Fleet) -> list[tuple[str, str]]:
    rows = _rows(fleet, "SELECT incident_id, id FROM notifications WHERE outcome = 'accepted'")
    return [(str(incident).replace("-", ""), _dashed(str(identifier))) for incident, identifier in rows]


def _dashed(identifier: str) -> str:
    plain = identifier.replace("-", "")
    return "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))


def _rows(fleet: Fleet, query: str) -> Sequence[Any]:
    database = fleet.database()
    try:
        with database.read() as session:
            return session.execute(sqlalchemy.text(query)).all()
    finally:
        database.close()
