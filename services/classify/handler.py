"""The handler of `mentions`: labels what each brand's passage says, and passes ticks on behind what came before them."""

from __future__ import annotations

from collections.abc import Sequence

from services.classify.explanation import explain
from services.classify.labelling import Labelled, Labeller
from services.classify.passages import Passage, passages_of
from services.classify.records import classified_record
from tocsin.bus.failures import InvalidRecord, InvalidRecords
from tocsin.bus.port import Outgoing, Record
from tocsin.clock import Clock
from tocsin.contracts import topics
from tocsin.contracts.codec import (
    TEACHES_ONLY_HEADER,
    Decoded,
    UnreadableRecord,
    decode,
    encode_classified,
    encode_tick,
)
from tocsin.contracts.events import ExplainedWord, LabelQuality, Mention, Tick
from tocsin.matching import BrandMatcher
from tocsin.observability import metrics

PLACE = "classify"
EXPLAINED = 4
"""Mentions of a batch whose words are looked at one by one."""


class ClassifyHandler:
    """Stateless but for the memory of copies: records in, classified records out, in the same order."""

    def __init__(
        self, labeller: Labeller, matcher: BrandMatcher, clock: Clock, partitions: int, explained: int = EXPLAINED
    ) -> None:
        """`partitions` is how many the `classified` topic has: each of them gets each tick.

        `explained`: how many mentions of a batch, the riskiest, say which words moved their risk.
        """
        self._labeller = labeller
        self._matcher = matcher
        self._clock = clock
        self._partitions = partitions
        self._explained_at_most = explained

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """What to publish for these records; raises InvalidRecords for those that nobody can read."""
        decoded = _decode_all(records)
        passages = {
            index: passages_of(item.event, item.event.brands, self._matcher)
            for index, item in enumerate(decoded)
            if isinstance(item.event, Mention)
        }
        flat = [passage for group in passages.values() for passage in group]
        labels = self._labeller.label([passage.text for passage in flat])
        explanations = self._explained(flat, labels)
        labelled = iter(zip(labels, explanations, strict=True))
        outgoing: list[Outgoing] = []
        now = self._clock.now()
        for index, (original, item) in enumerate(zip(records, decoded, strict=True)):
            teaching = tuple(header for header in original.headers if header[0] == TEACHES_ONLY_HEADER)
            if isinstance(item.event, Tick):
                outgoing.extend(self._pass_on(item.event))
            for passage in passages.get(index, ()):
                result, explanation = next(labelled)
                record = classified_record(
                    passage.mention,
                    passage.brand,
                    result,
                    self._labeller.classifier,
                    has_query=passage.has_query,
                    explanation=explanation,
                )
                encoded = encode_classified(record, source=PLACE, at=now, traceparent=item.traceparent)
                outgoing.append(Outgoing(topics.CLASSIFIED, encoded.key, encoded.value, encoded.headers + teaching))
                metrics.MENTIONS_CLASSIFIED.labels(brand=passage.brand, labels=str(result.quality)).inc()
        return outgoing

    def _explained(
        self, passages: Sequence[Passage], labelled: Sequence[Labelled]
    ) -> list[tuple[ExplainedWord, ...] | None]:
        """The words behind the riskiest few of this batch; None for the others.

        Bounded, because in a crisis everything is risky and an explanation costs up to 24 passes of the network: with
        four of them a full batch of 256 takes a third longer at worst, and on a calm day none is made.
        """
        classifier = self._labeller.classifier
        risky = [
            index
            for index, result in enumerate(labelled)
            if result.quality == LabelQuality.MODEL and result.labels.risk >= classifier.thresholds.risk
        ]
        chosen = sorted(risky, key=lambda index: -labelled[index].labels.risk)[: self._explained_at_most]
        explanations: list[tuple[ExplainedWord, ...] | None] = [None] * len(passages)
        made = explain(
            classifier,
            [passages[index].text for index in chosen],
            [passages[index].mention.text for index in chosen],
        )
        for index, explanation in zip(chosen, made, strict=True):
            explanations[index] = explanation
        return explanations

    def _pass_on(self, tick: Tick) -> list[Outgoing]:
        # The sentence is really classified: a tick that arrives says that the network works, not only the bus.
        self._labeller.pass_through(tick.text)
        encoded = encode_tick(tick, source=PLACE, at=self._clock.now())
        return [
            Outgoing(topics.CLASSIFIED, encoded.key, encoded.value, encoded.headers, partition=partition)
            for partition in range(self._partitions)
        ]


def _decode_all(records: Sequence[Record]) -> list[Decoded]:
    decoded: list[Decoded] = []
    failures: list[InvalidRecord] = []
    for record in records:
        try:
            item = decode(record.value, record.headers)
        except UnreadableRecord as error:
            failures.append(InvalidRecord(record, str(error), f"{PLACE}.decode"))
            continue
        if not isinstance(item.event, Mention | Tick):
            failures.append(
                InvalidRecord(record, f"a {item.type} does not belong on {record.topic}", f"{PLACE}.decode")
            )
            continue
        decoded.append(item)
    if failures:
        raise InvalidRecords(failures)
    return decoded
