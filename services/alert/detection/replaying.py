"""Takes in mentions one by one, as they came, and judges each brand at the instants that this makes due.

An instant is judged at the first mention that was received more than a minute after it, on what stood before that one.
Nothing here knows where mentions come from: a file (`backtest`) or the database. Memory is bounded per brand: whole mentions of
two days, an entry an author and hour for the weeks of the baseline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from services.alert.detection.blocks import HourBlock, Marked, build_block, extend_block, keep_stories, mark
from services.alert.detection.hours import HourTally, tally_of
from services.alert.detection.judge import INSTANT, OBSERVED, Judge
from services.alert.detection.lateness import wakes
from services.alert.detection.observations import (
    HOUR,
    HarmfulRates,
    HourCount,
    Observation,
    start_of_hour,
)
from services.alert.detection.state import BrandProfile, BrandState, Judgement
from services.alert.detection.stories import StoryBook, telling, untold, write_down
from services.alert.detection.voices import Quote
from services.alert.detection.watch import (
    OLDEST,
    after_ring,
    decided_by_rules,
    next_rung,
    rings,
    rules_of,
    rung_evidence,
)
from services.alert.detection.words import crisis_word_finder
from tocsin.contracts.events import has_grown
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.detection import DetectionSettings

SETTLED = timedelta(minutes=1)
"""A line must have been received this long after an instant for the instant to be judged."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One mention of one brand, as it came."""

    brand: str
    observation: Observation
    """Whether it wakes is decided anew, by the settings of the replay."""
    received: datetime
    version: int = 0
    """The highest of a mention wins."""
    outlet: str | None = None
    author: str | None = None
    """As watch rules name authors, where `observation.author` is a key that tells nothing: source, colon, id."""
    teaches_only: bool = False
    """It was imported or replayed: it teaches the baseline and wakes nobody, whatever the settings."""


class Replay:
    """Judges the mentions that it is given as a live run would have; watch rules ring on the instant."""

    def __init__(
        self, settings: DetectionSettings, rates: HarmfulRates, brands: Mapping[str, BrandProfile] | None = None
    ) -> None:
        """`brands`: what is configured; any other brand is judged in UTC."""
        self._settings = settings
        self._rates = rates
        self._profiles = brands or {}
        self._brands: dict[str, _BrandReplay] = {}
        self._clock: datetime | None = None
        self._due = datetime.min.replace(tzinfo=UTC)
        """Up to here nothing is due that was not judged already."""

    def take(self, item: Heard) -> Iterator[Judgement]:
        """Judge what became due before this mention came, take it in, and say whether a watch rule rang.

        Mentions are to be given in the order in which they came; one that was received before its forerunner came with it.
        """
        yield from self.until(item.received)
        known = self._brands.get(item.brand)
        if known is None:
            profile = self._profiles.get(item.brand) or BrandProfile(id=item.brand)
            known = self._brands[item.brand] = _BrandReplay(profile, self._settings, self._rates)
        rung = known.add(item, max(item.received, self._clock or item.received))
        if rung is not None:
            yield rung

    def until(self, moment: datetime) -> Iterator[Judgement]:
        """Judge what is due when `moment` has come."""
        before, self._clock = self._clock, moment if self._clock is None else max(self._clock, moment)
        # Nearly every mention comes before the next instant is due; that is found out without a generator's work.
        if before is None or moment <= self._due:
            return
        self._due = _next_due(moment)
        for instant in _instants(before, moment):
            for brand in sorted(self._brands):
                judgement = self._brands[brand].judge(instant)
                if judgement is not None:
                    yield judgement
            if not any(item.busy(instant) for item in self._brands.values()):
                break


def _next_due(received: datetime) -> datetime:
    """The latest receipt at which no instant becomes due after those that `received` made due."""
    step = INSTANT.total_seconds()
    number = -int(-(received - SETTLED).timestamp() // step)
    return datetime.fromtimestamp(number * step, UTC) + SETTLED


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
    """One brand while it is replayed; holds the mentions of the last two days and tallies of the weeks before."""

    profile: BrandProfile
    settings: DetectionSettings
    rates: HarmfulRates
    state: BrandState = field(default_factory=BrandState)
    recent: dict[datetime, dict[str, tuple[int, Observation]]] = field(default_factory=dict)
    marked: dict[datetime, dict[str, Marked]] = field(default_factory=lambda: defaultdict(dict))
    blocks: dict[datetime, HourBlock] = field(default_factory=dict)
    added: dict[datetime, list[Marked]] = field(default_factory=dict)
    """What came since the last instant, by hour; nothing of it was known before."""
    changed: set[datetime] = field(default_factory=set)
    """Hours in which something that was known has changed since then."""
    tallies: dict[datetime, HourTally] = field(default_factory=dict)
    counts: dict[datetime, HourCount] = field(default_factory=dict)
    stale: set[datetime] = field(default_factory=set)
    version: int = 0
    pruned: datetime | None = None
    rung: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """When a rule rang for a mention; the same rings nothing again."""
    score: float = 0.0

    def __post_init__(self) -> None:
        self.judge_of_brand = Judge(self.profile, self.settings, self.rates)
        self.speaks_of_crisis = crisis_word_finder(self.settings.crisis_words)
        self.stories = StoryBook(self.settings.stories)
        self.rules = rules_of(self.settings, self.profile.id)

    def add(self, item: Heard, received: datetime) -> Judgement | None:
        """Take in a mention that came at `received`; the judgement of the watch rules that it makes ring, if any."""
        observation, version = item.observation, item.version
        late = not wakes(observation.at, received, observation.source, self.settings.lateness)
        if item.teaches_only or late:
            observation = replace(observation, wakes=False)
        hour = start_of_hour(observation.at)
        held = self.recent.setdefault(hour, {})
        known = held.get(observation.mention_id)
        if known is not None and known[0] >= version:
            if not has_grown(known[1].engagement, observation.engagement):
                return None
            # An observation of its reactions, whatever the revision.
            version, observation = known[0], replace(known[1], engagement=observation.engagement)
        held[observation.mention_id] = (version, observation)
        self._count(hour, observation, is_new=known is None)
        self.stale.add(hour)
        if received - hour > OBSERVED - 2 * HOUR:
            self.version += 1
        return None if item.teaches_only or not self.rules else self._ring(observation, item, received)

    def _ring(self, observation: Observation, item: Heard, now: datetime) -> Judgement | None:
        named = observation if item.author is None else replace(observation, author=item.author)
        found = [
            ring
            for ring in rings(named, item.outlet, now, self.rules, self.rates)
            if (ring.rule.id, ring.mention_id) not in self.rung
        ]
        if not found:
            return None
        self.rung.update({(ring.rule.id, ring.mention_id): now for ring in found})
        rung = next_rung(self.state.rung, found, now, self.settings)
        self.state, event = after_ring(self.state, rung, now)
        return Judgement(
            at=now,
            brand=self.profile.id,
            level=self.state.level,
            event=event,
            score=self.score,
            state=self.state,
            reasons=tuple(ring.reason for ring in found),
            evidence={"decided": decided_by_rules(rung), "watch": rung_evidence(rung)},
        )

    def _count(self, hour: datetime, observation: Observation, *, is_new: bool) -> None:
        added = self.added.setdefault(hour, [])
        if not is_new:
            self.changed.add(hour)
        tally = self.tallies.get(hour)
        if tally is None:
            tally = self.tallies[hour] = HourTally(hour)
        if not observation.counts(self.rates):
            self.marked[hour].pop(observation.mention_id, None)
            return
        marked = self.marked[hour][observation.mention_id] = mark(observation, self.rates, self.speaks_of_crisis)
        if is_new:
            added.append(marked)
            tally.add(marked)

    def _bring_up_to_date(self, instant: datetime) -> None:
        """Blocks and counts of the hours in which something came."""
        for hour, added in self.added.items():
            before = self.blocks.get(hour)
            if hour in self.changed:
                known = self.marked[hour].values()
                self.blocks[hour] = keep_stories(build_block(known), before)
                self.tallies[hour] = tally_of(hour, known)
            else:
                self.blocks[hour] = build_block(added) if before is None else extend_block(before, added)
        self.added.clear()
        self.changed.clear()
        # What the present hour holds is asked of its block; its row is counted when it is over.
        over = start_of_hour(instant)
        for hour in [hour for hour in self.stale if hour < over or hour not in self.counts]:
            self.counts[hour] = self.tallies[hour].count()
            self.stale.discard(hour)

    def busy(self, instant: datetime) -> bool:
        """Is there anything to judge at `instant`: a level, a confirmation to wait for, or a mention in the last day?"""
        return (
            self.state.level is not Level.GREEN
            or self.state.pending_since is not None
            or any(instant - hour <= OBSERVED for hour in self.blocks)
            or bool(self.added)
        )

    def judge(self, instant: datetime) -> Judgement | None:
        """Judge the brand at `instant`; None where it rests."""
        if not self.busy(instant):
            return None
        self._bring_up_to_date(instant)
        self._tell_stories(instant)
        self._forget(instant)
        judgement = self.judge_of_brand.judge(
            instant, self.blocks, list(self.counts.values()), self.state, version=self.version, quotes=self._quotes
        )
        self.state, self.score = judgement.state, judgement.score
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
        self.rung = {key: at for key, at in self.rung.items() if hour - at <= 2 * OLDEST}
