"""A Hugging Face classifier with random weights, small enough to be made in a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def save_tiny_network(folder: Path, labels: Sequence[str] | None) -> None:
    """Network and tokenizer in `folder`; without `labels` they are called LABEL_0, LABEL_1, LABEL_2. Needs torch."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(1)
    letters = [chr(number) for number in range(33, 127)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    names = dict(enumerate(labels or ["LABEL_0", "LABEL_1", "LABEL_2"]))
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        id2label=names,
        label2id={name: number for number, name in names.items()},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
