"""A network with fewer layers begins where the deeper one was."""

from __future__ import annotations

import pytest

from tests.requirements import require_training

require_training()

import torch
from transformers import BertModel

from models import train
from models.backbone import encoder_config
from models.network import Network
from models.start import leave_out_layers


@pytest.fixture
def network() -> Network:
    torch.manual_seed(1)
    config = encoder_config(
        vocab_size=50, hidden_size=64, num_hidden_layers=8, num_attention_heads=2, intermediate_size=128
    )
    return Network(BertModel(config, add_pooling_layer=False)).eval()


def test_the_layers_that_are_left_stay_in_their_order_with_their_weights(network: Network) -> None:
    before = list(network.backbone.encoder.layer)
    leave_out_layers(network, [6, 8])
    assert list(network.backbone.encoder.layer) == [before[number] for number in (0, 1, 2, 3, 4, 6)]


def test_the_heads_look_at_the_same_parts_of_what_is_left(network: Network) -> None:
    leave_out_layers(network, [6, 8])
    assert network.layers[-1] == network.backbone.config.num_hidden_layers == 6
    tokens = torch.tensor([[0, 7, 9, 2]])
    means = network.means(tokens, torch.ones_like(tokens))
    assert network.kinds(torch.cat(means, dim=1)).shape == (1, network.kinds.out_features)


def test_a_network_without_any_layer_left_out_is_as_it_was(network: Network) -> None:
    layers = network.layers
    leave_out_layers(network, [])
    assert network.layers == layers


@pytest.mark.parametrize("numbers", [[0], [9]])
def test_a_layer_that_is_not_there_cannot_be_left_out(network: Network, numbers: list[int]) -> None:
    with pytest.raises(ValueError, match=f"none with the number {numbers[0]}"):
        leave_out_layers(network, numbers)


def test_so_many_layers_stay_as_the_heads_look_at(network: Network) -> None:
    with pytest.raises(ValueError, match="too few"):
        leave_out_layers(network, [1, 2, 3, 4, 5])


def test_layers_of_the_pretrained_encoder_are_not_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.arguments(["d", "--work-folder", "w", "--tokenizer", "t", "--weights", "e5", "--without-layers", "3"])
    assert "leaves layers of --start out" in capsys.readouterr().err
