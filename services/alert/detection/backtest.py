"""Replays classified mentions in their own order through `Judge`, as a live run would have judged them.

An instant is judged at the first line that was received more than a minute after it, on what stood before that line. Where a
line does not say when it was received, it is believed to have come when it was published, but never before the line ahead
of it: what stands late in the file came late.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.alert.detection.blocks import HourBlock, Marked, build_block, keep_stories, mark
from services.alert.detection.judge import INSTANT, OBSERVED, Judge
from services.alert.detection.lateness import wakes
from services.alert.detection.observations import (
    HOUR,
    HarmfulRates,
    HourCount,
    HourTally,
    Observation,
    observe,
    start_of_hour,
)
from services.alert.detection.state import BrandProfile, BrandState, Judgement
from services.alert.detection.stories import StoryBook, telling, untold, write_down
from services.alert.detection.voices import Quote
from services.alert.detection.words import crisis_word_finder
from tocsin.contracts.events import ClassifiedMention, LabelQuality, Mention, Sentiment, SentimentScores, has_grown
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.detection import DetectionSettings

SETTLED = timedelta(minutes=1)
"""A line must have been received this long after an instant for the instant to be judged."""
LEAP = timedelta(days=1)
"""A line that jumps further ahead than this is believed only when the next one stands by it; else its date is wrong."""
EXACT = HarmfulRates(risk_threshold=1.0, relevance_threshold=0.0, toxicity_threshold=1.0)
"""The rates of human labels: no errors to correct."""


def gold_record(mention: Mention, brand: str) -> ClassifiedMention:
    """A mention of a file with its human `sentiment` in the place of the classifier's; harmful is negative alone.

    Raises `ValueError` for a mention without a human label.
    """
    label = mention.sentiment
    if label is None:
        raise ValueError("the line has no sentiment; --gold-sentiment needs a human label on each line")
    scores = {name: float(name == label.value) for name in ("negative", "neutral", "positive")}
    body = mention.model_dump(exclude={"sentiment"})
    return ClassifiedMention(
        **body,
        mention_id=mention.id,
        brand=brand,
        labels=LabelQuality.MODEL,
        sentiment=Sentiment(label=label, scores=SentimentScores(**scores)),
    )


def run_backtest(
    mentions: Iterable[ClassifiedMention],
    settings: DetectionSettings,
    rates: HarmfulRates,
    brands: Mapping[str, BrandProfile] | None = None,
) -> Iterator[dict[str, Any]]:
    """One JSON-ready object for each change of a brand's level, in order of time.

    `mentions`: classified records in the file's order, one a brand. `rates`: the classifier's (`EXACT` for `gold_record`).
    `brands`: what is configured; any other brand is judged in UTC. Results do not depend on how the mentions are cut into
    batches, and a mention that is repeated counts once.
    """
    for judgement in replay(mentions, settings, rates, brands):
        if judgement.event is not None:
            yield to_json(judgement)


def to_json(judgement: Judgement) -> dict[str, Any]:
    """A judgement that changed the level, as `tocsin backtest` writes it."""
    return {
        "at": judgement.at.isoformat(),
        "event": judgement.event.value if judgement.event else None,
        "brand": judgement.brand,
        "level": judgement.level.value,
        "score": judgement.score,
        "reasons": [reason.en for reason in judgement.reasons],
        "evidence": {**judgement.evidence, "reasons_fr": [reason.fr for reason in judgement.reasons]},
    }


def replay(
    mentions: Iterable[ClassifiedMention],
    settings: DetectionSettings,
    rates: HarmfulRates,
    brands: Mapping[str, BrandProfile] | None = None,
) -> Iterator[Judgement]:
    """Every judgement of every brand; instants at which there is nothing to judge (no mention in a day, level green) are left out."""
    clock: datetime | None = None
    replays: dict[str, _BrandReplay] = {}
    for mention, received in _received(mentions):
        if clock is not None:
            for instant in _instants(clock, received):
                for brand in sorted(replays):
                    judgement = replays[brand].judge(instant)
                    if judgement is not None:
                        yield judgement
                if not any(item.busy(instant) for item in replays.values()):
                    break
        clock = received if clock is None else max(clock, received)
        known = replays.get(mention.brand)
        if known is None:
            profile = (brands or {}).get(mention.brand) or BrandProfile(id=mention.brand)
            known = replays[mention.brand] = _BrandReplay(profile, settings, rates)
        known.add(mention, received)


def _received(mentions: Iterable[ClassifiedMention]) -> Iterator[tuple[ClassifiedMention, datetime]]:
    """Each mention with the instant at which it came; never back in time."""
    clock: datetime | None = None
    held: ClassifiedMention | None = None
    for mention in mentions:
        came = mention.received_at or mention.published_at
        if held is not None:
            # The clock moves to a leap only if the next line is there too.
            believed = came >= held.published_at - LEAP
            clock = held.published_at if believed or clock is None else clock
            yield held, clock
            held = None
        if clock is not None and mention.received_at is None and came - clock > LEAP:
            held = mention
            continue
        clock = came if clock is None else max(clock, came)
        yield mention, clock
    if held is not None:
        yield held, held.published_at


def _instants(after: datetime, received: datetime) -> Iterator[datetime]:
    """The instants that become due when a line is received at `received`, the last one having come at `after`."""
    step = INSTANT.total_seconds()
    number = int((after - SETTLED).timestamp() // step)
    while True:
        instant = datetime.fromtimestamp(number * step, UTC)
        if instant + SETTLED >= received:
            return
        if instant + SETTLED >= after:
            yield instant
        number += 1


@dataclass
class _BrandReplay:
    """One brand while a file is replayed; holds the mentions of the last day and tallies of the weeks before."""

    profile: BrandProfile
    settings: DetectionSettings
    rates: HarmfulRates
    state: BrandState = field(default_factory=BrandState)
    recent: dict[datetime, dict[str, tuple[int, Observation]]] = field(default_factory=dict)
    marked: dict[datetime, dict[str, Marked]] = field(default_factory=lambda: defaultdict(dict))
    blocks: dict[datetime, HourBlock] = field(default_factory=dict)
    dirty: set[datetime] = field(default_factory=set)
    tallies: dict[datetime, HourTally] = field(default_factory=dict)
    counts: dict[datetime, HourCount] = field(default_factory=dict)
    stale: set[datetime] = field(default_factory=set)
    version: int = 0
    pruned: datetime | None = None

    def __post_init__(self) -> None:
        self.judge_of_brand = Judge(self.profile, self.settings, self.rates)
        self.speaks_of_crisis = crisis_word_finder(self.settings.crisis_words)
        self.stories = StoryBook(self.settings.stories)

    def add(self, mention: ClassifiedMention, received: datetime) -> None:
        """Take in a mention that came at `received`."""
        lateness = self.settings.lateness
        observation = observe(mention, wakes=wakes(mention.published_at, received, mention.source, lateness))
        hour = start_of_hour(observation.at)
        held = self.recent.setdefault(hour, {})
        known = held.get(observation.mention_id)
        if known is not None and known[0] >= mention.version:
            if has_grown(known[1].engagement, observation.engagement):
                # An observation of its reactions, whatever the revision.
                observation = replace(known[1], engagement=observation.engagement)
                mention = mention.model_copy(update={"revision": known[0]})
            else:
                return
        held[observation.mention_id] = (mention.version, observation)
        self._mark(hour, observation)
        self.dirty.add(hour)
        self.stale.add(hour)
        if received - hour > OBSERVED - 2 * HOUR:
            self.version += 1
        if known is not None or hour not in self.tallies:
            self.tallies[hour] = HourTally(hour)
            for _, item in held.values():
                self._tally(item)
        else:
            self._tally(observation)

    def _mark(self, hour: datetime, observation: Observation) -> None:
        if observation.wakes and observation.counts(self.rates):
            self.marked[hour][observation.mention_id] = mark(observation, self.rates, self.speaks_of_crisis)
        else:
            self.marked[hour].pop(observation.mention_id, None)

    def _tally(self, observation: Observation) -> None:
        if observation.counts(self.rates):
            self.tallies[start_of_hour(observation.at)].add(observation, self.rates, self.speaks_of_crisis)

    def busy(self, instant: datetime) -> bool:
        """Is there anything to judge at `instant`: a level, a confirmation to wait for, or a mention in the last day?"""
        return (
            self.state.level is not Level.GREEN
            or self.state.pending_since is not None
            or any(instant - hour <= OBSERVED for hour in self.blocks)
            or bool(self.dirty)
        )

    def judge(self, instant: datetime) -> Judgement | None:
        """Judge the brand at `instant`; None where it rests."""
        if not self.busy(instant):
            return None
        for hour in self.dirty:
            self.blocks[hour] = keep_stories(build_block(self.marked[hour].values()), self.blocks.get(hour))
        self.dirty.clear()
        self._tell_stories(instant)
        for hour in self.stale:
            self.counts[hour] = self.tallies[hour].count()
        self.stale.clear()
        self._forget(instant)
        judgement = self.judge_of_brand.judge(
            instant, self.blocks, list(self.counts.values()), self.state, version=self.version, quotes=self._quotes
        )
        self.state = judgement.state
        return judgement

    def _tell_stories(self, instant: datetime) -> None:
        """Give the new mentions their stories, as the evaluator does at each instant."""
        new = {hour: ids for hour, block in self.blocks.items() if (ids := untold(block, instant))}
        given = self.stories.assign(telling(self.recent[hour][item][1]) for hour, ids in new.items() for item in ids)
        for hour in new:
            self.blocks[hour] = write_down(self.blocks[hour], given)

    def _quotes(self, ids: Sequence[str]) -> dict[str, Quote]:
        said = (held[item][1] for item in ids for held in self.recent.values() if item in held)
        return {item.mention_id: Quote(item.text, item.author_name) for item in said}

    def _forget(self, instant: datetime) -> None:
        """Once an hour, drop what no instant needs any more."""
        hour = start_of_hour(instant)
        if self.pruned == hour:
            return
        self.pruned = hour
        for old in [item for item in self.blocks if hour - item > OBSERVED]:
            del self.blocks[old]
        kept = self.settings.baseline.memory + self.settings.baseline.guard + timedelta(days=1)
        # Whole mentions are kept for two days, so that a repeated or corrected line is known; then tallies alone.
        for old in [item for item in self.recent if hour - item > 2 * OBSERVED]:
            del self.recent[old]
            self.marked.pop(old, None)
        for old in [item for item in self.tallies if hour - item > kept]:
            del self.tallies[old]
            self.counts.pop(old, None)
