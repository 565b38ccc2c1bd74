"""Names of the embedded bus's members, by which those on the same machine can tell that one of them was killed."""

from __future__ import annotations

import os
import socket
import uuid


def member_name(label: str | None) -> str:
    """A unique name: a label for people, then machine, process namespace, process and a made-up part, between slashes."""
    plain = (label or "member").replace("/", "-")
    return f"{plain}/{socket.gethostname()}/{_process_namespace()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"


def was_killed(member: str) -> bool:
    """Whether the member's process is surely gone: it ran on this machine, in this namespace, and is not there any more.

    False says nothing (another container, a process id used again): then the lease's end decides.
    """
    parts = member.split("/")
    if len(parts) != 5 or parts[1:3] != [socket.gethostname(), _process_namespace()] or not parts[3].isdigit():
        return False
    try:
        os.kill(int(parts[3]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _process_namespace() -> str:
    try:
        return str(os.stat("/proc/self/ns/pid").st_ino)
    except OSError:
        return "0"
