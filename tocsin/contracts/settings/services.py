"""`classifier`, `storage`, `api` and `retention`: what each process needs to run."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, SecretStr

from tocsin.contracts.settings.base import Duration, Settings


class ClassifierSettings(Settings):
    """Which neural network labels mentions, and how it is fed."""

    name: str = "tocsin-e5"
    """`tocsin-e5` (ships with Tocsin), a folder, or `transformers:NAME` for any Hugging Face classifier (extra `torch`)."""
    token_budget: int = Field(default=2048, ge=128)
    """Padded tokens a batch at most: longest × count."""
    batch_size: int = Field(default=256, ge=1)
    """Records taken from the bus at once."""
    threads: int = Field(default=0, ge=0)
    """Threads of the runtime; 0: one a core."""
    cache_size: int = Field(default=50_000, ge=0)
    """Texts whose labels are remembered, so that copies cost no pass."""
    explanations_a_second: float = Field(default=1.0, ge=0, le=100)
    """Of how many mentions, the riskiest, the words that moved the risk are looked for; each takes up to 25 passes. 0: of none."""


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
    session_lifetime: Duration = timedelta(hours=12)
    identity_provider: IdentityProviderSettings | None = None
    requests_a_minute: int = Field(default=1200, ge=20, le=1_000_000)
    """Of one key or session, in each api process; a tenth of them may come at once."""


class RetentionSettings(Settings):
    """How long things are kept."""

    mentions: Duration = timedelta(days=400)
    bus: Duration = timedelta(days=7)
    """Records on the bus, dead letters too: a person's erasure is complete on Kafka when this has passed, so 7 days at most."""
