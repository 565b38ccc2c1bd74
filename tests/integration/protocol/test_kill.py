"""`kill -9` at each boundary between a due timer and a message that is through: nothing lost, hardly anything twice."""

from __future__ import annotations

import base64
import random
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
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
A_ROUND = 2
"""Incidents that open before each kill; each calls two people, the second by a timer."""


@pytest.mark.parametrize(
    "kills", [pytest.param(5, id="each boundary once"), pytest.param(150, id="long form", marks=pytest.mark.slow)]
)
@pytest.mark.timeout(7200)
def test_nothing_is_lost_and_a_kill_repeats_one_message_at_most(
    database: Database, httpserver: HTTPServer, tmp_path: Path, kills: int
) -> None:
    received: Counter[str] = Counter()

    def answer(request: Request) -> Response:
        received[request.headers["webhook-id"]] += 1
        return Response(status=202)

    httpserver.expect_request("/ring").respond_with_handler(answer)
    written = tmp_path / "tocsin.yaml"
    written.write_text(
        f"""
people: [{{id: lea, name: Lea, channels: [ring]}}, {{id: sam, name: Sam, channels: [ring]}}]
channels: [{{kind: webhook, id: ring, url: "{httpserver.url_for("/ring")}", secret: {SECRET}, allow_private_address: true}}]
policies:
  - id: night
    orange: {{steps: [{{notify: ["person:lea"]}}, {{wait: 30 s, notify: ["person:sam"]}}], repeat: 0}}
""",
        encoding="utf-8",
    )
    configuration = load(written)
    chance = random.Random(3)
    for kill in range(kills + 1):
        # An hour later each time: what a killed process had claimed is free again.
        now = START + timedelta(hours=kill)
        for number in range(A_ROUND):
            identifier = UUID(int=kill * A_ROUND + number)
            opening = Open(identifier, f"brand-{identifier}", judged(Level.ORANGE), snapshot(configuration.policies[0]))
            with database.unit_of_work() as session:
                incidents.insert_opened(session, decide(None, opening, now, Directory.of(configuration)))
        last = kill == kills
        boundary = "never" if last else BOUNDARIES[kill % len(BOUNDARIES)]
        times = 1 if boundary == "after_select" else chance.randint(1, 3)
        url = database.url.render_as_string(hide_password=False)
        module = "tests.integration.protocol.killed_alert"
        command = [sys.executable, "-m", module, url, str(written), now.isoformat(), boundary, str(times)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == (0 if last else -signal.SIGKILL), done.stderr[-3000:]
    with database.read() as session:
        rows = session.execute(
            select(NotificationTable.id, NotificationTable.incident_id, NotificationTable.name)
        ).all()
    assert Counter(row.name for row in rows) == {"Lea": (kills + 1) * A_ROUND, "Sam": (kills + 1) * A_ROUND}
    assert set(received) == {f"msg_{row.id}" for row in rows}, "lost, or sent under another id"
    assert sum(received.values()) - len(received) <= kills
