"""Stories by the network that ships, on hand-written texts in eight languages; `make bench-stories` prints the figures."""

from __future__ import annotations

from tests.load.bench_stories import auroc, copies, embeddings, grouping
from tests.stories import events
from tocsin.contracts.settings.detection import StorySettings


def test_one_event_in_other_words_and_other_languages_is_nearer_than_another_event_of_the_brand() -> None:
    said = events()
    given = embeddings(said)
    assert auroc(said, given) >= 0.9
    assert auroc(said, given, across=True) >= 0.9
    found = grouping(said, given, StorySettings())
    assert found.precision >= 0.7
    assert found.recall >= 0.6


def test_near_copies_are_found_and_other_texts_are_not() -> None:
    found = copies(StorySettings())
    assert found.precision >= 0.95
    assert found.recall >= 0.95
