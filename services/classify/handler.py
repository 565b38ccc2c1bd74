"""The handler of `mentions`: labels what each brand's passage says, and passes ticks on behind what came before them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.classify.explanation import Explainer
from services.classify.labelling import Labeller
from services.classify.passages import passages_of
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
from tocsin.contracts.events import Mention, Tick
from tocsin.matching import BrandMatcher
from tocsin.observability import metrics

PLACE = "classify"


class ClassifyHandler:
    """Stateless but for the memory of copies: records in, classified records out, in the same order."""

    def __init__(
        self,
        labeller: Labeller,
        matcher: BrandMatcher | Callable[[], BrandMatcher],
        clock: Clock,
        partitions: int,
        explanations_a_second: float = 0.0,
    ) -> None:
        """`matcher` for good, or what tells before each batch which it is now.

        `partitions` is how many the `classified` topic has: each of them gets each tick.

        `explanations_a_second`: of how many mentions, the riskiest, the words that moved the risk are looked for.
        """
        self._labeller = labeller
        self._matcher = matcher if callable(matcher) else lambda: matcher
        self._clock = clock
        self._partitions = partitions
        self._explainer = Explainer(labeller.classifier, clock, explanations_a_second)

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """What to publish for these records; raises InvalidRecords for those that nobody can read."""
        decoded = _decode_all(records)
        matcher = self._matcher()
        passages = {
            index: passages_of(item.event, item.event.brands, matcher)
            for index, item in enumerate(decoded)
            if isinstance(item.event, Mention)
        }
        flat = [passage for group in passages.values() for passage in group]
        labels = self._labeller.label([passage.text for passage in flat])
        explanations = self._explainer.of_the_riskiest(flat, labels)
        labelled = iter(zip(labels, explanations, strict=True))
        outgoing: list[Outgoing] = []
        now = self._clock.now()
        for index, (original, item) in enumerate(zip(records, decoded, strict=True)):
            teaching = tuple(header for header in original.headers if header[0] == TEACHES_ONLY_HEADER)
            if isinstance(item.event, Tick):
                outgoing.extend(self._pass_on(item.event))
            for passage in passages.get(index, ()):
                result, explanation = next(labelled)
                record = classified_record(passage, result, self._labeller.classifier, explanation)
                encoded = encode_classified(record, source=PLACE, at=now, traceparent=item.traceparent)
                outgoing.append(Outgoing(topics.CLASSIFIED, encoded.key, encoded.value, encoded.headers + teaching))
                metrics.MENTIONS_CLASSIFIED.labels(brand=passage.brand, labels=str(result.quality)).inc()
        return outgoing

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
