"""A network with fewer layers begins where the deeper one was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.requirements import require_training

require_training()

import torch
from tokenizers import Tokenizer, models
from transformers import BertModel

from models import average
from models.backbone import encoder_config
from models.network import Network
from models.start import saved_network

DEEP = 8


@pytest.fixture
def network() -> Network:
    torch.manual_seed(1)
    config = encoder_config(
        vocab_size=50, hidden_size=64, num_hidden_layers=DEEP, num_attention_heads=2, intermediate_size=128
    )
    return Network(BertModel(config, add_pooling_layer=False)).eval()


def written(network: Network, folder: Path) -> Path:
    torch.save(network.state_dict(), folder / "best.pt")
    Tokenizer(models.Unigram()).save(str(folder / "tokenizer.json"))
    (folder / "vocabulary_rows.json").touch()
    return folder / "best.pt"


def test_the_layers_that_are_left_stay_in_their_order_with_their_weights(network: Network, tmp_path: Path) -> None:
    options = [str(tmp_path / "shallow"), str(written(network, tmp_path)), "--without-layers", "6", "8"]
    average.run(average.arguments(options))
    shallow, _ = saved_network(tmp_path / "shallow")
    before = network.backbone.encoder.layer
    for layer, number in zip(shallow.backbone.encoder.layer, (0, 1, 2, 3, 4, 6), strict=True):
        for ours, kept in zip(before[number].parameters(), layer.parameters(), strict=True):
            assert torch.equal(ours, kept)


def test_the_heads_stay_and_look_at_the_same_parts_of_what_is_left(network: Network, tmp_path: Path) -> None:
    options = [str(tmp_path / "shallow"), str(written(network, tmp_path)), "--without-layers", "6", "8"]
    average.run(average.arguments(options))
    shallow, _ = saved_network(tmp_path / "shallow")
    assert shallow.layers[-1] == 6
    assert len(shallow.layers) == len(network.layers)
    assert torch.equal(shallow.kinds.weight, network.kinds.weight)


def test_a_network_without_any_layer_left_out_is_as_it_was(network: Network) -> None:
    state = network.state_dict()
    assert average.without_layers(state, []).keys() == state.keys()


@pytest.mark.parametrize("number", [0, DEEP + 1])
def test_a_layer_that_is_not_there_cannot_be_left_out(network: Network, number: int) -> None:
    with pytest.raises(ValueError, match=f"{DEEP} layers, and none with the number {number}"):
        average.without_layers(network.state_dict(), [number])


def test_layers_are_not_left_out_of_what_is_still_looked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        average.arguments(["out", "a.pt", "--greedy", "data", "--without-layers", "3"])
    assert "call it twice" in capsys.readouterr().err
