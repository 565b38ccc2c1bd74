"""What the API answers, as OpenAPI describes it. Every instant is RFC 3339 in UTC; shares and scores are 0–1 unless said."""

from __future__ import annotations

from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from tocsin.contracts.events import Instant, RiskKindScore, Sentiment, SentimentLabel, SentimentScores
from tocsin.contracts.incidents import Incident, IncidentEventType, IncidentState, Level, Verdict
from tocsin.storage.notifications import NotificationStatus
from tocsin.storage.searches import FoundMention


class Answer(BaseModel):
    """Base of every answer."""

    model_config = ConfigDict(frozen=True)


class AuthorAnswer(Answer):
    """Who wrote a mention, as far as the source says so. `key` tells authors apart, also where no name is shown."""

    key: str | None
    name: str | None
    followers: int | None
    role: str | None


class EngagementAnswer(Answer):
    """How often it was liked, reposted, answered and seen, as last observed."""

    likes: int | None
    reposts: int | None
    replies: int | None
    views: int | None


class RatingAnswer(Answer):
    """A review's rating: `value` out of `best`."""

    value: float | None
    best: float | None


class RiskAnswer(Answer):
    """Probability that this can feed a bad buzz, and why, most probable first."""

    score: float
    kinds: tuple[RiskKindScore, ...]


class MentionCorrectionAnswer(Answer):
    """What a person said instead of the network; null where they left its word. `sentiment` and `risk` above are already theirs."""

    by: str
    at: Instant
    sentiment: SentimentLabel | None
    risky: bool | None
    network_sentiment: SentimentLabel | None
    network_risk: float | None


class MentionAnswer(Answer):
    """A mention with its labels for one brand. A deleted one has neither text nor author, but still counts."""

    id: UUID
    brand: str
    state: str
    source: str
    source_kind: str | None
    native_id: str | None
    published_at: Instant
    text: str | None
    url: str | None
    language: str | None
    outlet: str | None
    author: AuthorAnswer
    engagement: EngagementAnswer
    rating: RatingAnswer | None
    labels: str
    relevance: float
    sentiment: Sentiment | None
    risk: RiskAnswer | None
    toxicity: float | None
    story: str | None = Field(description="Parameter `story` finds the others of it; null until it is given one.")
    correction: MentionCorrectionAnswer | None = Field(
        description="null where nobody corrected it: sentiment and risk are the network's."
    )

    @classmethod
    def of(cls, found: FoundMention) -> Self:
        """From what the repository found."""
        rated = found.rating_value is not None
        return cls(
            id=found.id,
            brand=found.brand,
            state=found.state.value,
            source=found.source,
            source_kind=found.source_kind,
            native_id=found.native_id,
            published_at=found.published_at,
            text=found.text,
            url=found.url,
            language=found.language,
            outlet=found.outlet,
            author=AuthorAnswer(
                key=found.author_key,
                name=found.author_name,
                followers=found.author_followers,
                role=found.author_role,
            ),
            engagement=EngagementAnswer(
                likes=found.likes, reposts=found.reposts, replies=found.replies, views=found.views
            ),
            rating=RatingAnswer(value=found.rating_value, best=found.rating_best) if rated else None,
            labels=found.labels,
            relevance=found.relevance,
            sentiment=_sentiment(found),
            risk=None if found.risk is None else RiskAnswer(score=found.risk, kinds=tuple(found.risk_kinds)),
            toxicity=found.toxicity,
            story=found.story,
            correction=_correction(found),
        )


class MentionPage(Answer):
    """Some mentions, in the order that was asked for."""

    mentions: tuple[MentionAnswer, ...]
    next: str | None = Field(description="Give it back as `cursor` for the page after this one; null on the last.")


class SelectedMentionPage(Answer):
    """The same with `fields`: of each mention only those that were asked for."""

    mentions: tuple[dict[str, Any], ...]
    next: str | None


class BrandAnswer(Answer):
    """How a brand stands. `score` is 0–100; `reasons` a sentence a language, empty while it is calm."""

    id: str
    name: str
    level: Level
    score: float
    reasons: dict[str, str]
    decided: dict[str, str] = Field(
        description="Which threshold decided or holds the level, and with what it would have stayed silent or fallen: "
        "a sentence a language, empty while it is calm."
    )
    evaluated_at: Instant | None
    complete_up_to: Instant | None
    incident: UUID | None = Field(description="The open incident, if there is one.")


class BrandList(Answer):
    """The brands that you may see."""

    brands: tuple[BrandAnswer, ...]


class AcknowledgementAnswer(Answer):
    """Who has it in hand; `until` when that holds, null: for good."""

    by: str
    at: Instant
    level: Level
    until: Instant | None


class SilenceOfIncidentAnswer(Answer):
    """Nobody is called until then, unless the level rises above `level`."""

    until: Instant
    level: Level
    by: str


class DeclarationAnswer(Answer):
    """What a person said when they rang the bell by hand; `picture` is the id of one that is kept beside the incident."""

    by: str
    at: Instant
    sentence: str
    link: str | None
    text: str | None
    picture: UUID | None


class IncidentAnswer(Answer):
    """An incident without its history. `version` is also its ETag, for `If-Match`."""

    id: UUID
    brand: str
    brands: tuple[str, ...] = Field(description="Every brand that it is about; `brand` is the first of them.")
    main: bool = Field(description="False for a story that was split off, and for an exercise.")
    exercise: bool = Field(description="True for a drill; it counts in no figure.")
    state: IncidentState
    level: Level
    highest_level: Level
    version: int
    score: float
    reasons: dict[str, str]
    opened_at: Instant
    acknowledged: AcknowledgementAnswer | None
    assigned: str | None = Field(description="Whose it is to see to: the id of a person.")
    silence: SilenceOfIncidentAnswer | None
    level_set_by: str | None = Field(description="Who set the level by hand; null where it is that of detection.")
    declarations: tuple[DeclarationAnswer, ...]
    split_from: UUID | None
    merged_into: UUID | None
    next_call_at: Instant | None = Field(description="When the next step of the escalation rings; null: none is due.")
    resolved_at: Instant | None
    resolved_by: str | None
    verdict: Verdict | None
    complete_up_to: Instant | None

    @classmethod
    def of(cls, incident: Incident) -> Self:
        """From the incident as it is stored."""
        return cls(**_plain(incident))


class EventAnswer(Answer):
    """One thing that happened to the incident; `sequence` counts from 1 without gaps."""

    sequence: int
    type: IncidentEventType
    at: Instant
    level: Level
    state: IncidentState
    actor: str
    data: dict[str, Any]


class NotificationAnswer(Answer):
    """One message to one target on one channel, and what became of it."""

    id: UUID
    kind: str
    target: str
    name: str
    channel: str
    level: Level
    created_at: Instant
    outcome: str | None = Field(description="accepted, rejected, superseded, unknown or dead; null while it waits.")
    attempts: int
    finished_at: Instant | None
    detail: str | None = Field(description="What came of the last attempt, in words.")

    @classmethod
    def of(cls, status: NotificationStatus) -> NotificationAnswer:
        """From how far the message is."""
        told = status.notification
        return NotificationAnswer(
            id=told.id,
            kind=told.kind.value,
            target=told.target,
            name=told.name,
            channel=told.channel,
            level=told.level,
            created_at=told.created_at,
            outcome=status.outcome.value if status.outcome else None,
            attempts=status.attempts,
            finished_at=status.finished_at,
            detail=status.detail,
        )


class IncidentDetail(IncidentAnswer):
    """An incident with everything that happened, whom it was told, and the evidence of detection."""

    evidence: dict[str, Any]
    events: tuple[EventAnswer, ...]
    notifications: tuple[NotificationAnswer, ...]


class IncidentList(Answer):
    """Some incidents, the newest first."""

    incidents: tuple[IncidentAnswer, ...]
    next: str | None = Field(description="Give it back as `cursor` for the page after this one; null on the last.")


def detail_of(
    incident: Incident, events: tuple[EventAnswer, ...], notifications: tuple[NotificationAnswer, ...]
) -> IncidentDetail:
    """An incident with its history."""
    return IncidentDetail(**_plain(incident), evidence=incident.evidence, events=events, notifications=notifications)


def _plain(incident: Incident) -> dict[str, Any]:
    held = incident.acknowledged
    return {
        "id": incident.id,
        "brand": incident.brand,
        "brands": incident.brands,
        "main": incident.main,
        "exercise": incident.exercise,
        "state": incident.state,
        "level": incident.level,
        "highest_level": incident.highest_level,
        "version": incident.version,
        "score": incident.score,
        "reasons": incident.reasons,
        "opened_at": incident.opened_at,
        "acknowledged": held and AcknowledgementAnswer(by=held.by, at=held.at, level=held.level, until=held.until),
        "assigned": incident.assigned.person if incident.assigned else None,
        "silence": incident.silence and SilenceOfIncidentAnswer.model_validate(incident.silence, from_attributes=True),
        "level_set_by": incident.set_level.by if incident.set_level else None,
        "declarations": tuple(
            DeclarationAnswer.model_validate(said, from_attributes=True) for said in incident.declarations
        ),
        "split_from": incident.split_from,
        "merged_into": incident.merged_into,
        "next_call_at": incident.pending.due_at if incident.pages and incident.pending else None,
        "resolved_at": incident.resolved_at,
        "resolved_by": incident.resolved_by,
        "verdict": incident.verdict,
        "complete_up_to": incident.complete_up_to,
    }


def _correction(found: FoundMention) -> MentionCorrectionAnswer | None:
    said = found.correction
    if said is None:
        return None
    return MentionCorrectionAnswer(
        by=said["by"],
        at=said["at"],
        sentiment=said["sentiment"],
        risky=said["risky"],
        network_sentiment=said["network"]["sentiment"],
        network_risk=said["network"]["risk"],
    )


def _sentiment(found: FoundMention) -> Sentiment | None:
    if found.sentiment is None or found.negative is None or found.neutral is None or found.positive is None:
        return None
    scores = SentimentScores(negative=found.negative, neutral=found.neutral, positive=found.positive)
    return Sentiment(label=SentimentLabel(found.sentiment), scores=scores)
