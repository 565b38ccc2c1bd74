"""Cursors come back as they went out, and nothing else is taken for one."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.cursors import Cursor, UnreadableCursor


@given(
    st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.uuids(),
)
def test_a_cursor_is_read_back_to_the_microsecond(at: datetime, identifier: uuid.UUID) -> None:
    cursor = Cursor(at, identifier)
    assert Cursor.parse(str(cursor)) == cursor


@given(st.text())
def test_any_other_text_is_refused_and_never_an_error_of_ours(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except UnreadableCursor:
        return
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "x", "W10", "WzEsMl0", "bnVsbA", "eyJhIjoxfQ", "[1,2]", "A" * 10_000])
def test_texts_that_look_a_little_like_one_are_refused(text: str) -> None:
    with pytest.raises(UnreadableCursor, match="give back `next`"):
        Cursor.parse(text)
