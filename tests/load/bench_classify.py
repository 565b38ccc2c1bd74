"""Mentions a second of the shipped network through the classify handler, beside what others make of the machine.

`make bench-classify`: one run, everything in turn on the same texts, chunk by chunk, so that what else the machine does falls
on all alike; a ratio is the median over the chunks. Beside the handler stand

- the bare `InferenceSession.run` on the same batches as ready-made arrays: the limit;
- `transformers.pipeline` at its defaults, cut at our 96 tokens, and with `batch_size=32`, in fp32, on a network of the same shape;
- the same at its defaults on a network of the size of XLM-R base (needs torch and transformers, as the one before).

Each for tweets and for texts of mixed length, in batches of 256 records as from the bus and one at a time. Handler means all:
reading the record, the passage, the tokenizer, the network, the classified record. Texts are UMSAB's where
TOCSIN_TEST_DATA names the data, else made up of words.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from services.classify.classifiers.shipped import open_classifier, shipped_folder
from services.classify.handler import ClassifyHandler
from services.classify.labelling import Labeller
from tests.load.rivals import BareSession, pipeline_of_our_shape, pipeline_of_xlm_r_base
from tocsin.bus.port import Record
from tocsin.clock import SystemClock
from tocsin.contracts import topics
from tocsin.contracts.codec import encode_mention
from tocsin.contracts.events import Mention
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.contracts.settings.services import ClassifierSettings
from tocsin.matching import BrandMatcher

CHUNK = 256
POSTS = (
    "the train was late again and nobody told us why merci pour votre accueil el pedido no llega desde hace días "
    "Paket ist da und alles gut il servizio è pessimo não recebi meu dinheiro शिकायत bahut accha هذا المنتج رائع 😡 😀"
)
NEEDED = {"raw": 0.85, "pipeline": 5.0, "xlm-r base": 20.0}
NOW = datetime(2026, 3, 14, tzinfo=UTC)


@dataclass
class Measured:
    """Mentions a second of each contender in one kind of input, chunk by chunk: by the clock, and of the processors' time."""

    speeds: dict[str, list[float]] = field(default_factory=dict)
    worked: dict[str, list[float]] = field(default_factory=dict)

    def time(self, name: str, count: int, run: Callable[[], Any]) -> None:
        began, worked = time.perf_counter(), time.process_time()
        run()
        self.speeds.setdefault(name, []).append(count / (time.perf_counter() - began))
        self.worked.setdefault(name, []).append(count / (time.process_time() - worked))

    def speed(self, name: str) -> float:
        return statistics.median(self.speeds[name])

    def ratio(self, name: str) -> float:
        """How many times as fast the handler is by the clock, the median over the chunks."""
        return statistics.median(h / other for h, other in zip(self.speeds["handler"], self.speeds[name], strict=True))

    def ratio_of_work(self, name: str) -> float:
        """The same by processor time, which does not see that others use the machine, nor that a core waits."""
        return statistics.median(h / other for h, other in zip(self.worked["handler"], self.worked[name], strict=True))


def tweets(count: int) -> list[str]:
    """Different posts: UMSAB's where the test data is there, else made up of words."""
    folder = os.environ.get("TOCSIN_TEST_DATA")
    if folder:
        path = Path(folder) / "sentiment/umsab_train.jsonl"
        rows = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
        return random.Random(1).sample(sorted(set(rows)), count)
    chance = random.Random(1)
    return [" ".join(chance.choices(POSTS.split(), k=chance.randint(4, 32))) + f" {number}" for number in range(count)]


def mixed(posts: Sequence[str]) -> list[str]:
    """A third as they are, a third of two or three posts, a third of up to twelve: from a word to a press article's beginning."""
    chance = random.Random(2)
    sizes = [chance.choice((1, chance.randint(2, 3), chance.randint(4, 12))) for _ in posts]
    return [" ".join(chance.choices(posts, k=size)) for size in sizes]


def records(texts: Sequence[str]) -> list[Record]:
    """The texts as mentions of one brand, as they come from the bus."""
    made = []
    for number, text in enumerate(texts):
        mention = Mention(source="bench", native_id=str(number), text=text, published_at=NOW, brands=("acme",))
        encoded = encode_mention(mention, updated=False, source="ingest", at=NOW)
        made.append(Record(topics.MENTIONS, 0, number, encoded.key, encoded.value, encoded.headers, NOW))
    return made


def handler(classifier: Any, cache: int = 0, explanations_a_second: float = 0.0) -> ClassifyHandler:
    """A handler that remembers nothing, so that every text takes its pass."""
    matcher = BrandMatcher.of_brands([BrandSettings(id="acme", names=("Acme",))])
    return ClassifyHandler(Labeller(classifier, cache), matcher, SystemClock(), 4, explanations_a_second)


def measure(texts: Sequence[str], contenders: dict[str, Any], *, chunk: int, rivals: int) -> Measured:
    """Everybody in turn on each chunk of texts; the slow rivals on `rivals` texts of it."""
    measured = Measured()
    bare, classifier = contenders["raw"], contenders["handler"]
    served, explaining = handler(classifier), handler(classifier, explanations_a_second=1.0)
    for start in range(0, len(texts), chunk):
        part = list(texts[start : start + chunk])
        given = records(part)
        singles = [bare.arrays([text]) for text in part]
        if chunk == CHUNK:
            arrays = bare.arrays(part)
            measured.time("handler", chunk, lambda: served.handle(given))  # noqa: B023
            measured.time("raw", chunk, lambda: bare.run(arrays))  # noqa: B023
            measured.time("handler, explaining", chunk, lambda: explaining.handle(given))  # noqa: B023
        else:
            measured.time("handler", chunk, lambda: [served.handle([each]) for each in given])  # noqa: B023
            measured.time("raw", chunk, lambda: [bare.run(each) for each in singles])  # noqa: B023
        few = part[:rivals]
        for name in ("pipeline", "xlm-r base"):
            if name in contenders:
                run = contenders[name]
                at_once = chunk == CHUNK
                measured.time(name, len(few), lambda: run(few) if at_once else [run(text) for text in few])  # noqa: B023
        if "pipeline" in contenders and chunk == CHUNK:
            measured.time("pipeline, 96 tokens", len(few), lambda: contenders["pipeline"](few, max_length=96))  # noqa: B023
            more = part[: 2 * rivals]
            measured.time("pipeline, batch_size=32", len(more), lambda: contenders["pipeline"](more, batch_size=32))  # noqa: B023
    return measured


def told(title: str, measured: Measured) -> list[str]:
    """Lines of the table: speed, and how many times the handler is as fast."""
    lines = [f"| **{title}** | | | | |"]
    for name in (
        "raw",
        "handler",
        "handler, explaining",
        "pipeline",
        "pipeline, 96 tokens",
        "pipeline, batch_size=32",
        "xlm-r base",
    ):
        if name not in measured.speeds:
            continue
        ratio, need = measured.ratio(name), NEEDED.get(name)
        verdict = "" if need is None else f"≥ {need:g}: {'yes' if ratio >= need else 'NO'}"
        factors = " | " if name == "handler" else f"{ratio:.2f} | {measured.ratio_of_work(name):.2f}"
        lines.append(f"| {LABELS[name]} | {measured.speed(name):.1f} | {factors} | {verdict} |")
    return lines


LABELS = {
    "raw": "`InferenceSession.run`, arrays ready",
    "handler": "classify handler",
    "handler, explaining": "classify handler, one explanation a second",
    "pipeline": "`transformers.pipeline`, same shape, fp32",
    "pipeline, 96 tokens": "… cut at the 96 tokens that ours reads",
    "pipeline, batch_size=32": "… with `batch_size=32`",
    "xlm-r base": "`transformers.pipeline`, XLM-R base",
}

PROCESS = """
import resource, sys, time
began = time.perf_counter()
from services.classify.classifiers.shipped import open_classifier
imported = time.perf_counter()
classifier = open_classifier(threads=int(sys.argv[1]))
opened = time.perf_counter()
from tests.load.bench_classify import CHUNK, handler, mixed, records, tweets
served, given = handler(classifier, cache=50_000), records(mixed(tweets(4 * CHUNK)))
for start in range(0, len(given), CHUNK):
    served.handle(given[start : start + CHUNK])
print(imported - began, opened - imported, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def process(threads: int) -> list[str]:
    """Load time and memory of a process of its own that classifies four full batches."""
    done = subprocess.run([sys.executable, "-c", PROCESS, str(threads)], check=True, capture_output=True, text=True)
    imported, opened, megabytes = map(float, done.stdout.split())
    return [
        f"load: {imported:.1f} s for the imports, {opened:.1f} s for the network (together ≤ 3: {_said(imported + opened <= 3)})",
        f"memory at its highest: {megabytes:.0f} MB (≤ 700: {_said(megabytes <= 700)})",
    ]


def copies(classifier: Any, texts: Sequence[str]) -> str:
    """Speed of texts whose labels are remembered."""
    served, given = handler(classifier, cache=50_000), records(texts)
    served.handle(given)
    began = time.perf_counter()
    served.handle(given)
    return f"copies, from the cache: {len(given) / (time.perf_counter() - began):.0f} mentions a second"


def _said(held: bool) -> str:
    return "yes" if held else "NO"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=5, help="of 256 records, for each kind of text")
    parser.add_argument("--singles", type=int, default=5, help="chunks of 32 records, one at a time")
    parser.add_argument("--rivals", type=int, default=16, help="texts of each chunk that the pipelines are given")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    chosen = parser.parse_args()
    about = process(chosen.threads)
    folder = shipped_folder()
    budget = ClassifierSettings().token_budget
    classifier = open_classifier(threads=chosen.threads, token_budget=budget)
    contenders: dict[str, Any] = {"raw": BareSession(folder, chosen.threads, budget), "handler": classifier}
    if find_spec("torch") and find_spec("transformers"):
        contenders["pipeline"] = pipeline_of_our_shape(folder, chosen.threads)
        contenders["xlm-r base"] = pipeline_of_xlm_r_base(folder, chosen.threads)
    posts = tweets(chosen.chunks * CHUNK)
    served = handler(classifier)
    served.handle(records(posts[:32]))  # the first pass allocates
    print(
        f"{chosen.threads} threads, {chosen.chunks} chunks of {CHUNK}; {os.getloadavg()[0]:.1f} processes wanted to run"
    )
    print("\n| | mentions a second | handler ÷ it | by processor time | |\n|---|---|---|---|---|")
    for name, texts in (("tweets", posts), ("mixed lengths", mixed(posts))):
        for line in told(f"{name}, in batches", measure(texts, contenders, chunk=CHUNK, rivals=chosen.rivals)):
            print(line, flush=True)
        one_by_one = measure(texts[: chosen.singles * 32], contenders, chunk=32, rivals=max(1, chosen.rivals // 2))
        for line in told(f"{name}, one at a time", one_by_one):
            print(line, flush=True)
    print("\n" + "\n".join([copies(classifier, posts), *about]))


if __name__ == "__main__":
    main()
