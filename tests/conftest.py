"""Fixtures that every kind of test may ask for."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.brokers", "tests.browser", "tests.databases"]

# How fast a machine is says nothing of whether the code is right: on one that is busy, an example that takes longer than
# Hypothesis's 200 ms, or examples that are slow to make, would fail a test that is as true as ever.
settings.register_profile("tocsin", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tocsin")

_ROOT = Path(__file__).parent
_LONGEST_FIRST = ("e2e", "integration", "contract", "unit")
"""A file goes to one process as a whole; a long one that is given out last leaves the other process waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: whole paths, then real servers; files stay whole and in their order."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    folder = item.path.relative_to(_ROOT).parts[0] if item.path.is_relative_to(_ROOT) else ""
    return _LONGEST_FIRST.index(folder) if folder in _LONGEST_FIRST else 0
