"""What tests of detection are given: calm weeks, a calm day, and things that happen then."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np

from services.alert.detection.hours import count_hours
from services.alert.detection.judge import INSTANT, judge
from services.alert.detection.observations import (
    HarmfulRates,
    HourCount,
    LanguageCount,
    Observation,
    start_of_hour,
)
from services.alert.detection.state import BrandProfile, BrandState, Judgement
from services.alert.detection.words import crisis_word_finder
from tocsin.contracts.events import (
    Author,
    ClassifiedMention,
    LabelQuality,
    Sentiment,
    SentimentLabel,
    SentimentScores,
    mention_id,
)
from tocsin.contracts.settings.detection import DetectionSettings

HOUR = timedelta(hours=1)
NOW = datetime(2026, 3, 18, 10, 0, tzinfo=UTC)
"""A Wednesday."""
BRAND = BrandProfile(id="maison-lune")
SETTINGS = DetectionSettings()
RATES = HarmfulRates()

_numbers = count()


def observation(at: datetime, *, negative: bool = False, author: str | None = None, **fields: object) -> Observation:
    """A mention by an author of its own, unless one is named."""
    number = next(_numbers)
    return Observation(
        mention_id=f"m{number:07d}",
        at=at,
        author=author or f"made-up:{number}",
        negative=negative,
        **{"source": "made-up", "text": f"remark {number}", "copy_key": f"{number:016x}", **fields},  # type: ignore[arg-type]
    )


def calm_day(
    until: datetime = NOW, hours: int = 26, *, rate: int = 20, share: float = 0.3, **fields: object
) -> list[Observation]:
    """So many mentions in each hour before `until`, evenly spread; every third of them or so is harmful."""
    step = HOUR / rate
    return [
        observation(
            until - hours * HOUR + step * index + step / 2,
            negative=int((index + 1) * share) > int(index * share),
            **fields,
        )
        for index in range(hours * rate)
    ]


def calm_history(
    until: datetime = NOW,
    days: float = 14,
    *,
    rate: float = 20,
    share: float = 0.3,
    seed: int = 1,
    language: str = "und",
    source: str = "made-up",
) -> list[HourCount]:
    """Hours of a calm brand up to `until`, Poisson around the same mean at any time."""
    random = np.random.default_rng(seed)
    hours = int(days * 24)
    first = start_of_hour(until) - hours * HOUR
    history = []
    for index in range(hours):
        harmful = int(random.poisson(rate * share))
        authors = harmful + int(random.poisson(rate * (1 - share)))
        history.append(
            HourCount(
                hour=first + index * HOUR,
                mentions=authors,
                authors=authors,
                harmful=harmful,
                languages={language: LanguageCount(authors, harmful)},
                sources={source: authors},
            )
        )
    return history


def burst(
    number: int, begin: datetime = NOW, lasting: timedelta = HOUR, *, negative: bool = True, **fields: object
) -> list[Observation]:
    """Mentions evenly spread over a stretch after `begin`."""
    return [
        observation(begin + lasting * ((index + 0.5) / number), negative=negative, **fields) for index in range(number)
    ]


def walk(
    observations: Sequence[Observation],
    history: Sequence[HourCount] = (),
    *,
    begin: datetime = NOW,
    hours: float = 2,
    brand: BrandProfile = BRAND,
    settings: DetectionSettings = SETTINGS,
    rates: HarmfulRates = RATES,
    state: BrandState | None = None,
) -> list[Judgement]:
    """Every judgement at the instants after `begin`, each with what was known then, as the evaluator would ask for it."""
    judgements = []
    state = state or BrandState()
    speaks = crisis_word_finder(settings.crisis_words)
    instant = begin
    while instant < begin + hours * HOUR:
        instant += INSTANT
        seen = [item for item in observations if item.at <= instant]
        counted = {row.hour: row for row in history}
        counted |= {row.hour: row for row in count_hours(seen, rates, speaks) if row.hour not in counted}
        judgement = judge(instant, brand, seen, list(counted.values()), state, settings, rates)
        state = judgement.state
        judgements.append(judgement)
    return judgements


def events(judgements: Iterable[Judgement]) -> list[str]:
    """What happened, in words."""
    return [f"{item.event} {item.level}" for item in judgements if item.event]


def highest(judgements: Iterable[Judgement]) -> str:
    """The highest level that was reached."""
    return max(item.level for item in judgements)


def record(
    number: int,
    at: datetime,
    *,
    label: SentimentLabel = SentimentLabel.NEUTRAL,
    author: str | None = None,
    brand: str = "maison-lune",
    received_at: datetime | None = None,
    text: str | None = None,
) -> ClassifiedMention:
    """A classified record, as `tocsin backtest` reads them."""
    scores = {name.value: float(name is label) for name in SentimentLabel}
    return ClassifiedMention(
        source="made-up",
        native_id=str(number),
        mention_id=mention_id("made-up", str(number)),
        brand=brand,
        brands=(brand,),
        text=text or f"remark {number}",
        published_at=at,
        received_at=received_at,
        author=Author(id=author or f"a{number}"),
        labels=LabelQuality.MODEL,
        sentiment=Sentiment(label=label, scores=SentimentScores(**scores)),
    )
