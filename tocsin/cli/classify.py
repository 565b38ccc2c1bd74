"""`tocsin classify`: sentiment, risk and the rest for a file of mentions."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.files import STANDARD, mentions_of, nothing_valid, written
from tocsin.cli.networks import open_labeller
from tocsin.cli.progress import progress
from tocsin.cli.surroundings import ConfigurationFile, load_configuration
from tocsin.contracts.events import ClassifiedMention, ExplainedWord, Mention
from tocsin.matching import BrandMatcher

if TYPE_CHECKING:
    from services.classify.labelling import Labeller

BATCH = 512
SHOWN = 300
"""Characters of a marked text; more where a marked word stands behind them."""
STRONG = 1.0
"""A word that moves the log-odds of risk by more moves a risk of one half by a quarter."""


def register(app: typer.Typer) -> None:
    """Add `tocsin classify`."""
    app.command("classify")(classify)


def classify(
    file: Annotated[Path, typer.Argument(help="Mentions, JSON Lines or CSV; '-': standard input.")] = STANDARD,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; default: standard output.")] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain",
            help="Add the words that moved the risk, as `explanation`, and mark them on a terminal; many times slower.",
        ),
    ] = False,
    config: ConfigurationFile = None,
) -> None:
    """Label mentions: one JSON line for each valid line, in order, for its first brand.

    Bad lines go to standard error and OUT.rejected. No tocsin.yaml is needed; with one, the passage around a brand's match is
    what is classified.
    """
    configuration = load_configuration(config)
    with mentions_of(file, out) as (mentions, rejected), written(out) as output, progress("classify") as advance:
        labeller = open_labeller(configuration.classifier)
        matcher = BrandMatcher.of_brands(configuration.brands)
        count = 0
        while batch := list(islice(mentions, BATCH)):
            for record in classified(batch, labeller, matcher, first_brand_only=True, explained=explain):
                print(record.model_dump_json(exclude_none=True), file=output)
                if explain and output.isatty():  # a person is looking, who would have to count characters
                    print(marked(record), file=sys.stderr)
            count += len(batch)
            advance(len(batch))
        if not count:
            raise nothing_valid(file, rejected)


def marked(record: ClassifiedMention) -> str:
    """One line for people: the labels, and the text with a + behind each word that raised the risk and a − that lowered it."""
    pieces, done = [], 0
    for word in record.explanation or ():
        strength = ("+" if word.weight > 0 else "−") * (1 if abs(word.weight) < STRONG else 2)
        pieces += [record.text[done : word.start], f"[{record.text[word.start : word.end]}]{strength}"]
        done = word.end
    joined = "".join([*pieces, record.text[done : max(done, SHOWN)]])
    # What turns the reading direction round or moves the cursor stays out of somebody's terminal; joined emoji stay joined.
    shown = "".join(letter if letter.isprintable() or letter == "\u200d" else " " for letter in joined).strip()
    said = [record.sentiment.label.value] if record.sentiment else []
    if record.risk:
        kinds = ", ".join(kind.kind.value for kind in record.risk.kinds)
        said.append(f"risk {record.risk.score:.2f}" + (f" ({kinds})" if kinds else ""))
    return f"{', '.join(said)}: {shown}"


def classified(
    mentions: Sequence[Mention],
    labeller: Labeller,
    matcher: BrandMatcher,
    *,
    first_brand_only: bool,
    explained: bool = False,
) -> Iterator[ClassifiedMention]:
    """The classified records of a batch, in order; a mention that names no brand has one with an empty brand.

    `explained`: with the words that moved the risk of each, which takes a pass a word.
    """
    from services.classify.explanation import explain
    from services.classify.passages import passages_of
    from services.classify.records import classified_record

    passages = [
        passage
        for mention in mentions
        for passage in passages_of(mention, (mention.brands or ("",))[: 1 if first_brand_only else None], matcher)
    ]
    labelled = labeller.label([passage.text for passage in passages])
    explanations: Sequence[tuple[ExplainedWord, ...] | None] = [None] * len(passages)
    if explained:
        texts = [passage.mention.text for passage in passages]
        explanations = explain(labeller.classifier, [passage.text for passage in passages], texts)
    for passage, labels, explanation in zip(passages, labelled, explanations, strict=True):
        yield classified_record(passage, labels, labeller.classifier, explanation)
