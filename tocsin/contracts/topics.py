"""The names of the topics on the bus, and which record goes to which.

Every name carries a prefix (default `tocsin.`), so that several installations can share one Kafka.
"""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_PREFIX = "tocsin."
DEAD_LETTER_SUFFIX = ".dlq"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one installation, under its prefix."""

    prefix: str = DEFAULT_PREFIX

    @property
    def mentions(self) -> str:
        """Mentions, new or updated, by mention id; also ticks, on every partition."""
        return f"{self.prefix}mentions"

    @property
    def removals(self) -> str:
        """Deletions, erasures and updates that match no brand any more, by mention id."""
        return f"{self.prefix}removals"

    @property
    def classified(self) -> str:
        """Classified records, one a mention and brand, by brand id; also ticks, on every partition."""
        return f"{self.prefix}classified"

    @property
    def incidents(self) -> str:
        """What happened to incidents, by incident id, in each incident's order."""
        return f"{self.prefix}incidents"

    def dead_letters(self, topic: str) -> str:
        """The topic that keeps the records of `topic` that could not be read."""
        return f"{topic}{DEAD_LETTER_SUFFIX}"

    def all(self) -> tuple[str, ...]:
        """Every topic, each followed by its dead letters."""
        flow = (self.mentions, self.removals, self.classified, self.incidents)
        return tuple(name for topic in flow for name in (topic, self.dead_letters(topic)))
