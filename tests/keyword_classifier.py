"""A classifier for tests: what a text says of itself, without a network. It counts its passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.classify.classifiers.port import HarmfulRate, Labels, Thresholds


class KeywordClassifier:
    """Negative and risky where a text has the word `bad`, positive where it has `good`, else neutral."""

    name = "keywords"
    revision = "1"
    thresholds = Thresholds(risk=0.5, relevance=0.2, toxicity=0.5, kinds={})
    harmful_rates: Mapping[str, HarmfulRate] = {"default": HarmfulRate(tpr=1.0, fpr=0.0)}

    def __init__(self) -> None:
        self.seen: list[str] = []

    def classify(self, texts: Sequence[str]) -> list[Labels]:
        self.seen += texts
        return [self._labels(text.lower()) for text in texts]

    def _labels(self, text: str) -> Labels:
        mood = "negative" if "bad" in text else "positive" if "good" in text else "neutral"
        sentiment = {name: 0.8 if name == mood else 0.1 for name in ("negative", "neutral", "positive")}
        risk = 0.9 if mood == "negative" else 0.05
        kinds = (("product_safety", 0.9),) if "glass" in text else ()
        return Labels(
            sentiment=sentiment, risk=risk, kinds=kinds, toxicity=0.1, relevance=0.7, embedding=b"\x01\x02\x03"
        )
