"""Why a broker cannot be used, in words that tell a person what to check."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from tocsin.contracts.settings.bus import SaslSettings

PROBE_SECONDS = 2.0


def what_to_check(servers: Sequence[str], *, tls: bool, sasl: SaslSettings | None, refusal: str | None) -> str:
    """Look at each `host:port` and say what is wrong and how to mend it. `refusal`: a broker's own words about our password.

    Opens a connection to each server, for `PROBE_SECONDS` at most.
    """
    named = ", ".join(servers)
    if refusal is not None and sasl is not None:
        return (
            f"Kafka at {named} refuses user {sasl.username!r} ({sasl.mechanism}): {refusal}. Check bus.sasl.username, "
            "bus.sasl.password and bus.sasl.mechanism against the broker's users"
        )
    closed = closed_servers(servers)
    if len(closed) == len(servers):
        return (
            f"no Kafka answers ({'; '.join(closed)}). Check bus.bootstrap_servers or KAFKA_BOOTSTRAP_SERVERS, whether "
            "the broker runs, and whether a firewall lies between"
        )
    ours = f"{'TLS' if tls else 'no TLS'} and {'a password' if sasl else 'no password'}"
    return (
        f"something listens at {named}, but no Kafka answers us there. We come with {ours}: check bus.tls and bus.sasl "
        "against the broker's listeners, whether the broker hangs (its log), and its advertised.listeners"
    )


def closed_servers(servers: Sequence[str]) -> list[str]:
    """Those that no connection can be opened to, each with the reason."""
    return [f"{server}: {reason}" for server in servers if (reason := _unreachable(server))]


def _unreachable(server: str) -> str | None:
    host, _, port = server.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS).close()
    except socket.gaierror:
        return "the name is unknown"
    except TimeoutError:
        return "no answer"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return None
