"""From the channels of the configuration to those that send."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TextIO

from services.alert.notify.port import Channel
from services.alert.notify.terminal import Terminal
from services.alert.notify.webhook import Webhook
from tocsin.clock import Clock
from tocsin.config import Configuration
from tocsin.contracts.settings.channels import WebhookChannel


def channels(configuration: Configuration, clock: Clock, output: TextIO | None = None) -> Mapping[str, Channel]:
    """Every configured channel by its id. Terminals print to `output`, by default standard output."""
    made: dict[str, Channel] = {}
    for settings in configuration.channels:
        if isinstance(settings, WebhookChannel):
            made[settings.id] = Webhook(settings, clock)
        else:
            made[settings.id] = Terminal(output or sys.stdout)
    return made
