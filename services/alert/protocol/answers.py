"""What a message and its answer share, across processes: the key that other systems know an incident by, and key presses."""

from __future__ import annotations

from uuid import UUID

ACKNOWLEDGE_KEY = "1"
"""The telephone key that acknowledges."""
SLACK_ACTION = "tocsin_acknowledge"
"""The `action_id` of Slack's button that acknowledges."""
ACKNOWLEDGE_PATH = "/a/"
"""What the path of an acknowledge link begins with; the token follows."""
_DEDUP_PREFIX = "tocsin-"


def dedup_key(incident_id: UUID) -> str:
    """PagerDuty's `dedup_key`, the same for everything about one incident."""
    return f"{_DEDUP_PREFIX}{incident_id}"


def incident_of(key: str) -> UUID | None:
    """The incident of a `dedup_key`; None for a key that is not ours."""
    try:
        return UUID(key.removeprefix(_DEDUP_PREFIX)) if key.startswith(_DEDUP_PREFIX) else None
    except ValueError:
        return None
