"""The port of boards: what the card keeper sees of each service in which teams plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Card:
    """A card as it should be. `marker` stands in its description, so that it can be found again."""

    title: str
    description: str
    due_at: datetime
    done: bool
    marker: str


class BoardError(Exception):
    """Something else than success; the message is shown to people and holds no secret."""


class BoardBusy(BoardError):
    """Nothing was done, and it may work later: no connection, or the service asks to wait."""

    def __init__(self, detail: str, retry_after: timedelta | None = None, *, whole_board: bool = False) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.whole_board = whole_board
        """The service limits everything that is sent to it, not this card alone."""


class BoardUnanswered(BoardError):
    """It was asked, and nobody knows whether it was done: look before asking again."""


class BoardRefused(BoardError):
    """It will not be done however often it is asked."""


class CardGone(BoardError):
    """A person has deleted the card there; it is not made again."""


class Board(Protocol):
    """One configured board."""

    @property
    def kind(self) -> str:
        """`trello`, `asana`."""
        ...

    @property
    def timeout(self) -> timedelta:
        """The longest that one call of a method takes, roughly."""
        ...

    def create(self, card: Card) -> str:
        """Make the card once; returns the id that the service gave it. Raises a BoardError."""
        ...

    def find(self, marker: str) -> str | None:
        """The id of the card with this marker; None where there is none. Raises a BoardError."""
        ...

    def change(self, identifier: str, card: Card) -> None:
        """Make the card there say what it should. Raises a BoardError."""
        ...
