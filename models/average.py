"""Averages the weights of several checkpoints, which is steadier than any of them (a model soup, Wortsman et al. 2022).

`python -m models.average OUT A/best.pt B/evaluation-2.pt` averages them all. With `--greedy DATA` they are tried in order of their
own figure on validation, and one is taken in only where the average gains by it. The checkpoints must be moments of one run, or of
runs with one beginning: otherwise their weights do not belong together. A folder of export stands for the network in it. OUT is a
work folder as `models/export.py` reads it, with the tokenizer of the first checkpoint. With `--without-layers 7 9 12` the average, or
a single checkpoint, loses these layers: the beginning of a shallower network.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from models.batches import encode
from models.data import validation
from models.evaluate import sentiment_figures
from models.start import saved_network, shipped_network
from models.train import sentiment_scores

State = dict[str, torch.Tensor]

_LAYER = ".layer."
"""What stands before a layer's number in the name of each of its weights."""


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="work folder that gets best.pt and the tokenizer")
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--greedy", type=Path, metavar="DATA", help="measure on this folder's validation set")
    parser.add_argument(
        "--shares", type=float, nargs="+", help="how much each checkpoint weighs; default: all the same"
    )
    parser.add_argument(
        "--without-layers", type=int, nargs="+", default=[], help="left out of what comes out, counted from 1"
    )
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args(argv)
    if chosen.without_layers and chosen.greedy:
        parser.error("--without-layers makes one network shallower, and --greedy looks for one first: call it twice")
    if chosen.shares is not None and (chosen.greedy or len(chosen.shares) != len(chosen.checkpoints)):
        parser.error("--shares takes one number a checkpoint, and no --greedy")
    return chosen


def average(states: Sequence[State], shares: Sequence[float] | None = None) -> State:
    """The mean of each weight; `shares` say how much each state counts."""
    parts = torch.tensor(shares or [1.0] * len(states))
    parts = parts / parts.sum()
    return {
        name: torch.stack([part * state[name].float() for part, state in zip(parts, states, strict=True)]).sum(0)
        for name in states[0]
    }


def without_layers(state: State, numbers: Sequence[int]) -> State:
    """A network with fewer layers, which then needs training: those that are left keep their order and their weights.

    Raises ValueError for a number of no layer; they are counted from 1.
    """
    layers = len({_layer(name) for name in state} - {None})
    missing = sorted(set(numbers) - set(range(1, layers + 1)))
    if missing:
        raise ValueError(f"the network has {layers} layers, and none with the number {missing[0]}")
    left = [number for number in range(layers) if number + 1 not in numbers]
    kept: State = {}
    for name, weights in state.items():
        number = _layer(name)
        if number is None:
            kept[name] = weights
        elif number in left:
            kept[name.replace(f"{_LAYER}{number}.", f"{_LAYER}{left.index(number)}.")] = weights
    return kept


def _layer(name: str) -> int | None:
    """Of which layer a weight is, counted from 0; None for what is of no layer."""
    _, found, rest = name.partition(_LAYER)
    return int(rest.partition(".")[0]) if found else None


def state_of(path: Path) -> State:
    """The weights of a checkpoint, or of the network in a folder of export."""
    state: State = (
        shipped_network(path / "model.onnx").state_dict() if path.is_dir() else torch.load(path, weights_only=True)
    )
    return state


def greedy(states: dict[str, State], figure: Callable[[State], float]) -> tuple[State, list[str]]:
    """Take in one state after another, the best first, while the average's figure does not fall."""
    alone = {name: figure(state) for name, state in states.items()}
    order = sorted(alone, key=lambda name: -alone[name])
    taken, best, soup = [order[0]], alone[order[0]], states[order[0]]
    for name in order[1:]:
        tried = average([states[each] for each in (*taken, name)])
        reached = figure(tried)
        if reached >= best:
            taken, best, soup = [*taken, name], reached, tried
    return soup, taken


def run(chosen: argparse.Namespace) -> None:
    """Read, average, write."""
    torch.set_num_threads(chosen.threads)
    chosen.output.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "vocabulary_rows.json"):
        shutil.copyfile(chosen.checkpoints[0].parent / name, chosen.output / name)
    states: dict[str, State] = {str(path): state_of(path) for path in chosen.checkpoints}
    mean = average(list(states.values()), chosen.shares)
    torch.save(without_layers(mean, chosen.without_layers), chosen.output / "best.pt")
    if chosen.greedy is None:
        return
    checked = validation(chosen.greedy)
    network, tokenizer = saved_network(chosen.output)
    ids = encode(tokenizer, [example.text for example in checked])

    def figure(state: State) -> float:
        network.load_state_dict(state)
        figures = sentiment_figures(checked, sentiment_scores(network, ids).argmax(1).tolist())
        print(json.dumps(figures), flush=True)
        return figures["mean"]

    print("all together:")
    figure(average(list(states.values())))
    print("one by one, then greedily:")
    soup, taken = greedy(states, figure)
    print("taken:", *taken)
    torch.save(soup, chosen.output / "best.pt")


if __name__ == "__main__":
    run(arguments(sys.argv[1:]))
