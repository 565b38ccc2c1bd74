"""A repair of how kafka-python 3.0 joins a group, without which a member that polls in short steps may never own anything.

A join runs on the client's own loop, but its result is taken only inside the very poll that waits for it. Done between two
polls, it is begun anew (and so keeps the whole group sharing out), or, where new metadata had caused it, it is forgotten: the
member then owns nothing, sends no heartbeats, and says nothing. Found in 3.0.12 (`coordinator/base.py`, `join_group_async`).
"""

from __future__ import annotations

from typing import Any

from kafka.coordinator.base import MemberState

REJOINING_POLL_MS = 20


class UncollectedJoins:
    """Keeps the result of a join until a poll takes it. Reaches into the coordinator, for want of any other way."""

    def __init__(self, coordinator: Any) -> None:
        self._coordinator = coordinator
        self._join = coordinator._do_join_and_sync_async
        self._finished: tuple[Any, bytes] | None = None
        coordinator._do_join_and_sync_async = self._join_once

    def least_ms(self, seconds: float) -> int:
        """How many milliseconds a poll should last that may last `seconds`: some at least where a join is to be taken."""
        if self._coordinator.rejoining:
            # Says again that a join is wanted, which is forgotten when metadata had caused it.
            self._coordinator.request_rejoin()
            return max(REJOINING_POLL_MS, int(seconds * 1000))
        return max(0, int(seconds * 1000))

    async def _join_once(self) -> bytes:
        coordinator = self._coordinator
        if self._finished is not None:
            generation, kept = self._finished
            # Taken or overtaken results are known by the state, which is rebalancing only from a join's start to its taking.
            if coordinator.state is MemberState.REBALANCING and coordinator._generation is generation:
                return kept
        assignment: bytes = await self._join()
        self._finished = (coordinator._generation, assignment)
        return assignment
