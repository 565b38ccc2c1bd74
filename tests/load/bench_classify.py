"""How much of the raw network's speed `classify()` keeps, tokenising included: `make bench-classify`.

Three ways over the same texts on the same machine, in turn, the best of several rounds each: `InferenceSession.run` on
arrays that are ready (the limit), `classify()`, and `transformers.pipeline` with a network of the same shape where torch
is installed. Texts are made up, of the lengths of posts; with TOCSIN_TEST_DATA they are real ones.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from services.classify.batching import pack
from services.classify.classifiers.onnx import OnnxClassifier
from services.classify.classifiers.preparation import prepare
from services.classify.classifiers.shipped import shipped_folder

BUDGET = 2048
POSTS = (
    "the train was late again and nobody told us why merci pour votre accueil el pedido no llega desde hace días "
    "Paket ist da und alles gut il servizio è pessimo não recebi meu dinheiro शिकायत bahut accha هذا المنتج رائع 😡 😀"
)


def texts_of(count: int) -> list[str]:
    """Different texts: UMSAB's where the test data is there, else made up of words."""
    folder = os.environ.get("TOCSIN_TEST_DATA")
    if folder:
        path = Path(folder) / "sentiment/umsab_train.jsonl"
        rows = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
        return random.Random(1).sample(sorted(set(rows)), count)
    chance = random.Random(1)
    return [" ".join(chance.choices(POSTS.split(), k=chance.randint(4, 32))) + f" {number}" for number in range(count)]


def best(run: Callable[[], Any], rounds: int) -> float:
    """Seconds of the fastest round."""
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def raw_passes(folder: Path, texts: Sequence[str], threads: int) -> Callable[[], None]:
    """The bare network on arrays that are ready, in the same batches."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(config["maximum_length"])
    ids = [encoding.ids for encoding in tokenizer.encode_batch([prepare(text) for text in texts])]
    arrays = []
    for batch in pack([len(each) for each in ids], BUDGET):
        tokens = np.full((len(batch), max(len(ids[i]) for i in batch)), config["pad_id"], np.int64)
        for row, index in zip(tokens, batch, strict=True):
            row[: len(ids[index])] = ids[index]
        arrays.append(tokens)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])

    def run() -> None:
        for tokens in arrays:
            session.run(None, {"tokens": tokens})

    return run


def pipeline_passes(texts: Sequence[str], threads: int) -> Callable[[], None]:
    """`transformers.pipeline` as its documentation shows it, on random weights of the shipped network's shape."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast, pipeline

    torch.set_num_threads(threads)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(shipped_folder() / "tokenizer.json"), pad_token="<pad>", model_max_length=96
    )
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=384, num_attention_heads=12, intermediate_size=1536, num_labels=3
    )
    classify = pipeline("text-classification", model=BertForSequenceClassification(config).eval(), tokenizer=tokenizer)
    prepared = [prepare(text) for text in texts]

    def run() -> None:
        classify(prepared, truncation=True)

    return run


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    chosen = parser.parse_args()
    texts = texts_of(chosen.texts)
    folder = shipped_folder()
    classifier = OnnxClassifier(folder, chosen.threads, BUDGET)
    raw = best(raw_passes(folder, texts, chosen.threads), chosen.rounds)
    ours = best(lambda: classifier.classify(texts), chosen.rounds)
    rows = [("InferenceSession.run on ready arrays", raw), ("classify(), tokenising included", ours)]
    if find_spec("torch") and find_spec("transformers"):
        # a tenth of the texts: it takes them one at a time
        few = texts[: max(1, len(texts) // 10)]
        rows.append(("transformers.pipeline", best(pipeline_passes(few, chosen.threads), 1) * len(texts) / len(few)))
    print(f"{len(texts)} texts, {chosen.threads} threads, best of {chosen.rounds} rounds")
    print(f"{'':38}{'texts/s':>10}{'of the raw network':>20}")
    for name, seconds in rows:
        print(f"{name:38}{len(texts) / seconds:>10.0f}{raw / seconds:>20.1%}")


if __name__ == "__main__":
    main()
