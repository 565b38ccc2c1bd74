"""What the detector is given: single mentions of the last day, and counts by the hour of the weeks before.

`Observation` is one mention as detection sees it. `HourCount` is the baseline's memory: one row an hour and brand, always
counted again from the mentions of that hour by `hours.count_hours`, never added up, so that late, repeated, edited and removed
mentions leave nothing behind.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.alert.detection.copies import copy_key, is_repost
from tocsin.contracts.events import AuthorRole, ClassifiedMention, RiskKind, SentimentLabel, SourceKind

HOUR = timedelta(hours=1)
SHORT_TEXT = 280
"""Characters of a mention that detection keeps, to name stories and to find crisis words."""


class Rate(BaseModel):
    """How a classifier's *harmful* compares with human-labelled negatives in one language."""

    model_config = ConfigDict(frozen=True)

    tpr: float = Field(default=1.0, gt=0, le=1)
    """Share of the truly negative mentions that it calls harmful."""
    fpr: float = Field(default=0.0, ge=0, lt=1)
    """Share of the other mentions that it calls harmful too."""

    @model_validator(mode="after")
    def _better_than_chance(self) -> Self:
        if self.tpr - self.fpr < 0.1:
            raise ValueError(
                f"tpr {self.tpr} is hardly above fpr {self.fpr}: counts of such a classifier cannot be corrected; "
                "train it again or leave the language to the default rate"
            )
        return self


class HarmfulRates(BaseModel):
    """What the neural network's card says of *harmful*: its thresholds, and its errors by language (BCP 47 primary tag)."""

    model_config = ConfigDict(frozen=True)

    risk_threshold: float = Field(default=0.5, ge=0, le=1)
    """At or above it a mention is harmful whatever its sentiment; calibrated so that one calm mention in ten passes at most."""
    relevance_threshold: float = Field(default=0.5, ge=0, le=1)
    """Below it a mention is not about the brand and does not count."""
    toxicity_threshold: float = Field(default=0.5, ge=0, le=1)
    default: Rate = Rate()
    by_language: Mapping[str, Rate] = Field(default_factory=dict)

    def of(self, language: str | None) -> Rate:
        """The rate of a language; the default for one that was never measured."""
        return self.by_language.get(primary_language(language), self.default)


@lru_cache(maxsize=4096)
def primary_language(language: str | None) -> str:
    """`pt` for `pt-BR`, `hi` for `hi-Latn`, `und` where the language is unknown."""
    return (language or "und").split("-", 1)[0].split("_", 1)[0].lower()


@dataclass(frozen=True, slots=True)
class Observation:
    """One mention of one brand, as detection sees it."""

    mention_id: str
    at: datetime
    """Event time, UTC."""
    author: str | None
    """A key that is unique over sources, such as `twitter:1234`; None where the source gives no author."""
    negative: bool
    risk: float = 0.0
    """Calibrated probability, 0–1, that it can feed a bad buzz."""
    kinds: tuple[RiskKind, ...] = ()
    """The kinds of risk above their thresholds, most probable first."""
    toxicity: float = 0.0
    relevance: float = 1.0
    language: str | None = None
    followers: int | None = None
    """None where the source does not say; that is not 0."""
    author_name: str | None = None
    role: AuthorRole = AuthorRole.PUBLIC
    source: str = ""
    source_kind: SourceKind = SourceKind.SOCIAL
    text: str = ""
    """Its first `SHORT_TEXT` characters."""
    copy_key: str = ""
    """Equal for copies of one text (`copies.copy_key`); empty where there is no text to compare."""
    embedding: bytes | None = field(default=None, repr=False)
    """The network's, signed bytes, by which stories are told apart; None where there is none, or where it is not needed."""
    repost: bool = False
    """True for what passes on somebody else's text and says so; a paste is none."""
    engagement: int = 0
    """Likes, reposts and replies together, as last observed."""
    wakes: bool = True
    """False for what came late, was imported or replayed: it teaches the baseline and is in no window."""
    counted: bool = True
    """False for the brand's own posts: neither in a window nor in the baseline."""

    def harmful(self, rates: HarmfulRates) -> bool:
        """Negative, or of a risk at or above its threshold whatever the sentiment."""
        return self.negative or self.risk >= rates.risk_threshold

    def counts(self, rates: HarmfulRates) -> bool:
        """True where it is in the baseline: not the brand's own, and about the brand."""
        return self.counted and self.relevance >= rates.relevance_threshold


def observe(mention: ClassifiedMention, *, wakes: bool = True) -> Observation:
    """A classified mention as detection sees it."""
    engagement = mention.engagement
    author = mention.author
    return Observation(
        mention_id=str(mention.mention_id),
        at=mention.published_at,
        author=None if author.id is None else f"{mention.source}:{author.id}",
        negative=mention.sentiment is not None and mention.sentiment.label is SentimentLabel.NEGATIVE,
        risk=mention.risk.score if mention.risk else 0.0,
        kinds=tuple(item.kind for item in mention.risk.kinds) if mention.risk else (),
        toxicity=mention.toxicity or 0.0,
        relevance=mention.relevance,
        language=mention.language,
        followers=author.followers,
        author_name=author.name or author.id,
        role=author.role,
        source=mention.source,
        source_kind=mention.source_kind,
        text=mention.text[:SHORT_TEXT],
        copy_key=copy_key(mention.text),
        embedding=None if mention.embedding is None else a2b_base64(mention.embedding),
        repost=mention.repost_of is not None or is_repost(mention.text),
        engagement=0 if engagement is None else engagement.reactions,
        wakes=wakes,
        counted=author.role is not AuthorRole.OWN,
    )


@dataclass(frozen=True, slots=True)
class LanguageCount:
    """Distinct authors of one hour in one language; `harmful` of them with a harmful mention."""

    authors: int
    harmful: int


@dataclass(frozen=True, slots=True)
class HourCount:
    """What one brand had in one hour; a row of the baseline's memory (about 200 bytes as JSON).

    Authors are distinct within the hour; where a source gives none, each mention counts as one.
    """

    hour: datetime
    """Start of the hour, UTC."""
    mentions: int = 0
    authors: int = 0
    harmful: int = 0
    """Authors with a harmful mention, as the classifier says (not corrected for its errors)."""
    toxic: int = 0
    """Authors with a harmful and toxic mention."""
    crisis: int = 0
    """Authors who used a crisis word (`DetectionSettings.crisis_words`)."""
    followers: int = 0
    """Followers of the distinct authors, added up."""
    with_followers: int = 0
    """Authors whose followers the source gave."""
    languages: Mapping[str, LanguageCount] = field(default_factory=dict)
    sources: Mapping[str, int] = field(default_factory=dict)
    """Mentions by source."""
    top_engagement: int = 0
    """Reactions (likes, reposts, replies) of the mention that had most."""

    def to_json(self) -> dict[str, Any]:
        """Everything but the hour, for a JSON column."""
        return {
            "mentions": self.mentions,
            "authors": self.authors,
            "harmful": self.harmful,
            "toxic": self.toxic,
            "crisis": self.crisis,
            "followers": self.followers,
            "with_followers": self.with_followers,
            "top_engagement": self.top_engagement,
            "languages": {language: [count.authors, count.harmful] for language, count in self.languages.items()},
            "sources": dict(self.sources),
        }

    @classmethod
    def from_json(cls, hour: datetime, counts: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`; `hour` is the start of the hour with an offset."""
        languages = {
            language: LanguageCount(int(pair[0]), int(pair[1])) for language, pair in counts["languages"].items()
        }
        plain = {name: int(counts[name]) for name in _PLAIN}
        # Hours that were counted before there was such a number have none.
        plain["top_engagement"] = int(counts.get("top_engagement", 0))
        return cls(hour=hour.astimezone(UTC), languages=languages, sources=dict(counts["sources"]), **plain)


_PLAIN = ("mentions", "authors", "harmful", "toxic", "crisis", "followers", "with_followers")


def start_of_hour(at: datetime) -> datetime:
    """The clock hour (of UTC) that `at` is in."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
