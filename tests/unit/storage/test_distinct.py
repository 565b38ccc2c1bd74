"""Different authors, counted in parts that are united afterwards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.storage import distinct

DIGESTS = st.integers(min_value=0, max_value=2**64 - 1)


def authors(count: int, start: int = 0) -> list[int]:
    return [distinct.digest(f"author {number}") for number in range(start, start + count)]


@given(st.lists(st.sets(DIGESTS, max_size=50), max_size=8))
def test_few_authors_are_counted_exactly_however_they_are_spread_over_parts(parts: list[set[int]]) -> None:
    assert distinct.count(distinct.pack(part) for part in parts) == len(set().union(*parts))


def test_as_many_as_are_kept_one_by_one_are_exact() -> None:
    packed = distinct.pack(authors(distinct.MOST_EXACT))
    assert distinct.count([packed, packed]) == distinct.MOST_EXACT


@pytest.mark.parametrize("count", [1_025, 5_000, 40_000, 400_000])
def test_many_are_estimated_within_four_standard_errors(count: int) -> None:
    assert distinct.count([distinct.pack(authors(count))]) == pytest.approx(count, rel=4 * 0.0163)


def test_a_crowd_and_a_few_who_are_partly_the_same_are_united() -> None:
    crowd, few = distinct.pack(authors(20_000)), distinct.pack(authors(1_000, start=19_500))
    assert distinct.count([crowd, few]) == pytest.approx(20_500, rel=4 * 0.0163)
    assert distinct.count([few, crowd]) == distinct.count([crowd, few])
    assert len(crowd) < 5_000


def test_nobody_is_nobody() -> None:
    assert distinct.count([]) == distinct.count([distinct.pack([])]) == 0
