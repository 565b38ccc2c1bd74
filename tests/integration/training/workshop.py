"""A world small enough to train in: a few made-up words a language, sets in their real shapes, an encoder of four thin layers."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel

from models.data import LANGUAGES
from models.prototypes import prototypes
from models.sets import SENTIMENT_SETS, TOXICITY_SETS

WORDS = {
    "negative": ["awful", "broken", "honteux", "schlecht", "pessimo", "ghatiya", "سيئ", "fatal"],
    "neutral": ["today", "train", "demain", "Uhr", "strada", "kal", "غدا", "mesa"],
    "positive": ["lovely", "great", "superbe", "toll", "ottimo", "accha", "رائع", "genial"],
}
FILLERS = [
    f"{head}{tail}"
    for head in ("ba", "do", "ki", "lu", "me", "ra")
    for tail in ("ner", "vol", "sta", "mip", "quen", "dri")
]


def text(label: str, chance: random.Random) -> str:
    """Some filler with one word that gives the label away."""
    words = [chance.choice(FILLERS) for _ in range(chance.randint(3, 6))]
    words.insert(chance.randint(0, len(words)), chance.choice(WORDS[label]))
    return " ".join(words)


def write_data(folder: Path) -> None:
    """Every file that `models/data.py` and `models/measures.py` read, with rows of our own."""
    chance = random.Random(5)
    labels = list(WORDS)

    def write(path: str, rows: list[dict[str, object]]) -> None:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("a", encoding="utf-8") as lines:
            lines.writelines(json.dumps(row) + "\n" for row in rows)

    def row(label: str, task: str = "sentiment", told: str | None = None, lang: str = "en") -> dict[str, object]:
        return {"text": text(label, chance), "label": told or label, "lang": lang, "task": task}

    for part, count in (("train", 24), ("val", 8)):
        write(
            f"sentiment/umsab_{part}.jsonl",
            [row(label, lang=lang) for lang in LANGUAGES for label in labels for _ in range(count)],
        )
    emotions = {"negative": "anger", "positive": "joy", "neutral": "others"}
    for each in SENTIMENT_SETS:
        told = emotions if each.task == "emotion" else {}
        write(each.path, [row(label, each.task, told.get(label)) for label in labels for _ in range(40)])
    write(
        "sentiment/germeval2017_db_de.jsonl",
        [
            row(label, "brand_relevance", told, "de")
            for label in labels
            for told in ("relevant", "irrelevant")
            for _ in range(40)
        ],
    )
    for _, path, task, _ in TOXICITY_SETS:
        toxic = (
            {"negative": "offensive", "positive": "not-offensive"}
            if task == "offensive"
            else {"negative": "toxic", "positive": "normal"}
        )
        for target in {path, path.replace("train", "val")} if task == "offensive" else {path}:
            write(
                target,
                [
                    row(label, task, told, lang)
                    for label, told in toxic.items()
                    for lang in ("en", "fr")
                    for _ in range(60)
                ],
            )
    complaint = {"negative": "complaint", "positive": "no_complaint"}
    write(
        "risk/complaints_twitter_en.jsonl",
        [row(label, "complaint", told) for label, told in complaint.items() for _ in range(60)],
    )
    bombing = {"negative": "review_bombing", "positive": "other"}
    write(
        "risk/review_bombing_train.jsonl",
        [
            {**row(label, told=told), "project": game}
            for game in ("One", "Two")
            for label, told in bombing.items()
            for _ in range(20)
        ],
    )
    informative = {"negative": "Related and informative", "neutral": "Not related"}
    write(
        "risk/crisislex_t26_sample.jsonl",
        [{**row(label, told=told), "event": str(n % 3)} for label, told in informative.items() for n in range(60)],
    )
    write("streams/airlines_dev.jsonl", [{**row(label), "sentiment": label} for label in labels for _ in range(20)])
    write("streams/boycott_2012_2019.jsonl", [row("negative") for _ in range(20)])


def write_backbone(folder: Path) -> None:
    """An untrained encoder and the tokenizer to it, in the shapes of a model hub."""
    chance = random.Random(6)
    corpus = [text(label, chance) for label in WORDS for _ in range(200)] + [p.text for p in prototypes()[:400]]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=900, special_tokens=["<s>", "<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    BertModel(
        BertConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=64,
            num_hidden_layers=4,
            num_attention_heads=2,
            intermediate_size=128,
            max_position_embeddings=128,
            pad_token_id=1,
        ),
        add_pooling_layer=False,
    ).save_pretrained(folder)
