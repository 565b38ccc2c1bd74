"""Fixtures that every kind of test may ask for."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.brokers", "tests.browser", "tests.databases"]

# How fast a machine is says nothing of whether the code is right: on one that is busy, an example that takes longer than
# Hypothesis's 200 ms, or examples that are slow to make, would fail a test that is as true as ever.
settings.register_profile("tocsin", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tocsin")
