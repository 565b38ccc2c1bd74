"""Made-up calm streams with a crisis dropped in at a known moment, to measure how soon it is noticed and how often nothing is.

Every author writes once, so that what is measured is the statistics and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log

import numpy as np

from services.alert.detection.blocks import blocks_of
from services.alert.detection.hours import count_hours
from services.alert.detection.judge import INSTANT, Judge, observed_since
from services.alert.detection.observations import HarmfulRates, Observation
from services.alert.detection.state import BrandProfile, BrandState
from tocsin.contracts.settings.detection import DetectionSettings

HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)


@dataclass(frozen=True)
class Stream:
    """A calm brand: `rate` mentions an hour, of which `share` are harmful.

    `swing`: how far the rate moves with the hour of the day (0: not at all; 0.8: from 0.2 to 1.8 times). `drift`: the
    standard deviation of the day's level, as a share (0: pure Poisson).
    """

    rate: float = 20.0
    share: float = 0.3
    swing: float = 0.0
    drift: float = 0.0

    def level(self, hours: np.ndarray) -> np.ndarray:
        """Times the rate, at so many hours after the beginning."""
        return 1 + self.swing * np.sin(2 * np.pi * (hours - 9) / 24)


def draw(
    stream: Stream,
    begin: datetime,
    hours: float,
    random: np.random.Generator,
    label: str,
    *,
    harmful_only: bool = False,
) -> list[Observation]:
    """Mentions of `stream` from `begin` on, for some hours; `harmful_only` leaves out the others."""
    offset = (begin - BEGIN) / HOUR
    peak = stream.rate * (1 + stream.swing) * (stream.share if harmful_only else 1.0)
    days = np.exp(random.normal(-(stream.drift**2) / 2, stream.drift, int((offset + hours) // 24) + 2))
    days = days / max(1.0, float(days.max()))
    ceiling = float(np.exp(0)) if stream.drift == 0 else 1.0
    number = random.poisson(peak * hours * ceiling)
    times = np.sort(random.uniform(0, hours, number))
    keep = (
        random.uniform(size=number)
        < stream.level(offset + times) / (1 + stream.swing) * days[((offset + times) // 24).astype(int)]
    )
    times = times[keep]
    harmful = np.ones(len(times), dtype=bool) if harmful_only else random.uniform(size=len(times)) < stream.share
    return [
        Observation(
            mention_id=f"{label}{index}",
            at=begin + timedelta(hours=float(time)),
            author=f"{label}{index}",
            negative=bool(bad),
            source="made-up",
            text=f"{label} {index}",
        )
        for index, (time, bad) in enumerate(zip(times, harmful, strict=True))
    ]


def never(_text: str) -> bool:
    """No made-up text has a crisis word."""
    return False


def delay_to_orange(
    stream: Stream, times: float, seed: int, settings: DetectionSettings, *, weeks: float = 2, longest: float = 24
) -> float | None:
    """Hours from the moment at which the harmful rate becomes `times` what it was to orange; None if later than `longest`.

    0 if it was orange before; that is a false alarm.
    """
    random = np.random.default_rng(seed)
    days = weeks * 7
    onset = BEGIN + timedelta(days=days) + timedelta(minutes=float(random.uniform(0, 24 * 60)))
    calm = draw(stream, BEGIN, days * 24 + 24 + longest, random, "calm")
    crisis_stream = Stream(stream.rate * (times - 1), stream.share, stream.swing)
    crisis = draw(crisis_stream, onset, longest, random, "crisis", harmful_only=True)
    mentions = sorted([*calm, *crisis], key=lambda item: item.at)
    for at in alarms(mentions, onset - 2 * HOUR, onset + longest * HOUR, settings):
        return max(0.0, (at - onset) / HOUR)
    return None


def alarms(
    mentions: Sequence[Observation], first: datetime, last: datetime, settings: DetectionSettings
) -> list[datetime]:
    """The instants in (`first`, `last`] at which the level became serious; stops at the first when it comes after `first`."""
    rates = HarmfulRates()
    history = count_hours(mentions, rates, never)
    blocks = blocks_of(mentions, rates, never)
    judge = Judge(BrandProfile(id="made-up"), settings, rates)
    state = BrandState()
    step = INSTANT.total_seconds()
    instant = datetime.fromtimestamp((first.timestamp() // step + 1) * step, UTC)
    found = []
    while instant <= last:
        since = observed_since(instant)
        part = {hour: block for hour, block in blocks.items() if since <= hour <= instant}
        judgement = judge.judge(instant, part, history, state)
        if judgement.level.serious and not state.level.serious:
            found.append(instant)
            return found
        state = judgement.state
        instant += INSTANT
    return found


def least_delay(stream: Stream, times: float, hours_between_alarms: float) -> float:
    """Hours below which no detector can stay on average: ln(ARL)/(λ(k ln k − k + 1)) (Lorden 1971), λ the harmful rate."""
    return log(hours_between_alarms) / (stream.rate * stream.share * (times * log(times) - times + 1))
