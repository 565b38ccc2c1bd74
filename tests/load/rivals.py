"""What Tocsin's classifier is measured against: the bare session, and `transformers.pipeline` as people use it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from services.classify.batching import pack
from services.classify.classifiers.preparation import prepare

MODEL_MAXIMUM = 512
"""Tokens that networks of this family read, and that a pipeline gives them; ours is given 96."""
Arrays = list[NDArray[np.int64]]


class BareSession:
    """`InferenceSession.run` with ONNX Runtime's own defaults but for the number of threads."""

    def __init__(self, folder: Path, threads: int, budget: int) -> None:
        self._budget = budget
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._pad = config["pad_id"]
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(config["maximum_length"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def arrays(self, texts: Sequence[str]) -> Arrays:
        """The very batches that the classifier makes of these texts, ready to be run."""
        texts = list(dict.fromkeys(prepare(text) for text in texts))
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        arrays = []
        for batch in pack([len(each) for each in ids], self._budget):
            tokens = np.full((len(batch), max(len(ids[i]) for i in batch)), self._pad, np.int64)
            for row, index in zip(tokens, batch, strict=True):
                row[: len(ids[index])] = ids[index]
            arrays.append(tokens)
        return arrays

    def run(self, arrays: Arrays) -> None:
        """Nothing but the network."""
        for tokens in arrays:
            self._session.run(None, {"tokens": tokens})


def pipeline_of_our_shape(folder: Path, threads: int) -> Callable[..., Any]:
    """A pipeline in fp32 on a network with the layers, widths and vocabulary of ours, and our tokenizer.

    Its weights are random: the time does not depend on their values.
    """
    from transformers import BertConfig, BertForSequenceClassification

    tokenizer = _tokenizer(folder)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=384, num_hidden_layers=12, num_attention_heads=12,
        intermediate_size=1536, max_position_embeddings=512, num_labels=3,
    )  # fmt: skip
    return _pipeline(BertForSequenceClassification(config), tokenizer, threads)


def pipeline_of_xlm_r_base(folder: Path, threads: int) -> Callable[..., Any]:
    """A pipeline on the architecture of `cardiffnlp/twitter-xlm-roberta-base-sentiment` (278 M) with random weights.

    The pieces are our tokenizer's, which cuts texts as XLM-R's does and knows a part of its vocabulary.
    """
    from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification

    tokenizer = _tokenizer(folder)
    config = XLMRobertaConfig(
        vocab_size=250_002, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
        intermediate_size=3072, max_position_embeddings=514, type_vocab_size=1, num_labels=3,
    )  # fmt: skip
    return _pipeline(XLMRobertaForSequenceClassification(config), tokenizer, threads)


def _tokenizer(folder: Path) -> Any:
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), pad_token="<pad>", model_max_length=MODEL_MAXIMUM
    )


def _pipeline(network: Any, tokenizer: Any, threads: int) -> Callable[..., Any]:
    import torch
    from transformers import pipeline

    torch.set_num_threads(threads)
    classify = pipeline("text-classification", model=network.eval(), tokenizer=tokenizer)

    def run(texts: Sequence[str] | str, max_length: int = MODEL_MAXIMUM, **options: Any) -> Any:
        # Cut where the network ends, because at its very defaults the pipeline fails on a longer text.
        return classify(texts, truncation=True, max_length=max_length, **options)

    return run
