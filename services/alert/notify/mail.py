"""Mail over SMTP. The Message-ID is the same at every attempt, so that mailboxes show a repeated message once."""

from __future__ import annotations

import contextlib
import hashlib
import smtplib
import socket
import ssl
from collections.abc import Mapping
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape

from services.alert.notify.addresses import AddressRefused, AddressUnknown, addresses_of
from services.alert.notify.port import NOT_WANTED, Delivery, Outcome, no_address
from services.alert.notify.posting import usual_authorities
from services.alert.protocol.messages import Message
from services.alert.protocol.phrases import PHRASES
from tocsin.contracts.settings.channels import MailChannel
from tocsin.storage.notifications import AttemptOutcome

_COMMANDS = 8
"""Commands of a conversation, each of which may take the whole time-out."""


class _ToAddress(smtplib.SMTP):
    """Connects to an address that was checked, while the certificate must be that of the name."""

    def __init__(self, host: str, port: int, address: str, timeout: float) -> None:
        self._address = address
        super().__init__(host, port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002 - not to the name
        return socket.create_connection((self._address, port), timeout)


class _ToAddressOverTls(_ToAddress):
    """The same, encrypted from the first byte on."""

    def __init__(self, host: str, port: int, address: str, timeout: float, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._name = host
        super().__init__(host, port, address, timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = super()._get_socket(host, port, timeout)
        try:
            return self._tls.wrap_socket(plain, server_hostname=self._name)
        except BaseException:
            plain.close()
            raise


class Mail:
    """Sends mail over one server. `tls`: which certificates to trust, where the usual authorities are not meant."""

    kind = "mail"
    deduplicates = True

    def __init__(
        self, settings: MailChannel, addresses: Mapping[str, str], *, tls: ssl.SSLContext | None = None
    ) -> None:
        """`addresses`: where each target is written to."""
        self._settings = settings
        self._addresses = addresses
        self._tls = tls or usual_authorities()
        address = f"{settings.host}:{settings.port_or_default}:{settings.user}:{settings.sender}"
        self.address_hash = hashlib.sha256(address.encode()).hexdigest()[:16]
        self.timeout: timedelta = _COMMANDS * settings.timeout

    def send(self, delivery: Delivery) -> Outcome:
        """Hand it to the server once."""
        settings = self._settings
        recipient = self._addresses.get(delivery.notification.target)
        if recipient is None:
            return no_address(delivery, "mail")
        try:
            addresses = addresses_of(
                settings.host, settings.port_or_default, allow_private=settings.allow_private_address
            )
        except AddressRefused as error:
            return Outcome(AttemptOutcome.REJECTED, str(error))
        except AddressUnknown as error:
            return Outcome(AttemptOutcome.RETRY, str(error))
        message = mail_message(delivery, sender=settings.sender, recipient=recipient)
        outcome = Outcome(AttemptOutcome.RETRY, "the host has no address")
        for address in addresses:
            try:
                connection = self._connect(address)
            except (OSError, smtplib.SMTPException) as error:
                outcome = Outcome(AttemptOutcome.RETRY, f"no connection ({_said(error)})")
                continue
            with_outcome = self._converse(connection, message, recipient, delivery)
            connection.close()
            return with_outcome
        return outcome

    def _connect(self, address: str) -> smtplib.SMTP:
        settings = self._settings
        where = settings.host, settings.port_or_default, address, settings.timeout.total_seconds()
        if settings.encryption == "tls":
            return _ToAddressOverTls(*where, self._tls)
        return _ToAddress(*where)

    def _converse(  # noqa: PLR0911 - one line an outcome
        self, connection: smtplib.SMTP, message: EmailMessage, recipient: str, delivery: Delivery
    ) -> Outcome:
        settings = self._settings
        handing_over = False
        try:
            if settings.encryption == "starttls":
                # Raises where the server does not offer it: nothing goes out in clear instead.
                connection.starttls(context=self._tls)
            if settings.user is not None and settings.password is not None:
                connection.login(settings.user, settings.password.get_secret_value())
            if not delivery.wanted():
                return NOT_WANTED
            handing_over = True
            connection.send_message(message, settings.sender, [recipient])
        except smtplib.SMTPNotSupportedError:
            return Outcome(
                AttemptOutcome.REJECTED,
                "the server offers neither this encryption nor this way to sign in; look at encryption and port",
            )
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            return _of_code(code, "the address is refused")
        except smtplib.SMTPAuthenticationError as error:
            return _of_code(error.smtp_code, "user or password are refused")
        except smtplib.SMTPResponseException as error:
            return _of_code(error.smtp_code, "the server refuses it")
        except (OSError, smtplib.SMTPException) as error:
            kind = AttemptOutcome.UNKNOWN if handing_over else AttemptOutcome.RETRY
            return Outcome(kind, f"no answer ({_said(error)})")
        # The message was taken; how the server says goodbye is its own affair.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            connection.quit()
        return Outcome(AttemptOutcome.ACCEPTED, "250: taken by the mail server")


def mail_message(delivery: Delivery, *, sender: str, recipient: str) -> EmailMessage:
    """The message as it is handed over: plain text, and the same as HTML for those who read that."""
    message = EmailMessage()
    message["From"] = f"Tocsin <{sender}>"
    message["To"] = recipient
    message["Subject"] = delivery.message.subject
    message["Date"] = format_datetime(delivery.notification.created_at)
    message["Message-ID"] = f"<{delivery.id}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if delivery.notification.kind.rings:
        message["Importance"] = "high"
        message["X-Priority"] = "1"
    message.set_content(delivery.message.text)
    message.add_alternative(_html(delivery.message), subtype="html")
    return message


def _html(message: Message) -> str:
    phrases = PHRASES[message.language]
    first = "".join(f"<p>{escape(line)}</p>" for line in message.lines[: message.first_lines])
    further = "".join(f"<p>{escape(line)}</p>" for line in message.lines[message.first_lines :])
    links = [
        (message.acknowledge_link, phrases["acknowledge_button"]),
        (
            message.page_link,
            (message.before_link or phrases["see_button" if message.acknowledge_link else "open"]).rstrip(" :"),
        ),
    ]
    buttons = " · ".join(f'<a href="{escape(link)}">{escape(words)}</a>' for link, words in links if link)
    return (
        f'<!doctype html><html lang="{message.language}"><body><h1 style="font-size:1.2em">{escape(message.subject)}</h1>'
        f"{first}<p><strong>{buttons}</strong></p>{further}</body></html>"
    )


def _of_code(code: int, words: str) -> Outcome:
    """SMTP says with 4xx that something passes, with 5xx that it will not."""
    kind = AttemptOutcome.RETRY if 400 <= code < 500 else AttemptOutcome.REJECTED
    return Outcome(kind, f"{code}: {words}")


def _said(error: Exception) -> str:
    return type(error).__name__
