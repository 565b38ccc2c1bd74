"""Files that commands read and write: mentions in, lines out, what could not be read kept aside."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.clock import Clock, SystemClock
from tocsin.contracts.events import Mention

if TYPE_CHECKING:
    from services.ingest.reading import Rejected

STANDARD = Path("-")
"""Standard input or output."""


@contextmanager
def written(out: Path | None) -> Iterator[TextIO]:
    """Where output goes: a file, which appears whole or not at all, or standard output."""
    if out is None or out == STANDARD:
        yield sys.stdout
        sys.stdout.flush()
        return
    unfinished = out.with_name(f"{out.name}.unfinished")
    try:
        stream = unfinished.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise CommandFailed(
            f"cannot write {out}: {error.strerror}; choose another place with -o", WRONG_CALL
        ) from error
    try:
        with stream:
            yield stream
        unfinished.replace(out)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


class RejectedLines:
    """Lines that are no mentions: told on standard error, and kept in `OUT.rejected` where there is an OUT."""

    def __init__(self, out: Path | None) -> None:
        self.count = 0
        self.line = 0
        """How far the file was read: the line of the mention that was given last."""
        self._path = None if out is None or out == STANDARD else out.with_name(f"{out.name}.rejected")
        self._stream: TextIO | None = None
        if self._path is not None:
            # One of an earlier run would be taken for this one's.
            self._path.unlink(missing_ok=True)

    def __call__(self, rejected: Rejected) -> None:
        """Tell and keep one."""
        self.count += 1
        print(f"tocsin: {rejected}", file=sys.stderr)
        if self._path is not None:
            if self._stream is None:
                self._stream = self._path.open("w", encoding="utf-8")
            print(rejected.to_json(), file=self._stream)

    def close(self) -> None:
        """Finish the file, and say where it is."""
        if self._stream is not None:
            self._stream.close()
            print(f"tocsin: {self.count} lines were kept aside in {self._path}", file=sys.stderr)


@contextmanager
def mentions_of(
    file: Path, out: Path | None, clock: Clock | None = None
) -> Iterator[tuple[Iterator[Mention], RejectedLines]]:
    """The valid mentions of a file, in its order; the others go to the rejected lines.

    Raises CommandFailed: status 2 for a file that is not there, 1 for one that cannot be read.
    """
    from services.ingest.reading import Rejected, UnreadableFile, read_numbered

    if file != STANDARD and not file.is_file():
        raise CommandFailed(f"{file}: there is no such file; '-' reads standard input", WRONG_CALL)
    rejected = RejectedLines(out)

    def valid() -> Iterator[Mention]:
        try:
            for rejected.line, item in read_numbered(file, clock or SystemClock()):
                if isinstance(item, Rejected):
                    rejected(item)
                else:
                    yield item
        except UnreadableFile as error:
            raise CommandFailed(str(error)) from error
        except OSError as error:
            raise CommandFailed(f"{file}: cannot be read: {error.strerror}") from error

    try:
        yield valid(), rejected
    finally:
        rejected.close()


def nothing_valid(file: Path, rejected: RejectedLines) -> CommandFailed:
    """The failure of a command that found nothing to work on."""
    if rejected.count:
        return CommandFailed(f"{file}: none of its {rejected.count} lines is a mention; the messages above say why")
    return CommandFailed(f"{file}: is empty; give a file with one mention a line")
