"""The bytes on the bus are a promise: golden files pin them, and readers survive newer writers."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tocsin.contracts.codec import (
    Encoded,
    UnreadableRecord,
    decode,
    encode_classified,
    encode_incident,
    encode_mention,
    encode_removal,
    encode_tick,
)
from tocsin.contracts.events import (
    Author,
    ClassifiedMention,
    Engagement,
    ExplainedWord,
    LabelQuality,
    Media,
    Mention,
    ModelName,
    Rating,
    Removal,
    RemovalReason,
    Risk,
    RiskKind,
    RiskKindScore,
    Sentiment,
    SentimentLabel,
    SentimentScores,
    SourceKind,
    Tick,
    mention_id,
)
from tocsin.contracts.incidents import IncidentEvent, IncidentEventType, IncidentState, Level

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 3, 14, 21, 40, tzinfo=UTC)
MENTION = Mention(
    source="mastodon",
    native_id="109:7",
    text="Encore en panne… 😡 @lunea, c'est la 3ᵉ fois !",
    published_at=datetime(2026, 3, 14, 22, 39, 58, tzinfo=timezone(timedelta(hours=1))),
    received_at=NOW,
    revision=1773524398000,
    url="https://social.example/109:7",
    language="fr",
    country="FR",
    in_reply_to="108:1",
    conversation_id="108:1",
    source_kind=SourceKind.SOCIAL,
    author=Author(id="42", name="Zoé", followers=310),
    engagement=Engagement(likes=3, reposts=0, observed_at=NOW),
    rating=Rating(value=1, best=5),
    media=(Media(kind="image", url="https://social.example/1.jpg"),),
    brands=("lunea", "nectar"),
)
CLASSIFIED = ClassifiedMention(
    **MENTION.model_dump(exclude={"sentiment"}),
    mention_id=MENTION.id,
    brand="lunea",
    labels=LabelQuality.MODEL,
    relevance=0.93,
    sentiment=Sentiment(
        label=SentimentLabel.NEGATIVE, scores=SentimentScores(negative=0.81, neutral=0.15, positive=0.04)
    ),
    risk=Risk(score=0.62, kinds=(RiskKindScore(kind=RiskKind.SERVICE_OUTAGE, score=0.77),)),
    toxicity=0.11,
    embedding="AAEC/w==",
    model=ModelName(name="tocsin-e5", revision="0123abcd"),
    explanation=(ExplainedWord(word="panne…", start=10, end=16, weight=1.42),),
)
INCIDENT = IncidentEvent(
    incident_id=uuid.UUID("7d9f3a52-4a44-5b6e-9b35-0f6d0a4f2a11"),
    sequence=1,
    type=IncidentEventType.OPENED,
    at=NOW,
    brand="lunea",
    level=Level.ORANGE,
    state=IncidentState.TRIGGERED,
    actor="evaluator",
    data={"score": 71.5},
)
RECORDS: dict[str, Encoded] = {
    "mention_created": encode_mention(MENTION, updated=False, source="ingest", at=NOW, traceparent="00-ab-cd-01"),
    "mention_updated": encode_mention(MENTION, updated=True, source="ingest", at=NOW),
    "mention_removed": encode_removal(
        Removal(id=MENTION.id, revision=1773524400000, why=RemovalReason.ERASED), source="ingest", at=NOW
    ),
    "mention_classified": encode_classified(CLASSIFIED, source="classify", at=NOW),
    "tick": encode_tick(Tick(at=NOW, partition=2, text="All is well."), source="ingest", at=NOW),
    "incident_opened": encode_incident(INCIDENT, source="alert", at=NOW),
}


def as_text(encoded: Encoded) -> str:
    lines = [f"key: {encoded.key.decode()}", *(f"{name}: {value.decode()}" for name, value in encoded.headers)]
    return "\n".join([*lines, "", encoded.value.decode(), ""])


@pytest.mark.parametrize("name", RECORDS)
def test_the_bytes_are_those_of_the_golden_file(name: str) -> None:
    assert as_text(RECORDS[name]) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "event"),
    [("mention_created", MENTION), ("mention_classified", CLASSIFIED), ("incident_opened", INCIDENT)],
)
def test_what_was_written_is_read_back(name: str, event: Mention | ClassifiedMention | IncidentEvent) -> None:
    assert decode(RECORDS[name].value, RECORDS[name].headers).event == event


def test_a_reader_ignores_fields_and_headers_that_it_does_not_know() -> None:
    record = RECORDS["mention_created"]
    newer = json.loads(record.value) | {"mood_ring": "purple", "author": {"id": "42", "pronouns": "they"}}
    decoded = decode(json.dumps(newer).encode(), (*record.headers, ("ce_newer", b"1")))
    assert isinstance(decoded.event, Mention)
    assert decoded.event.author.id == "42"


def test_the_trace_context_travels_with_the_record() -> None:
    assert decode(RECORDS["mention_created"].value, RECORDS["mention_created"].headers).traceparent == "00-ab-cd-01"


@pytest.mark.parametrize(
    ("value", "headers", "what_is_said"),
    [
        (b"{}", (), "no ce_type header"),
        (b"{}", (("ce_type", b"mention.danced"),), "unknown ce_type"),
        (b"not json", (("ce_type", b"mention.created"),), "Invalid JSON"),
        (b'{"native_id": "1", "text": "x"}', (("ce_type", b"mention.created"),), "source: Field required"),
        (
            b'{"source": "x", "native_id": "1", "text": "x", "published_at": "2026-01-01T00:00:00"}',
            (("ce_type", b"mention.created"),),
            "published_at",
        ),
        (
            b'{"source": "x", "native_id": "1", "published_at": "2026-01-01T00:00:00Z"}',
            (("ce_type", b"mention.created"),),
            "needs a text, a rating or media",
        ),
    ],
)
def test_an_unreadable_record_says_which_field_is_wrong(
    value: bytes, headers: tuple[tuple[str, bytes], ...], what_is_said: str
) -> None:
    with pytest.raises(UnreadableRecord, match=what_is_said):
        decode(value, headers)


def test_an_error_never_repeats_what_somebody_wrote() -> None:
    with pytest.raises(UnreadableRecord) as raised:
        decode(
            b'{"source": 7, "native_id": "1", "text": ["my phone is 0612345678"]}', (("ce_type", b"mention.created"),)
        )
    assert "0612345678" not in str(raised.value)


def test_the_id_of_a_mention_depends_on_both_source_and_native_id() -> None:
    assert mention_id("a", "b:c") != mention_id("a:b", "c")
    assert mention_id("rss", "1") == mention_id("rss", "1") != mention_id("rss", "2")


def test_the_same_instant_in_another_offset_is_the_same_version() -> None:
    elsewhere = MENTION.model_copy(update={"revision": None}).model_dump(mode="json", exclude={"revision"})
    elsewhere["published_at"] = "2026-03-15T03:09:58+05:30"
    assert Mention.model_validate(elsewhere).version == 1773524398000
    assert Mention.model_validate(elsewhere).published_at == MENTION.published_at


def test_levels_are_ordered_by_how_bad_they_are_not_by_the_alphabet() -> None:
    assert sorted(["red", "green", "orange", "yellow"], key=Level) == [
        "green",
        "yellow",
        "orange",
        "red",
    ]
    assert max(Level.YELLOW, Level.ORANGE) is Level.ORANGE
    assert [level for level in Level if level.serious] == [Level.ORANGE, Level.RED]
