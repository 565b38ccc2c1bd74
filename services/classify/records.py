"""A mention and its labels → a classified record, one a brand."""

from __future__ import annotations

import base64

from services.classify.classifiers.port import Classifier
from services.classify.labelling import Labelled
from tocsin.contracts.events import (
    ClassifiedMention,
    Mention,
    ModelName,
    Risk,
    RiskKind,
    RiskKindScore,
    Sentiment,
    SentimentScores,
)


def classified_record(
    mention: Mention, brand: str, labelled: Labelled, classifier: Classifier, *, has_query: bool
) -> ClassifiedMention:
    """The record of `mention` for `brand`. Without a query for the brand, its relevance is 1: somebody said it is about it."""
    labels = labelled.labels
    # Rounded, because four digits are more than any of these scores is sure of, and the records are many.
    scores = SentimentScores(**{name: round(float(score), 4) for name, score in labels.sentiment.items()})
    label = max(labels.sentiment, key=lambda name: labels.sentiment[name])
    return ClassifiedMention(
        **{name: getattr(mention, name) for name in Mention.model_fields if name != "sentiment"},
        mention_id=mention.id,
        brand=brand,
        labels=labelled.quality,
        relevance=round(float(labels.relevance), 4) if has_query else 1.0,
        sentiment=Sentiment.model_validate({"label": label, "scores": scores}),
        risk=Risk(
            score=round(float(labels.risk), 4),
            kinds=tuple(
                RiskKindScore(kind=RiskKind(kind), score=round(float(score), 4)) for kind, score in labels.kinds
            ),
        ),
        toxicity=round(float(labels.toxicity), 4),
        embedding=base64.b64encode(labels.embedding).decode(),
        model=ModelName(name=classifier.name, revision=classifier.revision),
    )
