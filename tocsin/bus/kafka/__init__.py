"""The bus on Kafka, through kafka-python 3: the only room that imports it.

What kafka-python does that is countered here: auto-commit is on by default; a position that is gone is skipped by default;
`commit()` without offsets commits what was polled; rebalance callbacks run on its own loop's thread; nothing bounds the
producer's memory; a wrong password shows as a timeout.
"""

from tocsin.bus.kafka.bus import KafkaBus

__all__ = ["KafkaBus"]
