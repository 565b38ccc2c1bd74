"""What arrives about one mention, in whatever order and how often, leaves the same rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.records import NOON, classified, identifier
from tocsin.contracts.events import AuthorRole, Engagement, ExplainedWord, LabelQuality, RemovalReason
from tocsin.storage.merging import Effect, Known, Received, Removed, author_key, receive, remove
from tocsin.storage.tables.mentions import MentionState

HOUR = timedelta(hours=1)


def unknown(name: str = "1") -> Known:
    return Known.nothing(identifier(name))


def loaded_again(known: Known) -> Known:
    return Known(known.identity, known.row, dict(known.links), before=known.hours())


def received(*arguments: Any, wakes: bool = True, words: str = "", **fields: Any) -> Received:
    mention = classified(*arguments, **fields)
    assert mention.received_at is not None
    return Received(mention, mention.received_at, wakes, "copy", words)


def removed(why: RemovalReason, revision: int = 1, at: datetime = NOON) -> Removed:
    return Removed(identifier(), revision, why, at)


def state(known: Known) -> dict[str, Any]:
    """Everything that the database would hold."""
    rows = [known.identity, known.row, *(known.links[brand] for brand in sorted(known.links))]
    return {
        f"{row.__tablename__}:{i}": {c.key: getattr(row, c.key) for c in row.__table__.columns}
        for i, row in enumerate(rows)
    }


def test_a_mention_is_kept_with_its_labels_and_its_hour_is_touched() -> None:
    known = unknown()
    assert receive(known, received(negative=0.8)) is Effect.CREATED
    assert known.identity.state == MentionState.LIVE
    assert known.row.text == "What 1 says in version 1"
    assert known.links["acme"].negative == 0.8
    assert known.links["acme"].embedding == b"\x01\x02\x03"
    assert known.touched() == {("acme", NOON)}


def test_the_words_that_moved_the_risk_are_kept_as_places_in_the_text_and_nonsense_is_not() -> None:
    known = unknown()
    given = [(0, 4, 1.5), (5, 900, 1.0), (-1, 3, 1.0), (7, 7, 1.0), *[(5, 6, -0.5)] * 9]
    words = tuple(ExplainedWord(word="x", start=start, end=end, weight=weight) for start, end, weight in given)
    record = received()
    receive(known, replace(record, mention=record.mention.model_copy(update={"explanation": words})))
    kept = known.links["acme"].explanation
    assert kept == [{"start": 0, "end": 4, "weight": 1.5}, *[{"start": 5, "end": 6, "weight": -0.5}] * 4]
    remove(known, removed(RemovalReason.DELETED, revision=9))
    assert known.links["acme"].explanation is None


def test_a_repetition_changes_nothing() -> None:
    known = unknown()
    receive(known, received())
    again = loaded_again(known)
    assert receive(again, received()) is Effect.UNCHANGED
    assert not again.changed
    assert again.touched() == set()


def test_an_older_revision_that_arrives_last_changes_nothing() -> None:
    known = unknown()
    receive(known, received(revision=5, text="after the edit"))
    again = loaded_again(known)
    assert receive(again, received(revision=4, text="before the edit")) is Effect.UNCHANGED
    assert again.row.text == "after the edit"
    assert again.touched() == set()


def test_better_labels_of_the_same_revision_replace_worse_ones_and_never_the_other_way() -> None:
    known = unknown()
    receive(known, received(labels=LabelQuality.NONE))
    assert receive(known, received(labels=LabelQuality.COPY, negative=0.6)) is Effect.RELABELLED
    assert receive(known, received(labels=LabelQuality.MODEL, negative=0.7)) is Effect.RELABELLED
    assert receive(known, received(labels=LabelQuality.COPY, negative=0.6)) is Effect.UNCHANGED
    assert known.links["acme"].negative == 0.7


def test_an_edit_that_drops_one_of_two_brands_takes_that_brand_out_of_the_counts() -> None:
    known = unknown()
    receive(known, received(brand="acme", brands=["acme", "zenith"]))
    receive(known, received(brand="zenith", brands=["acme", "zenith"]))
    again = loaded_again(known)
    receive(again, received(brand="acme", revision=2))
    assert set(again.links) == {"acme"}
    assert again.dropped == {"zenith"}
    assert again.touched() == {("acme", NOON), ("zenith", NOON)}


def test_a_brand_that_was_added_to_the_configuration_joins_the_same_revision() -> None:
    known = unknown()
    receive(known, received(brand="acme"))
    receive(known, received(brand="zenith", brands=["acme", "zenith"]))
    assert known.row.brands == ["acme", "zenith"]
    assert set(known.links) == {"acme", "zenith"}


def test_an_edit_that_moves_a_mention_to_another_hour_touches_both() -> None:
    known = unknown()
    receive(known, received())
    again = loaded_again(known)
    receive(again, received(revision=2, at=NOON + HOUR))
    assert again.touched() == {("acme", NOON), ("acme", NOON + HOUR)}


def test_what_the_platform_deletes_is_hidden_and_goes_on_counting() -> None:
    known = unknown()
    receive(known, received(words="boycott", url="https://example.org/1"))
    remove(known, removed(RemovalReason.DELETED, revision=9))
    assert known.identity.state == MentionState.DELETED
    hidden = (known.row.text, known.row.url, known.row.author_id, known.row.author_name, known.row.native_id)
    assert hidden == (None,) * 5
    assert known.row.crisis_words == "boycott"
    assert known.row.author_key == author_key("bluesky", "ann")
    assert known.links["acme"].embedding is None
    assert known.links["acme"].in_counts


def test_what_matches_no_brand_any_more_leaves_the_counts_until_a_higher_revision() -> None:
    known = unknown()
    receive(known, received())
    again = loaded_again(known)
    remove(again, removed(RemovalReason.UNMATCHED, revision=2))
    assert again.identity.state == MentionState.UNMATCHED
    assert again.hours() == set()
    assert again.touched() == {("acme", NOON)}
    receive(again, received(revision=3, text="acme again"))
    assert again.identity.state == MentionState.LIVE
    assert again.hours() == {("acme", NOON)}


def test_a_deletion_older_than_the_latest_edit_changes_nothing_to_be_seen() -> None:
    known = unknown()
    receive(known, received(revision=5))
    assert remove(known, removed(RemovalReason.DELETED, revision=4)) is Effect.UNCHANGED
    assert known.identity.state == MentionState.LIVE


def test_a_removal_of_the_same_revision_wins_whichever_comes_first() -> None:
    first, last = unknown(), unknown()
    remove(first, removed(RemovalReason.DELETED, revision=1))
    receive(first, received(revision=1))
    receive(last, received(revision=1))
    remove(last, removed(RemovalReason.DELETED, revision=1))
    assert first.identity.state == last.identity.state == MentionState.DELETED


def test_an_erasure_leaves_nothing_but_the_id_and_keeps_the_mention_out_whatever_its_revision() -> None:
    known = unknown()
    receive(known, received(revision=5))
    again = loaded_again(known)
    assert remove(again, removed(RemovalReason.ERASED, revision=1)) is Effect.REMOVED
    assert again.touched() == {("acme", NOON)}
    assert again.dropped == {"acme"}
    assert receive(again, received(revision=10)) is Effect.SUPPRESSED
    kept = {name for name, value in state(again).items() for name, value in value.items() if value}
    assert kept == {"id", "state", "removed_why", "removed_at"}


def test_engagement_is_merged_by_when_it_was_observed_whatever_the_revision() -> None:
    known = unknown()
    late = Engagement(likes=30_000, observed_at=NOON + 10 * HOUR)
    receive(known, received(revision=2, engagement=Engagement(likes=3, observed_at=NOON)))
    receive(known, received(revision=1, engagement=late))
    receive(known, received(revision=3, engagement=Engagement(likes=40, observed_at=NOON + HOUR)))
    assert known.row.likes == 30_000
    assert known.row.engagement_at == NOON + 10 * HOUR


def test_a_mention_that_came_too_late_at_first_wakes_nobody_after_an_edit_either() -> None:
    known = unknown()
    receive(known, received(wakes=False))
    receive(known, received(revision=2, wakes=False))
    assert known.row.wakes is False


def test_authors_of_two_sources_with_one_id_are_two() -> None:
    assert author_key("bluesky", "7") != author_key("twitter", "7")
    assert author_key("a", "b:c") != author_key("a:b", "c")
    assert author_key("bluesky", None) is None


BRANDS = st.sets(st.sampled_from(["acme", "zenith", "orbit"]), min_size=1).map(sorted)
WHYS = st.sampled_from(list(RemovalReason))


@st.composite
def histories(draw: st.DrawFn) -> list[Received | Removed]:
    """Everything that was ever said of one mention: whole revisions, one record a brand, relabelled and removed at times."""
    records: list[Received | Removed] = []
    for revision in draw(st.sets(st.integers(1, 5), max_size=4)):
        brands = draw(BRANDS)
        fields: dict[str, Any] = {
            "at": NOON + draw(st.integers(0, 3)) * HOUR,
            "revision": revision,
            "brands": brands,
            "author": draw(st.sampled_from(["ann", "ben", None])),
            "text": f"version {revision}",
        }
        if draw(st.booleans()):
            observed = NOON + revision * HOUR
            fields["engagement"] = Engagement(likes=revision * 10, observed_at=observed)
        wakes, words = draw(st.booleans()), draw(st.sampled_from(["", "boycott"]))
        for brand in brands:
            for labels in draw(st.sets(st.sampled_from(list(LabelQuality)), min_size=1)):
                negative = round(0.1 * revision + 0.01 * labels.rank, 3)
                records.append(
                    received(brand=brand, labels=labels, negative=negative, wakes=wakes, words=words, **fields)
                )
    for why, revision in draw(st.sets(st.tuples(WHYS, st.integers(1, 6)), max_size=3)):
        records.append(removed(why, revision, NOON + revision * HOUR))
    return records


@given(histories(), st.data())
def test_the_order_and_repetitions_of_records_never_matter(
    history: list[Received | Removed], data: st.DataObject
) -> None:
    def after(records: list[Received | Removed]) -> dict[str, Any]:
        known = unknown()
        for item in records:
            if isinstance(item, Received):
                receive(known, item)
            else:
                remove(known, item)
        return state(known)

    repeated = history + (data.draw(st.lists(st.sampled_from(history))) if history else [])
    assert after(data.draw(st.permutations(repeated))) == after(history)


@given(histories(), st.data())
def test_every_hour_whose_counts_could_differ_is_touched(
    history: list[Received | Removed], data: st.DataObject
) -> None:
    known = unknown()
    for item in data.draw(st.permutations(history)):
        step = loaded_again(known)
        seen = {brand: counted(step, brand) for brand in ("acme", "zenith", "orbit")}
        receive(step, item) if isinstance(item, Received) else remove(step, item)
        for brand, before in seen.items():
            different = before ^ counted(step, brand)
            assert {(brand, hour) for hour, *_ in different} <= step.touched()
        known = step


def counted(known: Known, brand: str) -> set[tuple[Any, ...]]:
    """What the counts of a brand are made of."""
    link = known.links.get(brand)
    if link is None or not link.in_counts or known.row.author_role == AuthorRole.OWN:
        return set()
    return {(link.published_at.replace(minute=0), known.row.author_key, link.negative, known.row.crisis_words)}
