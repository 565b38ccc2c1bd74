"""How a command ends: 0 done, 1 the work failed, 2 the call or the configuration is wrong; and what is said on the way out."""

from __future__ import annotations

import sys

from tocsin.bus.failures import BusError
from tocsin.config import ConfigurationError
from tocsin.network_card import NetworkCardUnreadable
from tocsin.process import ComponentCrashed
from tocsin.storage.failures import DatabaseOutdated, DatabaseUnavailable
from tocsin.web import CannotListen

DONE, FAILED, WRONG_CALL = 0, 1, 2


class CommandFailed(Exception):
    """A command cannot do its work; the message says what is wrong and how to mend it."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.status = status


EXPECTED = (
    CommandFailed,
    ConfigurationError,
    BusError,
    DatabaseUnavailable,
    DatabaseOutdated,
    ComponentCrashed,
    NetworkCardUnreadable,
    CannotListen,
    TimeoutError,
)
"""What can go wrong without a bug of ours: told in words, without a traceback."""


def status_of(error: Exception) -> int:
    """The exit status for an expected error."""
    if isinstance(error, CommandFailed):
        return error.status
    return WRONG_CALL if isinstance(error, ConfigurationError | NetworkCardUnreadable) else FAILED


def tell(error: Exception) -> None:
    """Say on standard error what is wrong, each line behind the program's name."""
    for line in str(error).splitlines() or [type(error).__name__]:
        print(f"tocsin: {line}", file=sys.stderr)
