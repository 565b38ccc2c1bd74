"""What a figure has changed against the period before: one definition for every figure that tells it (docs/figures.md)."""

from __future__ import annotations


def relative_change(before: float | None, now: float | None) -> float | None:
    """0.25: a quarter more. None where there was nothing before, or either is not known."""
    return None if not before or now is None else round(now / before - 1, 4)


def difference(before: float | None, now: float | None) -> float | None:
    """Of what is a share already, or has a sign. None where either is not known."""
    return None if before is None or now is None else round(now - before, 4)
