"""The long form of tests/integration/protocol/test_kill.py: `kill -9` of the alert process at each boundary.

    make bench-kills [ARGS="--kills 600 --seed 3"]

Half of the kills on SQLite (one process), half on PostgreSQL (beside a second process that is not killed). Prints a row of
docs/benchmarks.md for each; exit status 1 where a message is lost, or a kill repeats more than one. Where a machine has no
hour to spare, several runs with seeds of their own add up.
"""

from __future__ import annotations

import argparse
import sys

import pytest

from tests.load.alert_kills_long_form import CHOSEN


def main() -> int:
    """Run the long form through pytest, which finds the servers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=600)
    parser.add_argument("--seed", type=int, default=3)
    chosen = parser.parse_args()
    print("| where | kills at | messages | lost | delivered twice | told twice to a receiver that deduplicates |")
    options = ["-q", "-s", "-p", "no:cacheprovider", "--timeout=7200", "tests/load/alert_kills_long_form.py"]
    return int(pytest.main(options, plugins=[_Chosen(chosen)]))


class _Chosen:
    """Hands the command line's numbers to the long form."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self._chosen = chosen

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[CHOSEN] = self._chosen


if __name__ == "__main__":
    sys.exit(main())
