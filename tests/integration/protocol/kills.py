"""`kill -9` between a due timer and a message that is through, again and again, and what was lost or came twice."""

from __future__ import annotations

import base64
import json
import random
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from pytest_httpserver import HTTPServer
from sqlalchemy import select
from werkzeug import Request, Response

from services.alert.protocol.commands import Open
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from tests.team import START, judged
from tocsin.config import load
from tocsin.contracts.incidents import Level
from tocsin.storage import incidents
from tocsin.storage.database import Database
from tocsin.storage.tables.incidents import NotificationTable

ROOT = Path(__file__).parents[3]
SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes, for a test only").decode()
BOUNDARIES = ("after_select", "before_commit", "after_commit", "before_send", "after_send")
A_ROUND = 3
"""Incidents that open before each kill; each calls two people, the second by a timer."""


@dataclass
class Found:
    """What was found when everything had come to rest."""

    kills: Counter[str] = field(default_factory=Counter)
    """By boundary."""
    decided: int = 0
    """Messages that were decided on."""
    lost: set[str] = field(default_factory=set)
    strangers: set[str] = field(default_factory=set)
    """Ids that the receiver saw and nobody decided on."""
    repeated: int = 0
    """Deliveries beyond the first of an id."""
    wrong_people: Counter[str] = field(default_factory=Counter)
    """Whoever was told more or less often than once an incident, whatever the id."""


def kill_again_and_again(
    database: Database, server: HTTPServer, folder: Path, *, kills: int, together: bool, seed: int = 3
) -> Found:
    """Open incidents and kill a process that works on them, `kills` times; `together`: beside another one that is not killed."""
    received: Counter[str] = Counter()

    def answer(request: Request) -> Response:
        received[request.headers["webhook-id"]] += 1
        return Response(status=202)

    server.expect_request("/ring").respond_with_handler(answer)
    written = folder / "tocsin.yaml"
    written.write_text(
        f"""
people: [{{id: lea, name: Lea, channels: [ring]}}, {{id: sam, name: Sam, channels: [ring]}}]
channels: [{{kind: webhook, id: ring, url: "{server.url_for("/ring")}", secret: {SECRET}, allow_private_address: true}}]
policies:
  - id: night
    orange: {{steps: [{{notify: ["person:lea"]}}, {{wait: 30 s, notify: ["person:sam"]}}], repeat: 0}}
""",
        encoding="utf-8",
    )
    found, chance = Found(), random.Random(seed)
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.integration.protocol.killed_alert", url, str(written)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as forking:
        attempt = 0
        while found.kills.total() < kills:
            assert attempt < 3 * kills + 10, "the processes hardly ever reach their boundary"
            # An hour later each time: what a killed process had claimed is free again.
            now = START + timedelta(hours=attempt)
            _open(database, written, now, first=attempt * A_ROUND)
            boundary = BOUNDARIES[found.kills.total() % len(BOUNDARIES)]
            times = 1 if boundary == "after_select" or together else chance.randint(1, 3)
            doomed = {"start": now.isoformat(), "boundary": boundary, "times": times}
            beside = [{**doomed, "boundary": "never"}] if together else []
            ended = _fork(forking, [doomed, *beside])
            assert set(ended) <= {0, -signal.SIGKILL}, ended
            found.kills[boundary] += ended[0] == -signal.SIGKILL
            attempt += 1
        last = {"start": (START + timedelta(hours=attempt)).isoformat(), "boundary": "never", "times": 1}
        assert _fork(forking, [last]) == [0]
    with database.read() as session:
        rows = session.execute(
            select(NotificationTable.id, NotificationTable.incident_id, NotificationTable.name)
        ).all()
    decided = {f"msg_{row.id}" for row in rows}
    found.decided = len(decided)
    found.lost, found.strangers = decided - set(received), set(received) - decided
    found.repeated = received.total() - len(received)
    told = Counter((str(row.incident_id), row.name) for row in rows)
    for number in range(attempt * A_ROUND):
        for name in ("Lea", "Sam"):
            if (times_told := told[str(UUID(int=number)), name]) != 1:
                found.wrong_people[f"{name} {times_told} times"] += 1
    return found


def _open(database: Database, written: Path, now: datetime, *, first: int) -> None:
    configuration = load(written)
    for number in range(first, first + A_ROUND):
        identifier = UUID(int=number)
        opening = Open(identifier, f"brand-{number}", judged(Level.ORANGE), snapshot(configuration.policies[0]))
        with database.unit_of_work() as session:
            incidents.insert_opened(session, decide(None, opening, now, Directory.of(configuration)))


def _fork(forking: subprocess.Popen[str], wanted: list[dict[str, Any]]) -> list[int]:
    assert forking.stdin is not None
    assert forking.stdout is not None
    forking.stdin.write(json.dumps(wanted) + "\n")
    forking.stdin.flush()
    ended: list[int] = json.loads(forking.stdout.readline())
    return ended
