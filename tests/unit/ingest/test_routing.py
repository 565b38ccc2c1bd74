"""A mention goes to the brands that were given, that its text names, and that what it answers has; without any it is dropped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.publisher import Publisher
from services.ingest.routing import Outcome, Routed, Router
from tests.producers import RecordingProducer
from tocsin.bus.failures import BusFull
from tocsin.clock import ManualClock
from tocsin.contracts.codec import TEACHES_ONLY_HEADER
from tocsin.contracts.events import Author, AuthorRole, Mention, Removal, RemovalReason
from tocsin.contracts.settings.brands import BrandSettings

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BRANDS = [
    BrandSettings(id="veloria", names=("Veloria",), own_accounts=("@VeloriaCares",)),
    BrandSettings(id="orange", query="orange OR #teamorange"),
    BrandSettings(id="silent"),
]


def mention(native_id: str, text: str, **fields: Any) -> Mention:
    return Mention.model_validate(
        {"source": "forum", "native_id": native_id, "text": text, "published_at": NOW, **fields}
    )


def routed(router: Router, *mentions: Mention) -> list[Routed]:
    found = router.route(mentions)
    router.remember(found)
    return found


def test_given_brands_come_first_then_found_then_inherited() -> None:
    router = Router(BRANDS)
    routed(router, mention("1", "Veloria shoes"))
    [answer] = routed(router, mention("2", "my orange agrees", brands=("silent",), in_reply_to="1"))
    assert answer.brands == ("silent", "orange", "veloria")
    assert isinstance(answer.event, Mention)
    assert answer.event.brands == answer.brands


@pytest.mark.parametrize("relation", ["in_reply_to", "quote_of", "repost_of"])
def test_answers_quotes_and_reposts_inherit_also_within_a_batch_and_over_generations(relation: str) -> None:
    router = Router(BRANDS)
    found = routed(
        router,
        mention("1", "Veloria!"),
        mention("2", "so true", **{relation: "1"}),
        mention("3", "yes", **{relation: "2"}),
    )
    assert [item.brands for item in found] == [("veloria",)] * 3
    [elsewhere] = routed(router, mention("4", "so true", source="mastodon", **{relation: "1"}))
    assert elsewhere.outcome is Outcome.UNMATCHED


def test_the_memory_is_bounded() -> None:
    router = Router(BRANDS, memory_size=2)
    routed(router, *(mention(str(number), "Veloria") for number in range(3)))
    [forgotten, known] = routed(router, mention("a", "yes", in_reply_to="0"), mention("b", "yes", in_reply_to="2"))
    assert forgotten.brands == ()
    assert known.brands == ("veloria",)


def test_what_matches_no_brand_is_dropped() -> None:
    assert routed(Router(BRANDS), mention("1", "nothing of interest")) == [
        (mention("1", "nothing of interest"), None, Outcome.UNMATCHED, False, ())
    ]


def test_an_edit_that_matches_no_brand_any_more_is_taken_back() -> None:
    router = Router(BRANDS)
    first = mention("1", "Veloria leaks")
    routed(router, first)
    [edited] = routed(router, mention("1", "it leaks", revision=first.version + 1))
    assert edited.event == Removal(id=first.id, revision=first.version + 1, why=RemovalReason.UNMATCHED)
    # Another process, which has not seen the first version, knows an edit by its revision.
    [elsewhere] = routed(Router(BRANDS), mention("1", "it leaks", revision=first.version + 1))
    assert elsewhere.event == edited.event


def test_a_later_version_is_an_update_and_an_earlier_one_changes_no_memory() -> None:
    router = Router(BRANDS)
    newer = mention("1", "Veloria", revision=2_000_000_000_000)
    assert routed(router, newer)[0].updated
    assert not routed(router, mention("1", "orange"))[0].updated
    [answer] = routed(router, mention("2", "yes", in_reply_to="1"))
    assert answer.brands == ("veloria",)


def test_a_post_of_an_own_account_is_told_as_such() -> None:
    [own, other] = routed(
        Router(BRANDS),
        mention("1", "Veloria is sorry", author=Author(id="veloriacares")),
        mention("2", "orange", author=Author(id="veloriacares")),
    )
    assert isinstance(own.event, Mention)
    assert own.event.author.role is AuthorRole.OWN
    assert isinstance(other.event, Mention)
    assert other.event.author.role is AuthorRole.PUBLIC


def test_a_sender_reaches_only_its_brands() -> None:
    [both] = Router(BRANDS).route([mention("1", "Veloria and orange")], only=frozenset({"orange"}))
    assert both.brands == ("orange",)


def test_nothing_is_remembered_that_the_bus_refused() -> None:
    producer, router = RecordingProducer(full_for=1), Router(BRANDS)
    publisher = Publisher(producer, router, ManualClock(NOW))
    publisher.publish([])
    routed(router, mention("1", "Veloria"))
    edit = mention("1", "no brand", revision=mention("1", "x").version + 5)
    with pytest.raises(BusFull):
        publisher.publish([edit])
    publisher.publish([edit])
    assert [event.revision for event in producer.events("removals") if isinstance(event, Removal)] == [edit.version]


def test_history_is_marked_on_the_record() -> None:
    producer = RecordingProducer()
    Publisher(producer, Router(BRANDS), ManualClock(NOW)).publish([mention("1", "Veloria")], teaches_only=True)
    assert (TEACHES_ONLY_HEADER, b"1") in producer.flushed[0].headers
