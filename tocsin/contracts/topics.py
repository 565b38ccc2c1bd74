"""The topics on the bus, by their bare names; the bus adds the installation's prefix (`tocsin.` by default)."""

from __future__ import annotations

DEFAULT_PREFIX = "tocsin."

MENTIONS = "mentions"
"""Mentions, new or updated, by mention id; also ticks, on every partition."""

REMOVALS = "removals"
"""Deletions, erasures and updates that match no brand any more, by mention id."""

CLASSIFIED = "classified"
"""Classified records, one a mention and brand, by brand id; also ticks, on every partition."""

INCIDENTS = "incidents"
"""What happened to incidents, by incident id, in each incident's order."""

FLOW = (MENTIONS, REMOVALS, CLASSIFIED, INCIDENTS)

DEAD_LETTER_SUFFIX = ".dlq"


def dead_letter_topic(topic: str) -> str:
    """The topic that keeps the records of `topic` that could not be read."""
    return f"{topic}{DEAD_LETTER_SUFFIX}"
