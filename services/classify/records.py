"""A mention and its labels → a classified record, one a brand."""

from __future__ import annotations

import base64

from services.classify.classifiers.port import Classifier
from services.classify.homonyms import weighed
from services.classify.labelling import Labelled
from services.classify.passages import Passage
from tocsin.contracts.events import (
    ClassifiedMention,
    ExplainedWord,
    Rating,
)

WORST_SHARE, BEST_SHARE = 0.4, 0.8
"""Up to two stars of five a review without a word is negative, from four on positive."""


def sentiment_of_rating(rating: Rating | None) -> dict[str, float] | None:
    """What a rating says by itself, where nobody wrote a word; None where it says nothing.

    As sure as people are who give stars: nine in ten (a choice of ours, not measured).
    """
    if rating is None or rating.value is None or not rating.best or rating.best <= 0:
        return None
    share = rating.value / rating.best
    label = "negative" if share <= WORST_SHARE else "positive" if share >= BEST_SHARE else "neutral"
    return {name: 0.9 if name == label else 0.05 for name in ("negative", "neutral", "positive")}


def classified_record(
    passage: Passage,
    labelled: Labelled,
    classifier: Classifier,
    explanation: tuple[ExplainedWord, ...] | None = None,
) -> ClassifiedMention:
    """The record of a mention for a brand. Without a match of the brand, its relevance is 1: somebody said it is about it."""
    mention = passage.mention
    labels = labelled.labels
    sentiment = labels.sentiment if mention.text.strip() else sentiment_of_rating(mention.rating) or labels.sentiment
    # Rounded, because four digits are more than any of these scores is sure of, and the records are many. Checked all at once:
    # part by part takes half as long again.
    return ClassifiedMention.model_validate(
        {
            **vars(mention),
            "mention_id": mention.id,
            "brand": passage.brand,
            "labels": labelled.quality,
            "relevance": round(weighed(float(labels.relevance), passage.odds), 4) if passage.has_query else 1.0,
            "sentiment": {
                "label": max(sentiment, key=sentiment.__getitem__),
                "scores": {name: round(float(score), 4) for name, score in sentiment.items()},
            },
            "risk": {
                "score": round(float(labels.risk), 4),
                "kinds": [{"kind": kind, "score": round(float(score), 4)} for kind, score in labels.kinds],
            },
            "toxicity": round(float(labels.toxicity), 4),
            "embedding": base64.b64encode(labels.embedding).decode(),
            "model": {"name": classifier.name, "revision": classifier.revision},
            "explanation": explanation,
        }
    )
