"""How clients of kafka-python are opened, how its errors are told, and how names carry the installation's prefix."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from kafka import TopicPartition as KafkaPartition
from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient

from tocsin.bus.failures import BusError, BusUnavailable
from tocsin.bus.port import TopicPartition
from tocsin.bus.reachability import closed_servers, what_to_check
from tocsin.contracts.settings.bus import SaslSettings

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 10.0
ANSWER_MS = int(ANSWER_SECONDS * 1000)

_SHOWN_AT = "kafka.net.sasl.plain"
"""The logger that says when a password goes out."""
_REFUSED = (kafka_errors.AuthorizationError, kafka_errors.KafkaConfigurationError, kafka_errors.InvalidTopicError)


class _Refusals(logging.Handler):
    """What brokers said about our password while this was listening: kafka-python only logs it, and raises a timeout."""

    _SAYS_SO = (kafka_errors.SaslAuthenticationFailedError, kafka_errors.UnsupportedSaslMechanismError)

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: str | None = None
        self._heard_at = [logging.getLogger(name) for name in ("kafka.net.manager", _SHOWN_AT)]
        self._shown = False

    def __enter__(self) -> None:
        for heard_at in self._heard_at:
            heard_at.addHandler(self)

    def __exit__(self, *_: object) -> None:
        for heard_at in self._heard_at:
            heard_at.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == _SHOWN_AT:
            self._shown = True
            return
        if self._shown and self.last is None:
            # The broker's answer and the end of the connection come together; a busy client may see the end alone.
            self.last = "the connection was closed when the password was shown"
        for part in record.args if isinstance(record.args, tuple) else ():
            if isinstance(part, self._SAYS_SO):
                self.last = str(part)


class Connection:
    """Where the brokers are and who we are to them; `prefix` begins every topic and group of this installation."""

    def __init__(
        self, servers: Sequence[str], *, prefix: str, tls: bool, ca_file: str | None, sasl: SaslSettings | None
    ) -> None:
        if not servers:
            raise BusError("no Kafka broker is named: set bus.bootstrap_servers or KAFKA_BOOTSTRAP_SERVERS")
        self.servers = tuple(servers)
        self.prefix = prefix
        self._tls = tls
        self._ca_file = ca_file
        self._sasl = sasl

    def theirs(self, partition: TopicPartition) -> Any:
        """A partition as Kafka names it."""
        return KafkaPartition(self.prefix + partition.topic, partition.partition)

    def ours(self, partition: Any) -> TopicPartition:
        """A partition as the port names it."""
        return TopicPartition(partition.topic.removeprefix(self.prefix), partition.partition)

    def open(self, make: Callable[..., Any], **settings: Any) -> Any:
        """A kafka-python client with this bus's connection settings, or BusUnavailable saying what to check."""
        if len(closed_servers(self.servers)) == len(self.servers):
            # Known at once, where kafka-python would try until its time is over.
            raise self.failure(kafka_errors.KafkaConnectionError("no server answers"))
        opened: list[Any] = []

        def remembered(**client_settings: Any) -> Any:
            # A constructor that fails leaves its connections and thread running: keep a hand on them.
            opened.append(KafkaNetClient(**client_settings))
            return opened[-1]

        settings |= {"bootstrap_servers": list(self.servers), "bootstrap_timeout_ms": int(CONNECT_SECONDS * 1000)}
        settings |= {"security_protocol": ("SASL_" if self._sasl else "") + ("SSL" if self._tls else "PLAINTEXT")}
        settings |= {"ssl_cafile": self._ca_file}
        if self._sasl:
            settings |= {"sasl_mechanism": self._sasl.mechanism, "sasl_plain_username": self._sasl.username}
            settings |= {"sasl_plain_password": self._sasl.password.get_secret_value()}
        refusals = _Refusals()
        try:
            with refusals:
                return make(kafka_client=remembered, **settings)
        except (kafka_errors.KafkaError, OSError) as error:
            for client in opened:
                client.close()
            raise self.failure(error, refusals.last) from error

    def failure(self, error: Exception, refusal: str | None = None) -> BusError:
        """What kafka-python raised, as the port has it."""
        if isinstance(error, _REFUSED):
            return BusError(f"Kafka refuses: {error}. Check the rights of bus.sasl.username, and the topic's name")
        if isinstance(error, kafka_errors.SaslAuthenticationFailedError):
            refusal = str(error)
        return BusUnavailable(
            f"{what_to_check(self.servers, tls=self._tls, sasl=self._sasl, refusal=refusal)} ({type(error).__name__})"
        )
