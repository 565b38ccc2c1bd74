"""The long tail (ntfy, Telegram, Pushover, …) through the library apprise, which speaks to more than a hundred services.

Apprise connects by itself, so the name is checked before and not the connection; and it only says whether all went well, so
that every failure is tried again.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import timedelta

import apprise

from services.alert.notify.addresses import AddressRefused, AddressUnknown, addresses_of
from services.alert.notify.port import NOT_WANTED, Delivery, Outcome
from tocsin.contracts.decisions import NotificationKind
from tocsin.contracts.settings.channels import AppriseChannel
from tocsin.storage.notifications import AttemptOutcome

# At its lower levels the library writes whole requests, with their tokens.
logging.getLogger("apprise").setLevel(logging.CRITICAL)


class LongTail:
    """Sends through one apprise URL. Raises ValueError where apprise does not understand it."""

    kind = "apprise"
    deduplicates = False

    def __init__(self, settings: AppriseChannel) -> None:
        url = settings.url.get_secret_value()
        service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if not isinstance(service, apprise.NotifyBase):
            raise ValueError(f"channels.{settings.id}: apprise does not understand the url; look at its documentation")
        service.socket_connect_timeout = service.socket_read_timeout = settings.timeout.total_seconds()
        self._service = service
        self._allow_private = settings.allow_private_address
        self.address_hash = hashlib.sha256(url.encode()).hexdigest()[:16]
        self.timeout: timedelta = 4 * settings.timeout

    def send(self, delivery: Delivery) -> Outcome:
        """Send it once."""
        host = getattr(self._service, "host", None)
        try:
            if host:
                addresses_of(
                    str(host), int(getattr(self._service, "port", None) or 443), allow_private=self._allow_private
                )
        except AddressRefused as error:
            return Outcome(AttemptOutcome.REJECTED, str(error))
        except AddressUnknown as error:
            return Outcome(AttemptOutcome.RETRY, str(error))
        if not delivery.wanted():
            return NOT_WANTED
        page = delivery.notification.kind is NotificationKind.PAGE
        try:
            through = self._service.notify(
                title=delivery.message.subject,
                body=delivery.message.body,
                notify_type=apprise.NotifyType.FAILURE if page else apprise.NotifyType.INFO,
            )
        except TypeError as error:  # what apprise raises where it will not send at all
            return Outcome(AttemptOutcome.REJECTED, f"apprise refuses it ({type(error).__name__})")
        if through:
            return Outcome(AttemptOutcome.ACCEPTED, "taken by the service")
        return Outcome(AttemptOutcome.RETRY, "the service did not take it; apprise does not say why")
