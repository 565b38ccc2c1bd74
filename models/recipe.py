"""What the shipped weights come from: short runs, their average, one run more from the pretrained encoder, and their average.

`models/EXPERIMENTS.md` says what each setting gave; `models/make.py` runs them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Stage:
    """One training: `minutes` of the clock on one core, and the options of `models/train.py` beside the common ones."""

    name: str
    minutes: float
    options: list[str] = field(default_factory=list)


_SHORT = ["--evaluations", "2", "--broad-until", "1.1", "--rate", "6e-5", "--embedding-rate", "6e-5"]
_LONG = [
    "--evaluations",
    "6",
    "--broad-until",
    "0.85",
    "--rate",
    "1.8e-4",
    "--embedding-rate",
    "1.5e-4",
    "--side-share",
    "0.25",
]

FROM_BACKBONE = Stage("backbone", 80, _LONG)
CONTINUATIONS = (
    Stage("plain", 8, _SHORT),
    Stage("augment", 8, [*_SHORT, "--augment"]),
    Stage("rdrop", 7, [*_SHORT, "--drop", "0.5"]),
)
"""From one beginning; their ends are averaged."""

ANEW = Stage("anew", 27, [*_LONG, "--seed", "7", "--anew"])
"""From the pretrained encoder again, with the heads of that average: far enough from it that both together are better."""
