"""`detection`: every threshold of the alarm. The defaults suit a small and a large brand alike; each is a design choice of ours,
tuned on public data (docs/detection.md tells how), and each says what a higher value does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tocsin.contracts.events import Instant, RiskKind, Share
from tocsin.contracts.settings.base import Duration, Identifier, Settings, format_duration

CRISIS_WORDS = (
    # fr
    "boycott", "rappel produit", "rappel de produit", "scandale", "plainte collective", "porter plainte", "honte à",
    # en
    "recall", "lawsuit", "class action", "scandal", "outrage", "shame on", "data breach",
    # es, pt
    "boicot", "escándalo", "demanda colectiva", "retirada del producto", "escândalo", "ação coletiva", "recolha do produto",
    # de
    "boykott", "skandal", "rückruf", "sammelklage",
    # it
    "scandalo", "richiamo del prodotto", "class-action", "vergogna",
    # ar
    "مقاطعة", "قاطعوا", "فضيحة", "استدعاء",
    # hi, in both scripts
    "बहिष्कार", "बॉयकॉट", "घोटाला", "bahishkar", "ghotala",
)  # fmt: skip
"""Beginnings of words that stand for a crisis, in the eight languages."""


class BaselineSettings(Settings):
    """How the brand's own normal is learned from the weeks before."""

    memory: Duration = timedelta(days=28)
    """How far back it looks. Longer: steadier, slower to follow a brand that grows."""
    cold: Duration = timedelta(days=3)
    """With less history than this there is no surprise score; the stated absolute defaults work instead."""
    week_after: Duration = timedelta(days=7)
    """From this much history on, the same hour of the week weighs more than the same hour of other days."""
    guard: Duration = timedelta(hours=24)
    """The latest hours, which the longest window looks at, do not teach yet: a crisis must not be its own normal."""
    pooled_samples: Annotated[float, Field(gt=0)] = 6.0
    """How many samples the same hour of all days counts for, beside those of the same hour of the week."""
    prior_variation: Annotated[float, Field(ge=0)] = 0.35
    """How much a brand nobody knows yet swings from day to day by itself: the standard deviation of its level, as a share."""
    prior_days: Annotated[float, Field(gt=0)] = 1.5
    """How many days of its own calm weigh as much as that guess."""
    longest_mask: Duration = timedelta(days=3)
    """Hours under alert do not teach, up to this long after it began; what lasts longer is the new normal."""


class WindowSettings(Settings):
    """A window of event time that ends at the evaluation instant."""

    length: Duration
    surprise: Annotated[float, Field(gt=0)] = 4.0
    """`S_N` (−log10 of a probability) that opens the gate. Higher: later and rarer."""


class GateSettings(Settings):
    """What must be true before anybody is woken."""

    windows: tuple[WindowSettings, ...] = (
        WindowSettings(length=timedelta(minutes=30), surprise=4.5),
        WindowSettings(length=timedelta(hours=1), surprise=4.2),
        WindowSettings(length=timedelta(hours=2), surprise=3.8),
        WindowSettings(length=timedelta(hours=3), surprise=3.5),
        WindowSettings(length=timedelta(hours=6), surprise=3.2),
        WindowSettings(length=timedelta(hours=24), surprise=4.0),
    )
    """Long windows see a slow burn, short ones a blaze. A month has fewer long windows, so they may be less surprising; not so
    the day, whose level swings by itself in every real stream."""
    at_once: Annotated[float, Field(gt=0)] = 6.0
    """`S_N` from which no second evaluation is waited for."""
    closes_below: Annotated[float, Field(ge=0)] = 2.0
    """`S_N` below which an evaluation is calm again."""
    harmful_authors: Annotated[int, Field(ge=1)] = 8
    """Distinct authors with a harmful mention, at least."""
    crisis_authors: Annotated[int, Field(ge=1)] = 8
    """Or distinct authors with a crisis word (`crisis_words`), as far beyond what is usual as a window's surprise asks."""
    crisis_share: Annotated[float, Field(ge=0, le=1)] = 0.25
    """And this share of them harmful, at least `levels.crisis_authors`: a cheerful word that begins like one rings nothing."""
    crisis_of_usual: Annotated[float, Field(ge=0, le=1)] = 0.05
    """And as many as this share of the authors who are usual in the window: where thousands talk, a few always speak of a lawsuit."""
    crisis_within: Duration = timedelta(hours=6)
    """In windows up to this long: a call spreads within hours, and who spoke of one thing yesterday still does today."""
    confirmed_after: Duration = timedelta(minutes=15)
    """When the second evaluation comes."""
    author_share: Annotated[float, Field(gt=0, le=1)] = 1 / 6
    """No single author carries more of the evidence than this."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.windows:
            raise ValueError("the gate needs at least one window, such as {length: 1 h}")
        longest = max(window.length for window in self.windows)
        if longest > timedelta(hours=24):
            raise ValueError(
                f"a window of {format_duration(longest)} is too long; single mentions are looked at for 24 h"
            )
        lowest = min(window.surprise for window in self.windows)
        if not self.closes_below < lowest <= self.at_once:
            raise ValueError(
                f"closes_below ({self.closes_below}) must be below the surprise of each window (lowest: {lowest}), "
                f"and that not above at_once ({self.at_once})"
            )
        return self


class LevelSettings(Settings):
    """How bad it is, once the gate has spoken."""

    yellow_z: Annotated[float, Field(gt=0)] = 3.0
    """Normal quantile of the p-value behind `S_N` from which a notice appears that wakes nobody."""
    yellow_authors: Annotated[int, Field(ge=1)] = 5
    red_z: Annotated[float, Field(gt=0)] = 7.0
    """Red, if orange in two evaluations and at or above this."""
    loud_followers: Annotated[int, Field(ge=1)] = 100_000
    """An author with this many followers among the harmful: orange at once."""
    crisis_authors: Annotated[int, Field(ge=1)] = 3
    """So many authors with a crisis word, above the brand's own rate of it: orange at once."""
    press_authors: Annotated[int, Field(ge=1)] = 1
    """So many press authors among the harmful make orange red."""
    grave_authors: Annotated[int, Field(ge=1)] = 3
    """So many authors with a safety or legal risk make orange red."""
    grave_kinds: tuple[RiskKind, ...] = (RiskKind.PRODUCT_SAFETY, RiskKind.LEGAL)
    never_buzz_kinds: tuple[RiskKind, ...] = (
        RiskKind.PRODUCT_SAFETY,
        RiskKind.LEGAL,
        RiskKind.PRIVACY,
        RiskKind.DISCRIMINATION,
    )
    """A surprise of volume whose main story is of such a kind is orange at least, never buzz."""
    buzz_surprise: Annotated[float, Field(gt=0)] = 4.0
    """`S_V` from which much talk without the share of harm is shown as buzz."""
    grave_surprise: Annotated[float, Field(gt=0)] = 3.0
    """`S_V` from which talk whose main story is of a kind in `never_buzz_kinds` opens the gate."""
    falls_after: Duration = timedelta(hours=3)
    """Calm time before a level falls by one step."""


class ColdSettings(Settings):
    """What works while there is too little history for a surprise: absolute, and said so in the alert."""

    harmful_authors: Annotated[int, Field(ge=1)] = 30
    """Authors with a harmful mention in the last hour, at least."""
    times_highest: Annotated[float, Field(gt=1)] = 3.0
    """And so many times the highest hour known before: a steady stream, however negative, is no crisis."""
    known_hours: Annotated[int, Field(ge=1)] = 12
    """Hours that must have been seen before, so that the first mentions of a brand are no crisis."""


class StorySettings(Settings):
    """How mentions are grouped: near copies of one text, and one story in other words."""

    similarity: Annotated[float, Field(gt=0, le=1)] = 0.52
    """Cosine of a mention's embedding with a story's centre from which it joins. Higher: more and smaller stories. It belongs to
    the network that ships; `make bench-stories` measures it."""
    copy_resemblance: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Jaccard similarity of two texts (runs of five characters), as MinHash estimates it, from which they are near copies."""
    stories: Annotated[int, Field(ge=8, le=4096)] = 256
    """Stories of a brand that new mentions may join; 801 bytes each."""
    texts: Annotated[int, Field(ge=8, le=4096)] = 512
    """Texts of a brand that new mentions may be copies of; 161 bytes each."""
    alarming_authors: Annotated[int, Field(ge=2)] = 8
    """A story with so many harmful authors, new since the incident's last news, is told to those who were called."""
    news_every: Duration = timedelta(minutes=30)
    """News of one incident come no closer together than this; what happens in between is told together."""


class CampaignSettings(Settings):
    """When many authors with one text, all of a sudden, are flagged as a campaign (flagged, never muted)."""

    authors: Annotated[int, Field(ge=2)] = 8
    """Authors who pasted the text (a repost, which names whom it repeats, is none)."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Of the authors in the window who wrote something themselves."""
    young: Duration = timedelta(hours=6)
    """And half of them wrote within so long of the first."""


class EngagementSettings(Settings):
    """When a single harmful post takes off: reactions (likes, reposts, replies) within a day of its publication."""

    gain: Annotated[int, Field(ge=64)] = 1_000
    """Reactions from which it is a notice, if it also has …"""
    times_usual: Annotated[float, Field(ge=1)] = 3.0
    """… so many times those of the best-received post of a usual day of the brand."""
    serious_gain: Annotated[int, Field(ge=64)] = 10_000
    """Reactions from which it is orange, if it also has …"""
    serious_times_usual: Annotated[float, Field(ge=1)] = 10.0
    """… so many times the usual."""


class SilenceSettings(Settings):
    """When a source that says nothing any more is an alarm of its own."""

    surprise: Annotated[float, Field(gt=0)] = 6.0
    """−log10 of the probability of such a silence, by the source's own hours."""
    times_longest: Annotated[float, Field(ge=1)] = 2.0
    """And so many times its longest gap of the weeks before."""
    at_least: Duration = timedelta(hours=1)
    notice_for: Duration = timedelta(hours=24)
    """So long it keeps the brand yellow, a notice that wakes nobody; with an incident open it is told to those who were called."""


class LatenessSettings(Settings):
    """What comes late teaches the baseline and wakes nobody."""

    late_after: Duration = timedelta(hours=2)
    """Beyond the source's usual delay at first receipt."""
    usual_delay: Mapping[str, Duration] = Field(default_factory=dict)
    """By source, where it is not next to nothing."""
    future: Duration = timedelta(minutes=10)
    """A mention dated further ahead than this is from no clock of ours: it wakes nobody."""


class WatchRuleSettings(Settings):
    """The second door: a single mention that meets every condition written here rings at once. At least one must be."""

    id: Identifier
    brands: tuple[Identifier, ...] = ()
    """For these brands; for all, when empty."""
    level: Literal["orange", "red"] = "orange"
    authors: tuple[str, ...] = ()
    """Ids or names of authors."""
    outlets: tuple[str, ...] = ()
    kinds: tuple[RiskKind, ...] = ()
    """Any of these kinds of risk, above its threshold."""
    risk: Share | None = None
    """Risk at least."""
    reach: Annotated[int, Field(ge=0)] | None = None
    """Followers of the author at least; a source that gives none does not meet it."""

    @model_validator(mode="after")
    def _has_a_condition(self) -> Self:
        if not (self.authors or self.outlets or self.kinds or self.risk is not None or self.reach is not None):
            raise ValueError(
                f"the watch rule {self.id} has no condition and would ring at each mention; "
                "give it authors, outlets, kinds, risk or reach"
            )
        return self


class PlannedSettings(Settings):
    """A campaign of the brand's own, entered beforehand: alerts during it say so. It annotates and mutes nothing."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    brands: tuple[Identifier, ...] = ()
    """For these brands; for all, when empty."""
    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"the campaign {self.name!r} ends before it starts; exchange start and end")
        return self

    def runs(self, brand: str, instant: datetime) -> bool:
        """Whether it runs for `brand` at `instant`."""
        return self.start <= instant < self.end and (not self.brands or brand in self.brands)


class DetectionSettings(Settings):
    """The `detection` section."""

    baseline: BaselineSettings = BaselineSettings()
    gate: GateSettings = GateSettings()
    levels: LevelSettings = LevelSettings()
    cold: ColdSettings = ColdSettings()
    stories: StorySettings = StorySettings()
    campaign: CampaignSettings = CampaignSettings()
    engagement: EngagementSettings = EngagementSettings()
    silence: SilenceSettings = SilenceSettings()
    lateness: LatenessSettings = LatenessSettings()
    watch: tuple[WatchRuleSettings, ...] = ()
    watch_holds: Duration = timedelta(hours=12)
    """So long a watch rule that rang keeps its level, whatever the counts say; people may resolve it before."""
    planned: tuple[PlannedSettings, ...] = ()
    crisis_words: tuple[str, ...] = CRISIS_WORDS
