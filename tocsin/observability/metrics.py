"""Every metric of the house, declared once; their names are a promise to dashboards and alert rules.

Labels hold brands, topics and outcomes, never a text, an author or a URL. Durations are in seconds.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

# classify

MENTIONS_CLASSIFIED = Counter(
    "tocsin_mentions_classified_total",
    "Classified records made, one a mention and brand, by brand and where the labels come from (model, copy, none).",
    ["brand", "labels"],
)

# alert: evaluator

EVALUATIONS = Counter("tocsin_evaluations_total", "Evaluations of a brand at an instant.")
EVALUATION_LATENESS = Histogram(
    "tocsin_evaluation_lateness_seconds",
    "From an evaluation instant to the commit of its judgement; five minutes and more: the stream is not complete.",
    buckets=(5, 15, 20, 30, 45, 60, 120, 300, 600, 1800, 7200),
)
BRAND_LEVEL = Gauge("tocsin_brand_level", "Level of a brand: 0 green, 1 yellow, 2 orange, 3 red.", ["brand"])
BRAND_SCORE = Gauge("tocsin_brand_score", "Crisis score of a brand, 0 to 100.", ["brand"])
SILENT_SOURCES = Counter("tocsin_silent_sources_total", "Times a source fell silent against its own habit.")
