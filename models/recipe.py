"""What the shipped weights come from: one long run, short ones from its end, their average, and one run more.

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

FROM_BACKBONE = Stage("backbone", 80, ["--broad-until", "0.9"])
CONTINUATIONS = (
    Stage("plain", 8, _SHORT),
    Stage("augment", 8, [*_SHORT, "--augment"]),
    Stage("hindi", 7, [*_SHORT, "--emphasis", "hi=3"]),
    Stage("rdrop", 7, [*_SHORT, "--drop", "0.5"]),
)
LAST = Stage("last", 27, ["--broad-until", "1.1", "--rate", "6e-5", "--embedding-rate", "6e-5"])
