"""Templates of a team: names are filled in; what fails, runs too long or reaches for more is refused with a reason."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.templating import LONGEST_OUTPUT, LONGEST_TEMPLATE, TemplateRefused, fill_in

VALUES = {"brand": "Lunéa", "author": "<b>{{ brand }}</b>", "none": ""}


def test_names_are_filled_in_and_what_they_hold_is_not_read_again() -> None:
    assert (
        fill_in("Hello {{ author }}, this is {{ brand | upper }}.", VALUES)
        == "Hello <b>{{ brand }}</b>, this is LUNÉA."
    )
    assert fill_in("{% if none %}x{% else %}{{ none or brand }}{% endif %}", VALUES) == "Lunéa"


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(1000000000) %}x{% endfor %}",
        "{{ brand * 1000000000 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{% set a = brand %}{{ a }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ brand.__class__.__mro__ }}",
        "{{ brand['upper'] }}",
        "{{ brand | center(100000000) }}",
        "{{ lipsum() }}",
        "{% include '/etc/passwd' %}",
        "{{ nobody }}",
        "{{ brand",
        "{% if brand %}",
        "x" * (LONGEST_TEMPLATE + 1),
        "{{ brand ~ brand ~ brand }}",
    ],
)
def test_what_would_fail_run_long_or_reach_for_more_is_refused(source: str) -> None:
    with pytest.raises(TemplateRefused):
        fill_in(source, VALUES)


def test_the_output_is_bounded_too() -> None:
    with pytest.raises(TemplateRefused, match="beyond"):
        fill_in("{{ long }}" * 3, {"long": "x" * (LONGEST_OUTPUT // 2)})


@given(st.text(alphabet="{}%|~ ifelsndbra.()[]'*+", max_size=60))
def test_whatever_is_written_is_filled_in_or_refused(source: str) -> None:
    with contextlib.suppress(TemplateRefused):
        assert len(fill_in(source, VALUES)) <= LONGEST_OUTPUT
