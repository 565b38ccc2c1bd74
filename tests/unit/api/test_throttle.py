"""Buckets of requests: how many pass at once, how fast they fill again, and that one name does not empty another's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.api.throttle import Buckets


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_as_many_as_fit_pass_at_once_and_then_one_for_each_that_flows_back() -> None:
    passed = Stopwatch()
    buckets = Buckets(60, 3, passed)
    assert [buckets.take("a").passes for _ in range(4)] == [True, True, True, False]
    refused = buckets.take("a")
    assert (refused.remaining, refused.wait_seconds) == (0, 1.0)
    passed.seconds += 1
    assert [buckets.take("a").passes for _ in range(2)] == [True, False]


def test_a_bucket_is_full_again_after_the_seconds_that_it_tells() -> None:
    passed = Stopwatch()
    buckets = Buckets(60, 3, passed)
    buckets.take("a")
    passed.seconds += buckets.take("a").full_seconds
    assert [buckets.take("a").passes for _ in range(4)] == [True, True, True, False]


def test_one_does_not_empty_the_bucket_of_another() -> None:
    buckets = Buckets(60, 1, Stopwatch())
    assert buckets.take("a").passes
    assert not buckets.take("a").passes
    assert buckets.take("b").passes


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_never_do_more_pass_than_the_bucket_held_and_what_flowed_in(pauses: list[float]) -> None:
    passed = Stopwatch()
    buckets = Buckets(60, 5, passed)
    through = 0
    for pause in pauses:
        passed.seconds += pause
        through += buckets.take("a").passes
    assert through <= 5 + passed.seconds + 1e-6
