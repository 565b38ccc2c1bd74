"""Packing texts into passes: nothing lost, nothing over the budget, everything back in its place."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.classify.batching import distinct, pack, restore

lengths_of_texts = st.lists(st.integers(min_value=0, max_value=200), max_size=120)
budgets = st.integers(min_value=1, max_value=3000)


@given(lengths_of_texts, budgets)
def test_every_text_is_in_exactly_one_batch(lengths: list[int], budget: int) -> None:
    batches = pack(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))


@given(lengths_of_texts, budgets)
def test_a_batch_of_several_stays_within_the_budget_of_padded_tokens(lengths: list[int], budget: int) -> None:
    for batch in pack(lengths, budget):
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= budget


@given(lengths_of_texts, budgets)
def test_two_neighbouring_batches_would_not_have_fitted_into_one(lengths: list[int], budget: int) -> None:
    batches = pack(lengths, budget)
    for batch, following in pairwise(batches):
        longest = max(1, *(lengths[i] for i in batch))
        assert longest * (len(batch) + 1) > budget
        assert min(lengths[i] for i in batch) >= max(lengths[i] for i in following)


@given(lengths_of_texts, budgets)
def test_values_of_batches_come_back_in_the_order_of_the_texts(lengths: list[int], budget: int) -> None:
    batches = pack(lengths, budget)
    assert restore(batches, [[i * 10 for i in batch] for batch in batches]) == [i * 10 for i in range(len(lengths))]


def test_equal_lengths_keep_their_order() -> None:
    assert pack([5, 5, 5, 5], 10) == [[0, 1], [2, 3]]


def test_a_text_longer_than_the_budget_goes_alone() -> None:
    assert pack([3, 500, 3], 100) == [[1], [0, 2]]


def test_no_texts_make_no_batches() -> None:
    assert pack([], 100) == []


@pytest.mark.parametrize(("lengths", "budget"), [([1], 0), ([-1], 10)])
def test_impossible_lengths_and_budgets_are_refused(lengths: list[int], budget: int) -> None:
    with pytest.raises(ValueError, match=r"budget|tokens long"):
        pack(lengths, budget)


def test_values_that_do_not_belong_to_the_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        restore([[0, 1]], [["only one"]])


@given(st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=30))
def test_copies_are_kept_once_and_found_again(texts: list[str]) -> None:
    unique, positions = distinct(texts)
    assert len(set(unique)) == len(unique)
    assert [unique[position] for position in positions] == texts


def test_different_texts_keep_the_order_of_first_appearance() -> None:
    assert distinct(["b", "a", "b"]) == (["b", "a"], [0, 1, 0])
