"""What the pretrained encoder makes of texts: its embeddings, for a training that is not to forget what a text is about.

`python -m models.memory DATA --work-folder RUN --weights e5-small-q4.bin --output memory.npz`. A network that learns
sentiment loses much of what its layers knew of topics, and the kinds of risk and the stories are made from them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer

from models.backbone import hub_backbone, packed_backbone
from models.data import training
from models.heads import layer_means
from models.readings import digest_of
from models.sets import TARGET

ASKED = (TARGET, "prototypes")
"""Whose texts it is asked about: those that a training sees most often, and those that the kinds are made from."""


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work-folder", type=Path, required=True, help="of a run: its tokenizer and vocabulary")
    parser.add_argument("--weights", type=Path, help="packed backbone")
    parser.add_argument("--backbone", help="or its name on a model hub")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    chosen = parser.parse_args(argv)
    if (chosen.weights is None) == (chosen.backbone is None):
        parser.error("give one of --weights and --backbone")
    return chosen


def run(chosen: argparse.Namespace) -> None:
    """Embed, centre, write."""
    torch.set_num_threads(chosen.threads)
    rows = json.loads((chosen.work_folder / "vocabulary_rows.json").read_text())
    pretrained = packed_backbone(chosen.weights, rows) if chosen.weights else hub_backbone(chosen.backbone, rows)
    tokenizer = Tokenizer.from_file(str(chosen.work_folder / "tokenizer.json"))
    texts = list(dict.fromkeys(e.text for e in training(chosen.data) if e.source in ASKED))
    depth = pretrained.config.num_hidden_layers
    # As the backbone wants its texts for comparing them with one another.
    vectors = layer_means(pretrained, tokenizer, [f"query: {text}" for text in texts], (depth,))[depth]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors -= vectors.mean(0)
    digests = np.array([digest_of(text) for text in texts])
    np.savez(chosen.output, digests=digests, vectors=vectors.astype(np.float16))


if __name__ == "__main__":
    run(arguments(sys.argv[1:]))
