"""A Kafka that cannot be used tells a person what to check: nobody there, the wrong password, no password, one that hangs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.brokers import apache, free_ports
from tests.requirements import missing
from tocsin.bus.failures import BusUnavailable
from tocsin.bus.kafka import KafkaBus
from tocsin.bus.port import Outgoing
from tocsin.contracts.settings.bus import SaslSettings

LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An Apache Kafka that asks for the password of user tocsin, which is `right`."""
    runner = Path(os.environ.get("TOCSIN_TEST_KAFKA") or "/nowhere") / "run"
    if not runner.is_file() or not shutil.which("java"):
        missing("kafka", "passwords are tried on Apache Kafka alone: TOCSIN_TEST_KAFKA names no folder with it")
    port = free_ports(2)
    users = 'username="admin" password="admin" user_admin="admin" user_tocsin="right"'
    settings = [
        f"listeners=SASL_PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1}",
        f"advertised.listeners=SASL_PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name=SASL_PLAINTEXT",
        "sasl.enabled.mechanisms=PLAIN",
        "sasl.mechanism.inter.broker.protocol=PLAIN",
        f"listener.name.sasl_plaintext.plain.sasl.jaas.config={LOGIN} required {users};",
    ]
    with apache(runner, tmp_path_factory.mktemp("guarded"), port, settings) as broker:
        yield broker.servers


def with_password(password: str) -> SaslSettings:
    return SaslSettings(username="tocsin", password=SecretStr(password))


def test_the_right_password_lets_in(guarded: str) -> None:
    bus = KafkaBus([guarded], sasl=with_password("right"))
    bus.ensure_topics(["mentions"], partitions=1)
    producer = bus.producer()
    producer.send(Outgoing("mentions", b"k", b"v"))
    producer.flush()
    assert [record.value for record in bus.read("mentions")] == [b"v"]
    bus.close()


def test_a_wrong_password_is_told_as_one_without_repeating_it(guarded: str) -> None:
    bus = KafkaBus([guarded], sasl=with_password("hunter2"))
    with pytest.raises(BusUnavailable, match="refuses user 'tocsin'") as caught:
        bus.producer()
    assert "bus.sasl.password" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    bus.close()


def test_no_password_where_one_is_asked_for_is_told(guarded: str) -> None:
    bus = KafkaBus([guarded])
    with pytest.raises(BusUnavailable, match=r"no password.*bus\.sasl"):
        bus.producer()
    bus.close()


def test_nobody_there_is_told_with_where_it_was_looked_for() -> None:
    bus = KafkaBus([f"127.0.0.1:{free_ports(1)}"])
    with pytest.raises(BusUnavailable, match=r"connection refused.*KAFKA_BOOTSTRAP_SERVERS"):
        bus.producer()
    bus.close()
