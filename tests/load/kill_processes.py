"""The long form: 5,000 mentions flow while every process is killed again and again, on both installations.

    python -m tests.load.kill_processes [--count 5000] [--rounds 5] [--seed 1] [--only embedded]

Exit status 1 where anything is lost, is there twice, or an incident was told to nobody. Kafka and PostgreSQL are found as the
tests find them.
"""

from __future__ import annotations

import argparse
import sys

import pytest

from tests.load.kills_long_form import CHOSEN


def main() -> int:
    """Run the long form through pytest, which finds the servers, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=["embedded", "kafka"], default=None)
    chosen = parser.parse_args()
    options = ["-q", "-s", "-p", "no:cacheprovider", "--timeout=3600", "tests/load/kills_long_form.py"]
    if chosen.only:
        options += ["-k", chosen.only]
    return int(pytest.main(options, plugins=[_Chosen(chosen)]))


class _Chosen:
    """Hands the command line's numbers to the long form."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self._chosen = chosen

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[CHOSEN] = self._chosen


if __name__ == "__main__":
    sys.exit(main())
