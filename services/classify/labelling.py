"""From texts to labels, each different text once: a bounded memory gives copies their labels without a pass."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from services.classify.classifiers.port import Classifier, Labels
from services.classify.classifiers.preparation import prepare
from tocsin.contracts.events import LabelQuality


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labels of one text, and whether the network looked at this very text or at its copy."""

    labels: Labels
    quality: LabelQuality


class Labeller:
    """Labels texts with one classifier, and remembers the `capacity` texts used last, by what the network sees of them.

    Two texts that differ in a handle or a link only are the same to the network, so they are copies here. Kept is a digest
    of each text and its labels, about one kilobyte however long the text is.
    """

    def __init__(self, classifier: Classifier, capacity: int = 50_000) -> None:
        self.classifier = classifier
        self._capacity = capacity
        self._memory: OrderedDict[bytes, Labels] = OrderedDict()
        self._lock = threading.Lock()

    def label(self, texts: Sequence[str]) -> list[Labelled]:
        """Labels in the order of `texts`."""
        prepared = [prepare(text) for text in texts]
        keys = [blake2b(text.encode(), digest_size=16).digest() for text in prepared]
        known = self._recall(keys)
        new = {key: text for key, text in zip(keys, prepared, strict=True) if key not in known}
        made = dict(zip(new, self.classifier.classify(list(new.values())), strict=True)) if new else {}
        self._remember(made)
        fresh = set(made)
        labelled = []
        for key in keys:
            # The first of several equal texts is the one that the network looked at.
            quality = LabelQuality.MODEL if key in fresh else LabelQuality.COPY
            fresh.discard(key)
            labelled.append(Labelled(made[key] if key in made else known[key], quality))
        return labelled

    def pass_through(self, text: str) -> Labels:
        """Labels of one text by the network itself, never from memory: the proof of life that a tick asks for."""
        return self.classifier.classify([text])[0]

    def _recall(self, keys: Sequence[bytes]) -> dict[bytes, Labels]:
        known: dict[bytes, Labels] = {}
        with self._lock:
            for key in keys:
                labels = self._memory.get(key)
                if labels is not None:
                    self._memory.move_to_end(key)
                    known[key] = labels
        return known

    def _remember(self, made: dict[bytes, Labels]) -> None:
        with self._lock:
            for key, labels in made.items():
                self._memory[key] = labels
                self._memory.move_to_end(key)
            while len(self._memory) > self._capacity:
                self._memory.popitem(last=False)
