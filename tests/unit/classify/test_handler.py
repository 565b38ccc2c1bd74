"""classify's handler: a record a brand, in order; ticks behind what came before them; copies without a pass."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.classify.handler import ClassifyHandler
from services.classify.labelling import Labeller
from tests.keyword_classifier import KeywordClassifier
from tocsin.bus.failures import InvalidRecords
from tocsin.bus.port import Headers, Outgoing, Record
from tocsin.clock import ManualClock
from tocsin.contracts import topics
from tocsin.contracts.codec import TEACHES_ONLY_HEADER, decode, encode_mention, encode_removal, encode_tick
from tocsin.contracts.events import ClassifiedMention, LabelQuality, Mention, Rating, Removal, RemovalReason, Tick
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.matching import BrandMatcher

NOW = datetime(2026, 3, 14, 21, 40, tzinfo=UTC)
BRANDS = (BrandSettings(id="lunea", names=("Lunéa",)), BrandSettings(id="nectar"))


@pytest.fixture
def classifier() -> KeywordClassifier:
    return KeywordClassifier()


@pytest.fixture
def handler(classifier: KeywordClassifier) -> ClassifyHandler:
    return ClassifyHandler(Labeller(classifier), BrandMatcher.of_brands(BRANDS), ManualClock(NOW), partitions=3)


def mention(text: str, *, native_id: str = "1", brands: tuple[str, ...] = ("lunea",)) -> Mention:
    return Mention(source="rss", native_id=native_id, text=text, published_at=NOW, brands=brands)


def incoming(event: Mention | Tick, extra: Headers = (), offset: int = 0) -> Record:
    if isinstance(event, Tick):
        encoded = encode_tick(event, source="ingest", at=NOW)
    else:
        encoded = encode_mention(event, updated=False, source="ingest", at=NOW, traceparent="00-ab-cd-01")
    return Record(topics.MENTIONS, 0, offset, encoded.key, encoded.value, encoded.headers + extra, NOW)


def read(outgoing: Outgoing) -> ClassifiedMention:
    event = decode(outgoing.value, outgoing.headers).event
    assert isinstance(event, ClassifiedMention)
    return event


def test_a_mention_becomes_one_record_a_brand_by_that_brands_key(handler: ClassifyHandler) -> None:
    answers = handler.handle([incoming(mention("Lunéa is bad", brands=("lunea", "nectar")))])
    assert [(item.topic, item.key) for item in answers] == [("classified", b"lunea"), ("classified", b"nectar")]
    record = read(answers[0])
    assert record.sentiment is not None
    assert record.sentiment.label == "negative"
    assert record.brands == ("lunea", "nectar")
    assert record.mention_id == mention("Lunéa is bad").id


def test_relevance_is_the_networks_only_where_the_brands_own_query_matched(handler: ClassifyHandler) -> None:
    matched, given = (
        read(item) for item in handler.handle([incoming(mention("Lunéa is bad", brands=("lunea", "nectar")))])
    )
    assert matched.relevance == 0.7
    assert given.relevance == 1.0
    [inherited] = handler.handle([incoming(mention("it is bad"))])
    assert read(inherited).relevance == 1.0


def test_a_copy_has_its_labels_without_another_pass(handler: ClassifyHandler, classifier: KeywordClassifier) -> None:
    first = handler.handle(
        [incoming(mention("Lunéa bad", native_id="1")), incoming(mention("Lunéa bad", native_id="2"))]
    )
    second = handler.handle([incoming(mention("Lunéa bad", native_id="3"))])
    assert [read(item).labels for item in first + second] == [LabelQuality.MODEL, LabelQuality.COPY, LabelQuality.COPY]
    assert classifier.seen == ["Lunéa bad"]


def test_the_memory_of_copies_is_bounded_and_forgets_the_oldest(classifier: KeywordClassifier) -> None:
    labeller = Labeller(classifier, capacity=2)
    for text in ("one", "two", "three", "three", "one"):
        labeller.label([text])
    assert classifier.seen == ["one", "two", "three", "one"]


def test_a_tick_goes_to_every_partition_behind_what_came_before_it_and_is_really_classified(
    handler: ClassifyHandler, classifier: KeywordClassifier
) -> None:
    tick = Tick(at=NOW, partition=0, text="All is well.")
    answers = handler.handle(
        [incoming(mention("Lunéa good")), incoming(tick), incoming(mention("Lunéa bad"), offset=2)]
    )
    assert [item.partition for item in answers] == [None, 0, 1, 2, None]
    assert decode(answers[1].value, answers[1].headers).event == tick
    handler.handle([incoming(tick)])
    assert classifier.seen.count("All is well.") == 2


def test_what_teaches_only_still_does_behind_classify(handler: ClassifyHandler) -> None:
    [answer] = handler.handle([incoming(mention("Lunéa"), extra=((TEACHES_ONLY_HEADER, b"1"),))])
    assert (TEACHES_ONLY_HEADER, b"1") in answer.headers
    [plain] = handler.handle([incoming(mention("Lunéa"))])
    assert TEACHES_ONLY_HEADER not in dict(plain.headers)


def test_the_trace_goes_on(handler: ClassifyHandler) -> None:
    [answer] = handler.handle([incoming(mention("Lunéa"))])
    assert dict(answer.headers)["traceparent"] == b"00-ab-cd-01"


def test_all_unreadable_records_of_a_batch_are_named_at_once(handler: ClassifyHandler) -> None:
    broken = Record(topics.MENTIONS, 0, 5, b"k", b"not json", (("ce_type", b"mention.created"),), NOW)
    encoded = encode_removal(Removal(id=mention("x").id, revision=1, why=RemovalReason.DELETED), source="x", at=NOW)
    astray = Record(topics.MENTIONS, 0, 6, encoded.key, encoded.value, encoded.headers, NOW)
    with pytest.raises(InvalidRecords) as raised:
        handler.handle([incoming(mention("Lunéa")), broken, astray])
    assert [failure.record.offset for failure in raised.value.failures] == [5, 6]
    assert "does not belong on mentions" in raised.value.failures[1].reason


@pytest.mark.parametrize(("value", "expected"), [(1, "negative"), (2, "negative"), (3, "neutral"), (5, "positive")])
def test_a_review_without_a_word_has_the_sentiment_of_its_stars(
    handler: ClassifyHandler, value: int, expected: str
) -> None:
    rated = Mention.model_validate(
        {
            "source": "reviews",
            "native_id": "9",
            "published_at": NOW,
            "brands": ["lunea"],
            "rating": {"value": value, "best": 5},
        }
    )
    [answer] = handler.handle([incoming(rated)])
    sentiment = read(answer).sentiment
    assert sentiment is not None
    assert sentiment.label == expected


def test_words_weigh_more_than_stars(handler: ClassifyHandler) -> None:
    rated = mention("Lunéa bad").model_copy(update={"rating": Rating(value=5, best=5)})
    sentiment = read(handler.handle([incoming(rated)])[0]).sentiment
    assert sentiment is not None
    assert sentiment.label == "negative"


def test_the_riskiest_few_say_which_words_moved_their_risk_as_many_as_time_allows(
    classifier: KeywordClassifier,
) -> None:
    clock = ManualClock(NOW)
    handler = ClassifyHandler(
        Labeller(classifier), BrandMatcher.of_brands(BRANDS), clock, partitions=3, explanations_a_second=0.2
    )
    texts = ["Lunéa good", "Lunéa bad one", "Lunéa bad two", "Lunéa bad three", "Lunéa bad one"]
    answers = handler.handle([incoming(mention(text, native_id=str(n))) for n, text in enumerate(texts)])
    explanations = [read(answer).explanation for answer in answers]
    assert [explanation is not None for explanation in explanations] == [False, True, True, False, False]
    assert explanations[1] is not None
    assert [(word.word, word.start, word.end) for word in explanations[1]] == [("bad", 6, 9)]
    assert explanations[1][0].weight > 0
    clock.move(4)
    [early] = handler.handle([incoming(mention("Lunéa bad four"))])
    clock.move(1)
    [late] = handler.handle([incoming(mention("Lunéa bad five"))])
    assert read(early).explanation is None
    assert read(late).explanation is not None


def test_a_calm_batch_costs_no_pass_more(classifier: KeywordClassifier) -> None:
    handler = ClassifyHandler(Labeller(classifier), BrandMatcher.of_brands(BRANDS), ManualClock(NOW), 3, 5.0)
    handler.handle([incoming(mention("Lunéa good"))])
    assert classifier.seen == ["Lunéa good"]
