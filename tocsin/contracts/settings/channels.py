"""`channels`: the ways to reach people, one class a kind. How each is set up: docs/channels.md."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from tocsin.contracts.settings.base import Duration, Identifier, Settings
from tocsin.contracts.settings.brands import TimeZone

PHONE_PATTERN = r"^\+[1-9]\d{6,14}$"
PhoneNumber = Annotated[str, Field(pattern=PHONE_PATTERN)]
"""As E.164 writes it, without spaces: `+33612345678`."""
MAIL_PATTERN = r"^[^@\s<>\"(),:;\\\[\]]{1,64}@[A-Za-z0-9.-]{1,190}$"
MailAddress = Annotated[str, Field(pattern=MAIL_PATTERN)]
"""One address without a name: `lea@lunea.example`."""

SLACK_PATTERN = r"^[CDGUW][A-Z0-9]{4,}$"
ACCOUNT_PATTERN = r"^AC[0-9a-f]{32}$"
APPLICATION_PATTERN = r"^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$"


class _Channel(Settings):
    """What every channel has."""

    id: Identifier
    wakes: bool = False
    """Does it wake a person? An orange or red policy needs one that does."""
    language: Literal["fr", "en"] = "en"
    """Of messages to the channel itself; those to a person are in the person's."""
    time_zone: TimeZone = "UTC"

    @property
    def pages_only(self) -> bool:
        """True where only what escalates goes out: nobody is rung up to hear that it is over."""
        return False


class _Outgoing(_Channel):
    """A channel that connects to somebody else's server."""

    timeout: Duration = timedelta(seconds=10)
    allow_private_address: bool = False
    """Allow an address on a private network or this machine, and no encryption, which are else refused (request forgery)."""

    @field_validator("timeout")
    @classmethod
    def _timeout_in_range(cls, value: timedelta) -> timedelta:
        if not timedelta(seconds=1) <= value <= timedelta(seconds=60):
            raise ValueError("timeout must be from '1 s' to '60 s'")
        return value

    def _check_url(self, name: str, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{name} must be complete, such as 'https://example.org/tocsin'")
        if parts.username or parts.password:
            raise ValueError(f"{name} must not hold a user or password; receivers check the signature instead")
        if parts.scheme == "http" and not self.allow_private_address:
            raise ValueError(
                f"{name} must begin with https://; plain http is for private addresses (allow_private_address: true)"
            )


class TerminalChannel(_Channel):
    """Prints each message on the terminal of the alert process."""

    kind: Literal["terminal"]


class WebhookChannel(_Outgoing):
    """Posts each message as JSON, signed as Standard Webhooks say, to `url`."""

    kind: Literal["webhook"]
    url: str
    secret: SecretStr
    """`whsec_…`: base64 of 24 to 64 bytes; best given as `${NAME}` from the environment."""

    @field_validator("secret")
    @classmethod
    def _secret_is_usable(cls, secret: SecretStr) -> SecretStr:
        text = secret.get_secret_value()
        try:
            key = b64decode(text.removeprefix("whsec_"), validate=True) if text.startswith("whsec_") else b""
        except ValueError:
            key = b""
        if not 24 <= len(key) <= 64:
            raise ValueError(
                "secret must be 'whsec_' and the base64 of 24 to 64 random bytes; make one with: "
                "python -c \"import base64, secrets; print('whsec_' + base64.b64encode(secrets.token_bytes(32)).decode())\""
            )
        return secret

    @model_validator(mode="after")
    def _url_is_safe(self) -> Self:
        self._check_url("url", self.url)
        return self


class MailChannel(_Outgoing):
    """Sends mail over one SMTP server, to each person's `mail`, or to `to` where the channel itself is rung."""

    kind: Literal["mail"]
    host: str = Field(min_length=1, max_length=253)
    port: int | None = Field(default=None, ge=1, le=65535)
    """By default 587 for `starttls`, 465 for `tls`, 25 for `none`."""
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    sender: MailAddress
    to: MailAddress | None = None

    @property
    def port_or_default(self) -> int:
        """The port to connect to."""
        return self.port or {"starttls": 587, "tls": 465, "none": 25}[self.encryption]

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("give user and password both, or neither")
        if self.encryption == "none" and not self.allow_private_address:
            raise ValueError(
                "encryption: none sends everything in clear; it is for private addresses (allow_private_address: true)"
            )
        return self


class TwilioAccount(Settings):
    """An account at Twilio."""

    account: str = Field(pattern=ACCOUNT_PATTERN)
    token: SecretStr = Field(min_length=1)
    """The auth token; it also proves that a callback comes from Twilio."""
    url: str = "https://api.twilio.com"


class VonageApplication(Settings):
    """An application at Vonage, with the capabilities Messages and Voice."""

    application: str = Field(pattern=APPLICATION_PATTERN)
    private_key: SecretStr
    """The PEM that was downloaded with the application."""
    signature_secret: SecretStr = Field(min_length=16)
    """The account's; it proves that a callback comes from Vonage."""
    url: str = "https://api.nexmo.com"

    @field_validator("private_key")
    @classmethod
    def _key_is_pem(cls, key: SecretStr) -> SecretStr:
        # One-line environment variables often carry the line ends as two characters.
        text = key.get_secret_value().replace("\\n", "\n")
        if "-----BEGIN" not in text or "PRIVATE KEY-----" not in text:
            raise ValueError("private_key must be the PEM of the application, from '-----BEGIN PRIVATE KEY-----' on")
        return SecretStr(text)


class _Phone(_Outgoing):
    sender: PhoneNumber
    """The number that messages and calls come from, rented from the provider."""
    to: PhoneNumber | None = None
    """Rung where the channel itself is; a person is rung on their own `phone`."""
    twilio: TwilioAccount | None = None
    vonage: VonageApplication | None = None
    most: int = Field(default=10, ge=1, le=1000)
    """Messages and calls to one phone within `within`; what is over that waits. The first page of an alert never does."""
    within: Duration = timedelta(minutes=10)
    wakes: bool = True

    @model_validator(mode="after")
    def _one_provider(self) -> Self:
        if (self.twilio is None) == (self.vonage is None):
            raise ValueError("give one provider, 'twilio: {…}' or 'vonage: {…}'; a second one is a channel of its own")
        self._check_url("url", (self.twilio or self.vonage).url)  # type: ignore[union-attr]  # one of them is there
        return self


class SmsChannel(_Phone):
    """Sends a text message of at most 160 characters."""

    kind: Literal["sms"]


class CallChannel(_Phone):
    """Calls, reads the message out, and takes a key as the answer."""

    kind: Literal["call"]

    @property
    def pages_only(self) -> bool:
        """Nobody is rung up to hear that it is over."""
        return True


class SlackChannel(_Outgoing):
    """Posts with a button that acknowledges, to each person's `slack`, or to `to` where the channel itself is rung."""

    kind: Literal["slack"]
    token: SecretStr = Field(min_length=1)
    """The bot's, `xoxb-…`, with the scope `chat:write`."""
    signing_secret: SecretStr = Field(min_length=1)
    """The app's; it proves that a click comes from Slack."""
    to: str | None = Field(default=None, pattern=SLACK_PATTERN)
    """The id of a channel (`C…`) or a person (`U…`)."""
    url: str = "https://slack.com"

    @model_validator(mode="after")
    def _url_is_safe(self) -> Self:
        self._check_url("url", self.url)
        return self


class TeamsChannel(_Outgoing):
    """Posts a card into a Microsoft Teams channel through a workflow ('Post to a channel when a webhook request is received')."""

    kind: Literal["teams"]
    url: SecretStr
    """The workflow's; whoever knows it can post."""

    @model_validator(mode="after")
    def _url_is_safe(self) -> Self:
        self._check_url("url", self.url.get_secret_value())
        return self


class PagerDutyChannel(_Outgoing):
    """Triggers, acknowledges and resolves in PagerDuty (Events API v2); see `escalation` of a policy."""

    kind: Literal["pagerduty"]
    routing_key: SecretStr = Field(min_length=32, max_length=32)
    """The integration key of a service's 'Events API V2' integration."""
    webhook_secret: SecretStr | None = Field(default=None, min_length=1)
    """Of the webhook subscription (v3) that brings acknowledgements back."""
    url: str = "https://events.pagerduty.com"
    wakes: bool = True

    @model_validator(mode="after")
    def _url_is_safe(self) -> Self:
        self._check_url("url", self.url)
        return self


class AppriseChannel(_Outgoing):
    """Anything else that the library apprise speaks to: ntfy, Telegram, Pushover, …"""

    kind: Literal["apprise"]
    url: SecretStr
    """As apprise writes it: `ntfys://ntfy.sh/topic`, `tgram://token/chat`."""


ChannelSettings = Annotated[
    TerminalChannel
    | WebhookChannel
    | MailChannel
    | SmsChannel
    | CallChannel
    | SlackChannel
    | TeamsChannel
    | PagerDutyChannel
    | AppriseChannel,
    Field(discriminator="kind"),
]
