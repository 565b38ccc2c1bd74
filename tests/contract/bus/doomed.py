"""A process that reads, commits nothing, and waits to be killed. Arguments: group, topic, then a bench's address."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

from tocsin.bus.embedded import EmbeddedBus
from tocsin.bus.kafka import KafkaBus
from tocsin.bus.port import Bus
from tocsin.clock import ManualClock


def main(group: str, topic: str, kind: str, *address: str) -> None:
    """Print how many records were read as soon as there are some; go on polling for a minute at most."""
    bus: Bus
    if kind == "embedded":
        bus = EmbeddedBus(Path(address[0]), ManualClock(datetime.fromisoformat(address[1])), lease_seconds=1.5)
    else:
        bus = KafkaBus([address[0]], prefix=address[1], session_timeout=timedelta(seconds=6))
    consumer = bus.consumer(group, [topic])
    read = 0
    until = time.monotonic() + 60
    while time.monotonic() < until:
        records = consumer.poll(0.2)
        read += len(records)
        if records:
            print(read, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
