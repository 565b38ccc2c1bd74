"""Averages the weights of several evaluations of one run, which is steadier than any of them.

`python -m models.average WORK 4 5 8` reads `evaluation-4.pt`, … of the work folder and writes its `best.pt`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work_folder", type=Path)
    parser.add_argument("evaluations", type=int, nargs="+", help="their numbers, in eighths of the run")
    return parser.parse_args(argv)


def average(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of each weight; the states must come from one run, or their weights do not belong together."""
    return {name: torch.stack([state[name].float() for state in states]).mean(0) for name in states[0]}


def run(chosen: argparse.Namespace) -> None:
    """Read, average, write."""
    paths = [chosen.work_folder / f"evaluation-{number}.pt" for number in chosen.evaluations]
    torch.save(average([torch.load(path, weights_only=True) for path in paths]), chosen.work_folder / "best.pt")


if __name__ == "__main__":
    run(arguments(sys.argv[1:]))
