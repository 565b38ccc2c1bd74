"""Two installations of Tocsin: all together on the embedded default, and four processes over Kafka and PostgreSQL."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.e2e.fleet import Fleet, running
from tests.e2e.receiver import Receiver

SECRET = "whsec_" + base64.b64encode(b"a secret of the end-to-end tests").decode()


@pytest.fixture
def receiver(httpserver: HTTPServer) -> Receiver:
    """What listens at the other end of the webhook channel."""
    return Receiver(httpserver, SECRET)


@pytest.fixture(params=["embedded", "kafka and postgresql"])
def fleet(request: pytest.FixtureRequest, tmp_path: Path, receiver: Receiver) -> Iterator[Fleet]:
    """A running installation; the same tests run on both."""
    if request.param == "embedded":
        with running(
            tmp_path,
            together=True,
            environment={},
            bus={"kind": "embedded", "partitions": 2},
            webhook=receiver.url,
            secret=SECRET,
        ) as started:
            yield started
        return
    database_url = request.getfixturevalue("postgresql_database_url")
    bootstrap = request.getfixturevalue("kafka_bootstrap")
    prefix = request.getfixturevalue("kafka_prefix")
    with running(
        tmp_path,
        together=False,
        environment={"DATABASE_URL": database_url, "KAFKA_BOOTSTRAP_SERVERS": bootstrap},
        bus={"kind": "kafka", "partitions": 2, "topic_prefix": prefix, "session_timeout": "6 s"},
        webhook=receiver.url,
        secret=SECRET,
    ) as started:
        yield started
