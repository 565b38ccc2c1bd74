"""`bus`: which implementation carries the records between the processes, and its limits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from tocsin.contracts.settings.base import Duration, Settings
from tocsin.contracts.topics import DEFAULT_PREFIX


class SaslSettings(Settings):
    """Who we are to a Kafka that asks for a password."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    username: str
    password: SecretStr


class BusSettings(Settings):
    """The bus. How long records stay is `retention.bus`."""

    kind: Literal["embedded", "kafka"] = "embedded"
    path: Path | None = None
    """Embedded: the file of the log, on a local disk; default `bus.sqlite` in the data folder."""
    max_records: int = Field(default=500_000, ge=100)
    """Embedded: as many unread records a topic may hold; beyond, producers wait (HTTP: 429)."""
    max_megabytes: int = Field(default=2048, ge=1)
    """Embedded: as many MB of unread records a topic may hold."""
    bootstrap_servers: tuple[str, ...] = ()
    """Kafka: `host:port` of some brokers, as a list or separated by commas; `KAFKA_BOOTSTRAP_SERVERS` wins."""
    tls: bool = False
    """Kafka: whether brokers are spoken to over TLS."""
    ca_file: Path | None = None
    """Kafka: the certificates to trust, where the machine's own do not do."""
    sasl: SaslSettings | None = None
    topic_prefix: str = Field(default=DEFAULT_PREFIX, pattern=r"^[A-Za-z0-9._-]{0,100}$")
    """Begins every topic and consumer group, so that several installations can share one Kafka."""
    partitions: int = Field(default=4, ge=1, le=1024)
    """Of topics that do not exist yet: as many processes can share one service's work."""
    session_timeout: Duration = timedelta(seconds=15)
    """A process that is silent for so long is taken for dead, and others take its partitions over."""
    batch_wait: Duration = timedelta(milliseconds=200)
    """A batch that is not full waits so long for more."""
    drain_timeout: Duration = timedelta(seconds=20)
    """After SIGTERM, so long may the batch in hand take; then it is left to the next process."""
    dead_letter_limit: float = Field(default=0.2, gt=0, le=1)
    """A worker stops when this share of its last 1,000 records (and at least 20 of them) could not be read."""

    @field_validator("bootstrap_servers", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("bootstrap_servers")
    @classmethod
    def _host_and_port(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            host, _, port = server.rpartition(":")
            if not host or not port.isdigit():
                raise ValueError(f"{server!r} is no broker's address; write it like 'kafka.example.org:9092'")
        return servers

    @model_validator(mode="after")
    def _session_is_long_enough(self) -> Self:
        if not timedelta(seconds=6) <= self.session_timeout <= timedelta(minutes=5):
            raise ValueError("session_timeout must lie between 6 s (a Kafka broker refuses less) and 5 min")
        return self
