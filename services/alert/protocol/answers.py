"""What a message and its answer share, across processes: the key that other systems know an incident by, and key presses."""

from __future__ import annotations

import re
from uuid import UUID

ACKNOWLEDGE_KEY = "1"
"""The telephone key that acknowledges."""
SLACK_ACTION = "tocsin_acknowledge"
"""The `action_id` of Slack's button that acknowledges."""
ACKNOWLEDGE_PATH = "/a/"
"""What the path of an acknowledge link begins with; the token follows."""
_DEDUP_PREFIX = "tocsin-"
_DEDUP_KEY = re.compile(
    rf"{_DEDUP_PREFIX}([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})(?:-(\d{{1,9}}))?", re.ASCII
)


def dedup_key(incident_id: UUID, start: int = 1) -> str:
    """PagerDuty's `dedup_key`, the same for everything about one incident that belongs to one `start` of its escalation.

    Each further start has a key of its own: PagerDuty rings nobody for what was acknowledged there before.
    """
    return f"{_DEDUP_PREFIX}{incident_id}" if start == 1 else f"{_DEDUP_PREFIX}{incident_id}-{start}"


def incident_of(key: str) -> tuple[UUID, int] | None:
    """The incident and the start of a `dedup_key`; None for a key that is not ours."""
    found = _DEDUP_KEY.fullmatch(key)
    return (UUID(found[1]), int(found[2] or 1)) if found else None
