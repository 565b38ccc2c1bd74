"""Which bus a process gets: decided here, from the configuration and the environment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tocsin.bus.embedded import EmbeddedBus
from tocsin.bus.embedded_log import Bounds
from tocsin.bus.port import Bus
from tocsin.clock import Clock
from tocsin.contracts.settings.bus import BusSettings

EMBEDDED_FILE = "bus.sqlite"


def open_bus(
    settings: BusSettings,
    *,
    home: Path,
    retention: timedelta,
    clock: Clock,
    bootstrap_servers: str | None = None,
) -> Bus:
    """The configured bus. `home` is the data folder, `retention` how long records stay (`retention.bus`).

    `bootstrap_servers` is the environment's `KAFKA_BOOTSTRAP_SERVERS`: it wins over the configured ones, and it chooses
    Kafka where the configuration does not say `bus.kind`. Kafka is connected to when it is first used; the embedded file is
    opened at once and raises BusError on a network file system.
    """
    kind = settings.kind
    if bootstrap_servers and "kind" not in settings.model_fields_set:
        kind = "kafka"
    if kind == "embedded":
        return EmbeddedBus(
            settings.path or home / EMBEDDED_FILE,
            clock,
            partitions=settings.partitions,
            bounds=Bounds(settings.max_records, settings.max_megabytes * 1_000_000, retention),
            lease_seconds=settings.session_timeout.total_seconds(),
        )
    from tocsin.bus.kafka import KafkaBus  # Heavy, and not needed where the embedded bus is used.

    servers = [part.strip() for part in (bootstrap_servers or "").split(",") if part.strip()]
    return KafkaBus(
        servers or settings.bootstrap_servers,
        prefix=settings.topic_prefix,
        partitions=settings.partitions,
        retention=retention,
        session_timeout=settings.session_timeout,
        tls=settings.tls,
        ca_file=str(settings.ca_file) if settings.ca_file else None,
        sasl=settings.sasl,
    )
