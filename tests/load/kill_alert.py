"""The long form of tests/integration/protocol/test_kill.py: `kill -9` of the alert process at each boundary.

    python -m tests.load.kill_alert [--kills 300]

Half of the kills on SQLite (one process), half on PostgreSQL (beside a second process that is not killed). Prints a row of
docs/benchmarks.md for each; exit status 1 where a message is lost, or a kill repeats more than one.
"""

from __future__ import annotations

import argparse
import sys

import pytest

from tests.load.alert_kills_long_form import KILLS


def main() -> int:
    """Run the long form through pytest, which finds the servers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    kills = parser.parse_args().kills // 2
    print("| where | kills at | messages | lost | delivered twice | told twice to a receiver that deduplicates |")
    options = ["-q", "-s", "-p", "no:cacheprovider", "--timeout=7200", "tests/load/alert_kills_long_form.py"]
    return int(pytest.main(options, plugins=[_Chosen(kills)]))


class _Chosen:
    """Hands the number to the long form."""

    def __init__(self, kills: int) -> None:
        self._kills = kills

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[KILLS] = self._kills


if __name__ == "__main__":
    sys.exit(main())
