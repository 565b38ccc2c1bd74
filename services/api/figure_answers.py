"""What the routes of figures answer, as OpenAPI describes it. docs/figures.md defines every figure with its unit."""

from __future__ import annotations

from typing import Self
from uuid import UUID

from pydantic import Field

from services.api.schemas import Answer
from tocsin.contracts.events import Instant
from tocsin.contracts.settings.detection import PlannedSettings
from tocsin.storage.authors import RankedAuthor
from tocsin.storage.campaigns import CampaignFigures
from tocsin.storage.figures import Figures
from tocsin.storage.stories import StoryFigures
from tocsin.storage.tallies import Split
from tocsin.storage.trends import Trend, TrendKind


class NumbersAnswer(Answer):
    """What was said: sums over the mentions that count."""

    mentions: int
    authors: int = Field(description="Different ones; where a source names none, each mention counts as one.")
    negative: int = Field(description="Mentions of negative sentiment.")
    neutral: int
    positive: int
    harmful: int = Field(description="Mentions that are negative, or risky whatever their sentiment.")
    net_sentiment: float | None = Field(
        description="(positive − negative) ÷ labelled mentions, −1 to 1; null without any.", examples=[-0.42]
    )
    engagement: int | None = Field(description="Likes, reposts and replies; null where no source gives them.")
    with_engagement: int = Field(description="Mentions whose source gives engagement.")
    reach: int | None = Field(description="Views, else followers of the author; null where no source gives either.")
    with_reach: int = Field(description="Mentions whose source gives views or followers.")

    @classmethod
    def of(cls, figures: Figures) -> Self:
        """From what the repository counted."""
        return cls(**numbers_of(figures))


def numbers_of(figures: Figures) -> dict[str, object]:
    """The fields of `NumbersAnswer`."""
    return {
        "mentions": figures.mentions,
        "authors": figures.authors,
        "negative": figures.negative,
        "neutral": figures.neutral,
        "positive": figures.positive,
        "harmful": figures.harmful,
        "net_sentiment": None if figures.net_sentiment is None else round(figures.net_sentiment, 4),
        "engagement": int(figures.engagement) if figures.with_engagement else None,
        "with_engagement": figures.with_engagement,
        "reach": int(figures.reach) if figures.with_reach else None,
        "with_reach": figures.with_reach,
    }


class SpanAnswer(NumbersAnswer):
    """What was said from `since` (included) to `until`."""

    since: Instant
    until: Instant
    parts: dict[str, NumbersAnswer] | None = Field(
        default=None,
        description=(
            "With `split`: the same of each value that occurs, such as `negative` or `bluesky`. By `risk_kind` a mention of several "
            "kinds is in each of them, and one without any in `none`."
        ),
    )

    @classmethod
    def of_span(cls, figures: Figures, parts: dict[str, Figures] | None) -> Self:
        """From what the repository counted, with its parts where a split was asked for."""
        told = None if parts is None else {value: NumbersAnswer.of(part) for value, part in parts.items()}
        return cls(since=figures.since, until=figures.until, parts=told, **numbers_of(figures))


class AnnotationAnswer(Answer):
    """A campaign that was entered beforehand and runs at that time: it explains a chart and mutes nothing."""

    name: str
    start: Instant
    end: Instant

    @classmethod
    def of(cls, planned: PlannedSettings) -> Self:
        """From the configuration."""
        return cls(name=planned.name, start=planned.start, end=planned.end)


class TimelineAnswer(Answer):
    """Figures of one brand over time, in whole spans; days, weeks and months are those of `time_zone`."""

    brand: str
    bucket: str = Field(examples=["hour"])
    time_zone: str
    split: Split | None
    complete_up_to: Instant | None = Field(description="Later spans may still grow.")
    annotations: tuple[AnnotationAnswer, ...] = Field(description="Campaigns that were entered beforehand.")
    spans: tuple[SpanAnswer, ...]


class PeriodAnswer(NumbersAnswer):
    """The numbers of a stretch of time."""

    since: Instant
    until: Instant

    @classmethod
    def of(cls, figures: Figures) -> Self:
        """From what the repository counted."""
        return cls(since=figures.since, until=figures.until, **numbers_of(figures))


class ComparisonAnswer(Answer):
    """A period, the one of the same length before it, and what has changed."""

    brand: str
    complete_up_to: Instant | None
    annotations: tuple[AnnotationAnswer, ...]
    period: PeriodAnswer
    before: PeriodAnswer
    change: dict[str, float | None] = Field(
        description=(
            "Relative change of each number (0.25: a quarter more; null where there was nothing before); "
            "of net_sentiment the difference."
        ),
        examples=[{"mentions": 0.25, "net_sentiment": -0.1}],
    )


class ShareAnswer(Answer):
    """One brand's part of all that was said of the brands compared."""

    brand: str
    mentions: int
    authors: int
    share: float | None = Field(description="Of the mentions, 0–1; null where there are none at all.")
    share_before: float | None = Field(description="In the period of the same length before.")
    net_sentiment: float | None


class ShareOfVoiceAnswer(Answer):
    """Share of voice among brands that you may see."""

    since: Instant
    until: Instant
    brands: tuple[ShareAnswer, ...]


class RankedAuthorAnswer(Answer):
    """One author, and what they said in the period."""

    key: str
    name: str | None
    followers: int | None
    mentions: int
    negative: int
    positive: int
    harmful: int
    engagement: int
    last_at: Instant
    weight: float = Field(description="What the list is sorted by; docs/figures.md says how it is made.")

    @classmethod
    def of(cls, author: RankedAuthor) -> Self:
        """From what the repository ranked."""
        return cls(
            key=author.key,
            name=author.name,
            followers=author.followers,
            mentions=author.mentions,
            negative=author.negative,
            positive=author.positive,
            harmful=author.harmful,
            engagement=int(author.engagement),
            last_at=author.last_at,
            weight=author.weight,
        )


class AuthorList(Answer):
    """The first of a ranking, the weightiest first."""

    authors: tuple[RankedAuthorAnswer, ...]


class StoryAnswer(Answer):
    """What one story had in the period; `story=<id>` of `GET /v1/mentions` lists its mentions."""

    id: str
    title: str | None = Field(description="How its loudest mention begins; null where none can be read.")
    example: UUID | None
    mentions: int
    authors: int
    negative: int
    positive: int
    harmful: int
    engagement: int
    reach: int
    first_at: Instant
    last_at: Instant

    @classmethod
    def of(cls, story: StoryFigures) -> Self:
        """From what the repository counted."""
        return cls(
            id=story.story,
            title=story.title,
            example=story.example,
            mentions=story.mentions,
            authors=story.authors,
            negative=story.negative,
            positive=story.positive,
            harmful=story.harmful,
            engagement=int(story.engagement),
            reach=int(story.reach),
            first_at=story.first_at,
            last_at=story.last_at,
        )


class StoryList(Answer):
    """The first stories of a period, most different authors first."""

    stories: tuple[StoryAnswer, ...]


class CampaignAnswer(Answer):
    """Mentions whose links carry these UTM parameters, named as Google Analytics names them; empty: the links do not say."""

    campaign: str = Field(examples=["spring_sale"])
    source: str = Field(examples=["newsletter"])
    medium: str = Field(examples=["email"])
    mentions: int
    authors: int
    negative: int
    positive: int
    harmful: int
    engagement: int
    reach: int

    @classmethod
    def of(cls, figures: CampaignFigures) -> Self:
        """From what the repository counted."""
        return cls(
            campaign=figures.campaign,
            source=figures.source,
            medium=figures.medium,
            mentions=figures.mentions,
            authors=figures.authors,
            negative=figures.negative,
            positive=figures.positive,
            harmful=figures.harmful,
            engagement=int(figures.engagement),
            reach=int(figures.reach),
        )


class CampaignList(Answer):
    """Campaigns in the links of mentions, the most mentioned first, and those that were entered beforehand."""

    campaigns: tuple[CampaignAnswer, ...]
    annotations: tuple[AnnotationAnswer, ...]


class TrendAnswer(Answer):
    """A hashtag, word or link that rises against its own past."""

    kind: TrendKind
    term: str = Field(examples=["boycottacme"])
    mentions: int
    authors: int
    mentions_before: int = Field(description="In the past that it is compared with.")
    expected: float = Field(description="Mentions, if its share of what is said were what it was before.")
    surprise: float = Field(description="−log10 of the probability of so many authors by chance.", examples=[6.2])
    examples: tuple[UUID, ...] = Field(description="The newest mentions with it.")
    search: dict[str, str] = Field(
        description="Parameters of `GET /v1/mentions` that find all mentions behind it.",
        examples=[{"hashtag": "boycottacme"}],
    )

    @classmethod
    def of(cls, trend: Trend) -> Self:
        """From what the repository found."""
        parameter = "text" if trend.kind is TrendKind.WORD else trend.kind.value
        return cls(
            kind=trend.kind,
            term=trend.term,
            mentions=trend.mentions,
            authors=trend.authors,
            mentions_before=trend.mentions_before,
            expected=trend.expected,
            surprise=trend.surprise,
            examples=trend.examples,
            search={parameter: trend.term},
        )


class TrendList(Answer):
    """What rises, the most surprising first."""

    since: Instant
    until: Instant
    past_since: Instant
    trends: tuple[TrendAnswer, ...]
