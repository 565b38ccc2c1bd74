"""The events that travel on the bus: frozen, validated, and tolerant of fields that a newer writer added.

A mention's way: `Mention` (ingest) → `ClassifiedMention`, one a brand (classify) → rows (alert). A `Removal` takes a mention
back. A `Tick` travels behind what came before it and says how far the stream is complete.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

MENTION_NAMESPACE = uuid.UUID("6d6f6c5e-0b5a-5c0e-9a57-7a1f2f1b7c01")
"""The namespace of mention ids; changing it would make every known mention a new one."""


def mention_id(source: str, native_id: str) -> uuid.UUID:
    """The id of a mention: UUIDv5 of its source and its id there, so that a mention read twice is the same one."""
    # A length before the source keeps ("a", "b:c") and ("a:b", "c") apart.
    return uuid.uuid5(MENTION_NAMESPACE, f"{len(source)}:{source}:{native_id}")


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
"""An instant in UTC; given in any offset, but never without one."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A number from 0 to 1."""


class Event(BaseModel):
    """Base of everything on the bus: immutable, and unknown fields are ignored so that older readers survive newer writers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class SourceKind(StrEnum):
    SOCIAL = "social"
    PRESS = "press"
    REVIEW = "review"
    FORUM = "forum"
    OWNED = "owned"


class AuthorRole(StrEnum):
    """Who speaks: own posts are kept for response times and never counted."""

    PUBLIC = "public"
    PRESS = "press"
    OFFICIAL = "official"
    OWN = "own"


class Author(Event):
    """Who wrote a mention, as far as its source says so; `followers` is a count of accounts."""

    id: str | None = None
    name: str | None = None
    followers: Annotated[int, Field(ge=0)] | None = None
    role: AuthorRole = AuthorRole.PUBLIC


class Engagement(Event):
    """How often a mention was liked, reposted, answered and seen, as counted at `observed_at`."""

    likes: Annotated[int, Field(ge=0)] | None = None
    reposts: Annotated[int, Field(ge=0)] | None = None
    replies: Annotated[int, Field(ge=0)] | None = None
    views: Annotated[int, Field(ge=0)] | None = None
    observed_at: Instant | None = None

    @property
    def reactions(self) -> int:
        """Likes, reposts and replies together; what was not counted is 0."""
        return (self.likes or 0) + (self.reposts or 0) + (self.replies or 0)


def has_grown(before: int, reactions: int) -> bool:
    """Whether so many reactions more are worth looking at a mention again: by a quarter, and from 64 on."""
    return reactions >= 64 and reactions >= 1.25 * before


class Rating(Event):
    """A review's rating: `value` out of `best`."""

    value: float | None = None
    best: float | None = None


class Media(Event):
    """A picture, video or sound that belongs to a mention; never fetched."""

    kind: str | None = None
    url: str | None = None


class SentimentLabel(StrEnum):
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class RiskKind(StrEnum):
    """Why a mention can feed a bad buzz."""

    BOYCOTT_CALL = "boycott_call"
    PRODUCT_SAFETY = "product_safety"
    DISCRIMINATION = "discrimination"
    HARASSMENT = "harassment"
    FRAUD = "fraud"
    LEGAL = "legal"
    PRIVACY = "privacy"
    SERVICE_OUTAGE = "service_outage"
    LABOUR = "labour"
    ENVIRONMENT = "environment"
    EXECUTIVE_CONDUCT = "executive_conduct"
    MISINFORMATION = "misinformation"


class MentionBody(Event):
    """What a mention says and who said it; see docs/contracts.md for each field."""

    source: Annotated[str, Field(min_length=1, max_length=100)]
    native_id: Annotated[str, Field(min_length=1, max_length=1000)]
    text: str = ""
    published_at: Instant
    received_at: Instant | None = None
    """Set at ingest; in files it is believed where it is given."""
    revision: int | None = None
    """The source's time of this version in ms since 1970; the highest wins. Default: that of `published_at`."""
    url: str | None = None
    language: str | None = None
    country: str | None = None
    in_reply_to: str | None = None
    quote_of: str | None = None
    repost_of: str | None = None
    conversation_id: str | None = None
    source_kind: SourceKind = SourceKind.SOCIAL
    outlet: str | None = None
    author: Author = Author()
    engagement: Engagement | None = None
    rating: Rating | None = None
    media: tuple[Media, ...] = ()
    brands: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        rated = self.rating is not None and self.rating.value is not None
        if not self.text.strip() and not rated and not self.media:
            raise ValueError("a mention needs a text, a rating or media; this one has none of them")
        return self

    @property
    def id(self) -> uuid.UUID:
        """The mention's id; the same for every version of it."""
        return mention_id(self.source, self.native_id)

    @property
    def version(self) -> int:
        """The revision that counts: as given, else the time of publication in ms since 1970."""
        return self.revision if self.revision is not None else int(self.published_at.timestamp() * 1000)


class Mention(MentionBody):
    """One public mention, as it comes in."""

    sentiment: SentimentLabel | None = None
    """A human label, only in files."""


class RemovalReason(StrEnum):
    DELETED = "deleted"
    """The platform deleted it: text and author are hidden, counts stay."""
    ERASED = "erased"
    """A person asked: everything goes, the id stays on a suppression list."""
    UNMATCHED = "unmatched"
    """An update matches no brand any more: it leaves the counts until a higher revision."""


class Removal(Event):
    """Takes a mention back."""

    id: uuid.UUID
    revision: int
    why: RemovalReason


class LabelQuality(StrEnum):
    """Where labels come from; better ones of the same revision replace worse."""

    NONE = "none"
    """None were made: classify was overloaded."""
    COPY = "copy"
    """Taken from an equal text."""
    MODEL = "model"

    @property
    def rank(self) -> int:
        return list(LabelQuality).index(self)


class SentimentScores(Event):
    """Calibrated probabilities that sum to 1."""

    negative: Share
    neutral: Share
    positive: Share

    @property
    def label(self) -> SentimentLabel:
        """The most probable of the three, without any shift towards a prior."""
        return max(SentimentLabel, key=lambda label: float(getattr(self, label.value)))


class Sentiment(Event):
    label: SentimentLabel
    scores: SentimentScores


class RiskKindScore(Event):
    kind: RiskKind
    score: Share


class Risk(Event):
    """`score`: probability that this can feed a bad buzz, whatever its tone; `kinds`: why, most probable first."""

    score: Share
    kinds: tuple[RiskKindScore, ...] = ()


class ExplainedWord(Event):
    """A word that moved the risk: `text[start:end]`, counted in characters of the mention's text (Unicode code points)."""

    word: str
    """As it stands there; several neighbouring words in a long text."""
    start: int
    end: int
    weight: Annotated[float, Field(allow_inf_nan=False)]
    """By how much the log-odds of risk fall when the word is left out; below 0: it made the mention less risky."""


class ModelName(Event):
    """Which neural network made the labels."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    name: str
    revision: str


class ClassifiedMention(MentionBody):
    """A mention with its labels for one brand; without `sentiment`, `risk` and `toxicity` only where `labels` is `none`."""

    mention_id: uuid.UUID
    brand: str
    labels: LabelQuality
    relevance: Share = 1.0
    """Is it about the brand at all; 1 where the brand has no query."""
    sentiment: Sentiment | None = None
    risk: Risk | None = None
    toxicity: Share | None = None
    embedding: str | None = None
    """384 signed bytes, base64."""
    model: ModelName | None = None
    explanation: tuple[ExplainedWord, ...] | None = None
    """At most eight words that moved the risk most, in the order of the text; absent where nobody looked."""


class Tick(Event):
    """Put on every partition every 15 s; what stands before it in its partition was published before `at`."""

    kind: Literal["tick"] = "tick"
    at: Instant
    partition: int
    """The partition of `mentions` that this tick was put on."""
    text: str = ""
    """A sentence that classify really classifies, so that a tick passed on is proof that classification works."""
