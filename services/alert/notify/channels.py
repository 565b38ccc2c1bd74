"""From the channels of the configuration to those that send."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TextIO

from services.alert.notify.long_tail import LongTail
from services.alert.notify.mail import Mail
from services.alert.notify.pagerduty import PagerDuty
from services.alert.notify.port import Channel
from services.alert.notify.slack import Slack
from services.alert.notify.teams import Teams
from services.alert.notify.terminal import Terminal
from services.alert.notify.twilio import TwilioCall, TwilioSms
from services.alert.notify.vonage import VonageCall, VonageSms
from services.alert.notify.webhook import Webhook
from tocsin.clock import Clock
from tocsin.config import Configuration
from tocsin.contracts.settings.channels import (
    AppriseChannel,
    CallChannel,
    ChannelSettings,
    MailChannel,
    PagerDutyChannel,
    SlackChannel,
    SmsChannel,
    TeamsChannel,
    TerminalChannel,
    WebhookChannel,
)
from tocsin.references import CONTACTS


def channels(configuration: Configuration, clock: Clock, output: TextIO | None = None) -> Mapping[str, Channel]:
    """Every configured channel by its id. Terminals print to `output`, by default standard output.

    Raises ValueError where an apprise URL or a private key cannot be used.
    """
    return {
        settings.id: _channel(settings, addresses(configuration, settings), clock, output or sys.stdout)
        for settings in configuration.channels
    }


def addresses(configuration: Configuration, channel: ChannelSettings) -> dict[str, str]:
    """Where each target is reached on a channel: people as they wrote it down, the channel itself at its `to`."""
    contact = CONTACTS.get(channel.kind)
    if contact is None:
        return {}
    known = {f"person:{person.id}": getattr(person, contact) for person in configuration.people}
    known[f"channel:{channel.id}"] = getattr(channel, "to", None)
    return {target: address for target, address in known.items() if address is not None}


def _channel(  # noqa: PLR0911 - one line a kind
    settings: ChannelSettings, known: Mapping[str, str], clock: Clock, output: TextIO
) -> Channel:
    match settings:
        case TerminalChannel():
            return Terminal(output)
        case WebhookChannel():
            return Webhook(settings, clock)
        case MailChannel():
            return Mail(settings, known)
        case SmsChannel(twilio=account) if account is not None:
            return TwilioSms(settings, account, known, clock)
        case CallChannel(twilio=account) if account is not None:
            return TwilioCall(settings, account, known, clock)
        case SmsChannel(vonage=application) if application is not None:
            return VonageSms(settings, application, known, clock)
        case CallChannel(vonage=application) if application is not None:
            return VonageCall(settings, application, known, clock)
        case SlackChannel():
            return Slack(settings, known, clock)
        case TeamsChannel():
            return Teams(settings, clock)
        case PagerDutyChannel():
            return PagerDuty(settings, clock)
        case AppriseChannel():
            return LongTail(settings)
        case _:
            raise ValueError(f"channels.{settings.id}: no provider is given")
