"""What the shipped weights come from: a first round of runs and their average, which then teaches a second round.

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

_TAUGHT = ["--broad-until", "0.92", "--teaching", "1.0", "--side-share", "0.27"]

TAUGHT = Stage("taught", 84, [*_LONG, "--anew", *_TAUGHT, "--evaluations", "20", "--stop-at", "0.6", "--seed", "21"])
"""From the pretrained encoder once more, with what the first round thinks of every text as soft labels beside the sets' own."""

REMEMBERING = Stage(
    "remembering",
    26,
    [
        *("--broad-until", "0.85", "--teaching", "1.0", "--side-share", "0.3", "--evaluations", "6"),
        *("--rate", "7.5e-5", "--embedding-rate", "6.3e-5", "--seed", "55"),
    ],
)
"""On from there to the end of its rates, and the layers are to say again what the pretrained encoder said of a text's topic."""

TAUGHT_TEXTS = 140_000
"""How many texts beside the target set's get a soft label at most, the same number of each language that has so many."""

SHARES = (1.0, 2.0)
"""How much the end of that run counts in their average, and the average of the first round."""

READ = Stage(
    "read",
    18,
    [
        *("--teaching", "0.5", "--augment", "--evaluations", "4", "--seed", "72"),
        *("--rate", "7.5e-5", "--embedding-rate", "5e-5"),
    ],
)
"""On from that average, with memory and second readings beside the sets' labels; what ships is the average of both. (On a processor
without bfloat16 it had 66 minutes for its 1,424 steps; 18 is what these should take with it, and was not tried.)"""
