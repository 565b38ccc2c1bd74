"""Numbers, lengths and moments as they stand in sentences, in French and in English."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tocsin.contracts.settings.base import format_duration


def number(value: float) -> str:
    """Two figures say enough: 2.4, 4, 37."""
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def french_number(value: float) -> str:
    """The same with a decimal comma."""
    return number(value).replace(".", ",")


def count(value: int) -> str:
    """`100,000`."""
    return f"{value:,}"


def french_count(value: int) -> str:
    """`100 000`, with narrow spaces that do not break."""
    return f"{value:,}".replace(",", "\u202f")


def several(value: float, one: str, more: str) -> str:
    """French counts in the plural from two on: 1,9 attendue, 2 attendues."""
    return more if float(number(value)) >= 2 else one


def french_duration(length: timedelta) -> str:
    """`3 h`, `2 j`."""
    return format_duration(length).replace(" d", " j")


def moment(at: datetime) -> str:
    """`10 Mar 12:05 UTC`."""
    return f"{at.astimezone(UTC):%-d %b %H:%M} UTC"


def french_moment(at: datetime) -> str:
    """`10/03 à 12:05 UTC`."""
    return f"{at.astimezone(UTC):%d/%m à %H:%M} UTC"
