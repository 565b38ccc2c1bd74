"""`classifier`, `storage`, `api` and `retention`: what each process needs to run."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from tocsin.contracts.settings.base import Duration, Settings

SENTIMENT_OF_LABEL = {
    "negative": "negative", "neutral": "neutral", "positive": "positive",
    "1 star": "negative", "2 stars": "negative", "3 stars": "neutral", "4 stars": "positive", "5 stars": "positive",
}  # fmt: skip
"""What a network's label may be said to mean, and the sentiment that it stands for."""


class ClassifierSettings(Settings):
    """Which neural network labels mentions, and how it is fed."""

    kind: Literal["onnx", "transformers"] = "onnx"
    """`onnx`: a network of ours; `transformers`: any Hugging Face sequence classifier for sentiment (extra `torch`)."""
    model: str = "tocsin-e5"
    """`tocsin-e5` (ships with Tocsin) or a folder; with `transformers`, a name on the hub or a folder."""
    revision: str | None = None
    """Insist on this revision: of a network of ours as its card names it, of the hub's a commit, a tag or a branch."""
    labels: dict[str, str] = Field(default_factory=dict)
    """With `transformers`: the network's label → `negative`, `neutral`, `positive`, or `1 star` … `5 stars`. Needed where its
    labels do not say it by themselves; then each of them must stand here."""
    token_budget: int = Field(default=1024, ge=128)
    """Padded tokens a pass at most: longest × count. A pass of 1,024 stays within the cache of most processors."""
    batch_size: int = Field(default=256, ge=1)
    """Records taken from the bus at once."""
    threads: int = Field(default=0, ge=0)
    """Threads of the runtime; 0: one a core."""
    cache_size: int = Field(default=50_000, ge=0)
    """Texts whose labels are remembered, so that copies cost no pass."""
    explanations_a_second: float = Field(default=1.0, ge=0, le=100)
    """Of how many mentions, the riskiest, the words that moved the risk are looked for; each takes up to 25 passes. 0: of none."""

    @property
    def name(self) -> str:
        """Kind and model in one word, for those who only need to know which network it is."""
        return f"transformers:{self.model}" if self.kind == "transformers" else self.model

    @model_validator(mode="after")
    def _labels_are_for_transformers(self) -> Self:
        if self.labels and self.kind != "transformers":
            raise ValueError("labels: only a network of kind transformers has labels to map; leave them out")
        odd = sorted(set(self.labels.values()) - set(SENTIMENT_OF_LABEL))
        if odd:
            raise ValueError(f"labels: {', '.join(odd)} is none of {', '.join(SENTIMENT_OF_LABEL)}")
        return self


class StorageSettings(Settings):
    """The database; `DATABASE_URL` wins over `url`. Without either, a SQLite file in the data folder."""

    url: SecretStr | None = None


class IdentityProviderSettings(Settings):
    """The team's own identity provider (OpenID Connect), to sign in to the page with; register `/sign-in/provider/callback` there."""

    name: str = "OpenID Connect"
    """What the button is called, such as the company's name for it."""
    issuer: str = Field(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")
    """Its address, below which `/.well-known/openid-configuration` is."""
    client_id: str = Field(min_length=1)
    client_secret: SecretStr
    """Best given as `${NAME}` from the environment."""
    claim: str = Field(default="email", min_length=1)
    """The claim that holds the mail address, or the id, of a person in tocsin.yaml."""


class ApiSettings(Settings):
    """Where the API and the page listen; behind a proxy, `public_url` is what links in messages begin with."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    ingest_port: int = Field(default=8081, ge=0, le=65535)
    classify_port: int = Field(default=8082, ge=0, le=65535)
    """Metrics and health of classify; it serves nothing else."""
    alert_port: int = Field(default=8083, ge=0, le=65535)
    """Metrics and health of alert; it serves nothing else."""
    public_url: str | None = None
    """Where people and providers reach the api process, such as `https://tocsin.example`; short, since text messages carry it."""
    session_lifetime: Duration = timedelta(hours=12)
    identity_provider: IdentityProviderSettings | None = None
    requests_a_minute: int = Field(default=1200, ge=20, le=1_000_000)
    """Of one key or session, in each api process; a tenth of them may come at once."""
    cors_origins: tuple[Annotated[str, Field(pattern=r"^https?://[^\s/?#*]+$")], ...] = ()
    """Sites whose scripts may ask the API with a key, such as `https://dashboard.example`; by default none. Cookies never count."""

    @field_validator("public_url")
    @classmethod
    def _leads_to_a_page(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
            raise ValueError(
                "must be complete, such as 'https://tocsin.example', so that links in messages lead somewhere"
            )
        return url


class HeartbeatSettings(Settings):
    """A service elsewhere that rings when it is not pinged: `url` gets a POST while the stream and the timers keep up."""

    url: SecretStr
    """Best given as `${NAME}` from the environment: whoever knows it can keep the service quiet."""
    every: Duration = timedelta(minutes=1)
    behind: Duration = timedelta(minutes=10)
    """The stream may be complete only up to so long ago."""
    timers_late: Duration = timedelta(seconds=30)
    """A timer may be overdue for so long."""
    allow_private_address: bool = False

    @field_validator("url")
    @classmethod
    def _url_is_complete(cls, url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("url must be complete, such as 'https://heartbeat.example/ping/…'")
        return url

    @field_validator("every")
    @classmethod
    def _often_enough(cls, every: timedelta) -> timedelta:
        if not timedelta(seconds=10) <= every <= timedelta(minutes=4):
            raise ValueError("every must be from '10 s' to '4 min'")
        return every


class RetentionSettings(Settings):
    """How long things are kept."""

    mentions: Duration = timedelta(days=400)
    """From publication on. PostgreSQL drops whole months, when all of one is past it: there a mention stays up to 31 days longer."""
    bus: Duration = timedelta(days=7)
    """Records on the bus, dead letters too: a person's erasure is complete on Kafka when this has passed, so 7 days at most."""
