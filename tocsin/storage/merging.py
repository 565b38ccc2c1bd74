"""How what arrives becomes what is known: pure rules on the rows of one mention.

A mention is two things that only ever grow: its content, where the highest revision wins (at an equal one, better labels,
and brands add up), and its removal, where the highest revision wins (at an equal one, the stronger reason) and an erasure
wins for good. The state follows from the two. So the same records give the same rows in any order, and any number of times.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from tocsin.contracts.events import ClassifiedMention, LabelQuality, RemovalReason, SentimentLabel
from tocsin.storage.tables.mentions import MentionBrandTable, MentionIdentityTable, MentionState, MentionTable

_STRENGTH = (RemovalReason.UNMATCHED, RemovalReason.DELETED, RemovalReason.ERASED)
_STATE_OF = {
    RemovalReason.UNMATCHED: MentionState.UNMATCHED,
    RemovalReason.DELETED: MentionState.DELETED,
    RemovalReason.ERASED: MentionState.ERASED,
}
MOST_EXPLAINED_WORDS = 8
_HIDDEN = (
    "native_id", "text", "url", "in_reply_to", "quote_of", "repost_of", "conversation_id", "outlet", "media",
    "author_id", "author_name", "author_name_hidden",
)  # fmt: skip
MOST_COUNTED = 10**15
"""Likes, followers and the like that a source claims beyond it are taken for so many: sums of them must fit into 64 bits."""

BrandHour = tuple[str, datetime]
"""A brand and the start of an hour, UTC."""


@dataclass(frozen=True, slots=True)
class Received:
    """A classified mention with what its receiver found out about it."""

    mention: ClassifiedMention
    received_at: datetime
    """When ingest had it, UTC."""
    wakes: bool
    """False where it came too late to wake anybody, or was imported."""
    copy_key: str = ""
    """Equal for copies of one text (detection's `copy_key`)."""
    crisis_words: str = ""
    """The crisis words that its beginning has, kept when the text must go."""
    author_key: str | None = None
    """What its author is told apart by; None: the digest without an installation's key."""
    names_author: bool = True
    """Whether the author's name is open; else it is kept apart."""
    keeps_author_id: bool = True


@dataclass(frozen=True, slots=True)
class Removed:
    """A removal; `at` is when it was put on the bus, UTC."""

    id: uuid.UUID
    revision: int
    why: RemovalReason
    at: datetime


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person says of a mention for one brand; where it says None, the network's word stands."""

    by: str
    """The actor, such as `person:lea`."""
    at: datetime
    """UTC."""
    sentiment: SentimentLabel | None = None
    risky: bool | None = None
    about_us: bool | None = None
    """False: not about the brand; it leaves every count and every list."""

    @property
    def empty(self) -> bool:
        """True where it says nothing, which takes an earlier correction back."""
        return self.sentiment is None and self.risky is None and self.about_us is None


class Effect(StrEnum):
    """What a record did."""

    CREATED = "created"
    """A mention and brand that were not known."""
    UPDATED = "updated"
    """A higher revision."""
    RELABELLED = "relabelled"
    """Better labels of the same revision."""
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    """A repetition, or older than what is known."""
    SUPPRESSED = "suppressed"
    """The mention was erased on request and stays out."""


@dataclass(slots=True)
class Known:
    """Everything that is known of one mention, being changed; whoever holds it holds the lock of its identity."""

    identity: MentionIdentityTable
    row: MentionTable
    """Its content; without a revision where there is none, and then it is no row of the database."""
    links: dict[str, MentionBrandTable]
    """Its labels, by brand."""
    stands_at: datetime | None = None
    """The time of publication under which content and labels stand in the database; None where there are none."""
    changed: bool = False
    """Whether the rows must be written."""
    dropped: set[str] = field(default_factory=set)
    """Brands whose row must go."""
    before: set[BrandHour] = field(default_factory=set)
    """The hours it counted in when it was loaded."""
    counts_changed: bool = False

    @classmethod
    def nothing(cls, identifier: uuid.UUID) -> Known:
        """A mention of which nothing is known yet."""
        return cls(MentionIdentityTable(id=identifier, state=MentionState.UNMATCHED), without_content(identifier), {})

    def touched(self) -> set[BrandHour]:
        """The hours to count again: where it was, and where it is."""
        return self.before | self.hours() if self.counts_changed else set()

    def hours(self) -> set[BrandHour]:
        """The hours it counts in, by brand."""
        return {(link.brand, start_of_hour(link.published_at)) for link in self.links.values() if link.in_counts}


def without_content(identifier: uuid.UUID) -> MentionTable:
    """The content of a mention that has none."""
    return MentionTable(id=identifier, wakes=False, brands=[], copy_key="", crisis_words="")


def lose_content(known: Known) -> None:
    """Its content went with its month: what stays is what a removal alone would have left."""
    identity = known.identity
    identity.published_at = None
    why = identity.removed_why
    identity.state = MentionState.UNMATCHED if why is None else _STATE_OF[RemovalReason(why)]


def start_of_hour(at: datetime) -> datetime:
    """The clock hour (of UTC) that `at` is in."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def author_key(source: str, author_id: str | None, key: bytes = b"") -> str | None:
    """A digest that tells authors apart, over all sources; None where the source names none.

    With the installation's `key` nobody else can find it by trying ids. It is a pseudonym and not anonymous all the same; an
    erasure takes it away with the rest.
    """
    if author_id is None:
        return None
    identity = f"{len(source)}:{source}:{author_id}".encode("utf-8", "surrogatepass")
    return blake2b(identity, digest_size=12, key=key).hexdigest()


def receive(known: Known, received: Received) -> Effect:
    """Merge one classified record into what is known."""
    row, mention = known.row, received.mention
    if known.identity.state == MentionState.ERASED:
        return Effect.SUPPRESSED
    _merge_receipt(known, received)
    revision = mention.version
    if row.revision is not None and revision < row.revision:
        return Effect.UNCHANGED
    effect = Effect.UNCHANGED
    if row.revision is None or revision > row.revision:
        effect = Effect.CREATED if row.revision is None else Effect.UPDATED
        _take_content(known, received)
    elif not _brands(mention) <= set(row.brands):
        # The same version, matched again after a brand was added to the configuration.
        row.brands = sorted(_brands(mention) | set(row.brands))
        known.changed = True
    link = known.links.get(mention.brand)
    better = link is None or link.revision < revision or LabelQuality(link.labels).rank < mention.labels.rank
    if better:
        if effect is Effect.UNCHANGED:
            effect = (
                Effect.CREATED if link is None else Effect.UPDATED if link.revision < revision else Effect.RELABELLED
            )
        labelled = known.links[mention.brand] = _labelled(row.id, mention)
        if link is not None and link.correction is not None and link.correction["of"] == _text_digest(mention.text):
            # Better labels of the same text do not take a person's word back; another text does.
            _overlay(labelled, {name: value for name, value in link.correction.items() if name != "network"})
        known.dropped.discard(mention.brand)
        known.changed = known.counts_changed = True
    _settle(known)
    return effect


def remove(known: Known, removed: Removed) -> Effect:
    """Merge one removal into what is known."""
    identity = known.identity
    if identity.removed_at is None or removed.at > identity.removed_at:
        identity.removed_at = removed.at
        known.changed = True
    if identity.state == MentionState.ERASED:
        return Effect.UNCHANGED
    if removed.why is RemovalReason.ERASED:
        _erase(known)
        return Effect.REMOVED
    if identity.removed_why is not None and identity.removed_revision is not None:
        strength = _STRENGTH.index(RemovalReason(identity.removed_why))
        if (identity.removed_revision, strength) >= (removed.revision, _STRENGTH.index(removed.why)):
            return Effect.UNCHANGED
    identity.removed_revision, identity.removed_why = removed.revision, removed.why
    known.changed = True
    before = identity.state
    _settle(known)
    return Effect.UNCHANGED if identity.state == before and known.row.revision is not None else Effect.REMOVED


def correct(known: Known, brand: str, correction: Correction) -> bool:
    """Put a person's word over the network's, or take it back; False where the mention has no labels for the brand.

    The effective labels stand where everybody reads them (figures, lists, detection); the network's own are kept beside.
    """
    link = known.links.get(brand)
    if link is None:
        return False
    if link.correction is not None:
        link.sentiment, link.risk, link.risk_kinds = (
            link.correction["network"][name] for name in ("sentiment", "risk", "risk_kinds")
        )
        link.correction = None
    if not correction.empty:
        _overlay(
            link,
            {
                "by": correction.by,
                "at": correction.at.isoformat(),
                "sentiment": correction.sentiment,
                "risky": correction.risky,
                "about_us": correction.about_us,
                "of": _text_digest(known.row.text),
            },
        )
    known.changed = known.counts_changed = True
    _settle(known)
    return True


def _overlay(link: MentionBrandTable, correction: dict[str, Any]) -> None:
    network = {"sentiment": link.sentiment, "risk": link.risk, "risk_kinds": link.risk_kinds}
    link.correction = {**correction, "network": network}
    if correction["sentiment"] is not None:
        link.sentiment = correction["sentiment"]
    if correction["risky"] is not None:
        link.risk = 1.0 if correction["risky"] else 0.0
        link.risk_kinds = link.risk_kinds if correction["risky"] else []


def _text_digest(text: str | None) -> str:
    """Tells whether a correction is about the text that is there now."""
    return blake2b((text or "").encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _merge_receipt(known: Known, received: Received) -> None:
    """What every record adds to, whatever its revision: first receipt, whether it wakes, and engagement."""
    row, engagement = known.row, received.mention.engagement
    if row.first_received_at is None or received.received_at < row.first_received_at:
        row.first_received_at = received.received_at
        known.changed = True
    # A mention's later versions are received later, so one that came too late at first stays so.
    if received.wakes and not row.wakes:
        row.wakes = True
        known.changed = True
    if engagement is None:
        return
    observed = engagement.observed_at or received.received_at
    if row.engagement_at is None or observed > row.engagement_at:
        row.engagement_at = observed
        seen = (engagement.likes, engagement.reposts, engagement.replies, engagement.views)
        counted = tuple(None if number is None else min(number, MOST_COUNTED) for number in seen)
        if counted != (row.likes, row.reposts, row.replies, row.views):
            row.likes, row.reposts, row.replies, row.views = counted
            known.counts_changed = True
        known.changed = True


def _take_content(known: Known, received: Received) -> None:
    row, mention = known.row, received.mention
    row.revision = mention.version
    row.source, row.source_kind, row.outlet = mention.source, mention.source_kind, mention.outlet
    row.native_id, row.text, row.url = mention.native_id, mention.text, mention.url
    row.published_at = mention.published_at
    row.language, row.country = mention.language, mention.country
    row.in_reply_to, row.quote_of = mention.in_reply_to, mention.quote_of
    row.repost_of, row.conversation_id = mention.repost_of, mention.conversation_id
    row.author_key = received.author_key or author_key(mention.source, mention.author.id)
    row.author_id = mention.author.id if received.keeps_author_id else None
    row.author_name = mention.author.name if received.names_author else None
    row.author_name_hidden = None if received.names_author else mention.author.name
    followers = mention.author.followers
    row.author_followers = None if followers is None else min(followers, MOST_COUNTED)
    row.author_role = mention.author.role
    row.rating_value = mention.rating.value if mention.rating else None
    row.rating_best = mention.rating.best if mention.rating else None
    row.media = [item.model_dump(exclude_none=True) for item in mention.media] or None
    row.copy_key, row.crisis_words = received.copy_key, received.crisis_words
    row.brands = sorted(_brands(mention))
    for brand in set(known.links) - set(row.brands):
        del known.links[brand]
        known.dropped.add(brand)
    # The labels of brands that stay are still those of the older text; the records with the new ones are on their way.
    known.changed = known.counts_changed = True


def _brands(mention: ClassifiedMention) -> set[str]:
    return {*mention.brands, mention.brand}


def _labelled(mention_id: uuid.UUID, mention: ClassifiedMention) -> MentionBrandTable:
    sentiment, risk, model = mention.sentiment, mention.risk, mention.model
    return MentionBrandTable(
        mention_id=mention_id,
        brand=mention.brand,
        published_at=mention.published_at,
        in_counts=True,
        revision=mention.version,
        labels=mention.labels,
        relevance=mention.relevance,
        sentiment=sentiment.label if sentiment else None,
        negative=sentiment.scores.negative if sentiment else None,
        neutral=sentiment.scores.neutral if sentiment else None,
        positive=sentiment.scores.positive if sentiment else None,
        risk=risk.score if risk else None,
        risk_kinds=[{"kind": item.kind.value, "score": item.score} for item in risk.kinds] if risk else [],
        toxicity=mention.toxicity,
        embedding=decode_embedding(mention.embedding),
        explanation=_explanation(mention),
        model_name=model.name if model else None,
        model_revision=model.revision if model else None,
    )


def _explanation(mention: ClassifiedMention) -> list[dict[str, Any]] | None:
    """The places without the words, which the text has; those that lie outside it are somebody's mistake, and left out."""
    words = (mention.explanation or ())[:MOST_EXPLAINED_WORDS]
    inside = [word for word in words if 0 <= word.start < word.end <= len(mention.text)]
    return [{"start": word.start, "end": word.end, "weight": word.weight} for word in inside] or None


def decode_embedding(embedding: str | None) -> bytes | None:
    """The signed bytes of an embedding; raises ValueError where it is no base64."""
    if embedding is None:
        return None
    try:
        return base64.b64decode(embedding, validate=True)
    except binascii.Error as error:
        raise ValueError(f"embedding: is not base64 ({error})") from error


def _settle(known: Known) -> None:
    """Bring the state, and what follows from it, in line with content and removal."""
    identity, row = known.identity, known.row
    why, removed_at_revision = identity.removed_why, identity.removed_revision
    state = MentionState.LIVE
    if (
        why is not None
        and removed_at_revision is not None
        and (row.revision is None or removed_at_revision >= row.revision)
    ):
        state = _STATE_OF[RemovalReason(why)]
    if identity.state != state:
        identity.state = state
        known.changed = known.counts_changed = True
    row.state = state
    identity.published_at = row.published_at
    if state is not MentionState.LIVE:
        for name in _HIDDEN:
            setattr(row, name, None)
    for link in known.links.values():
        link.in_counts = state.counts and not (link.correction and link.correction["about_us"] is False)
        link.published_at = row.published_at
        if state is not MentionState.LIVE:
            link.embedding = None
            link.explanation = None


def _erase(known: Known) -> None:
    identity = known.identity
    known.row = without_content(identity.id)
    # One form whatever came before it: an erasure is for good, so its revision says nothing.
    identity.state, identity.removed_why, identity.removed_revision = MentionState.ERASED, RemovalReason.ERASED, None
    identity.published_at = None
    known.dropped |= set(known.links)
    known.links.clear()
    known.changed = known.counts_changed = True
