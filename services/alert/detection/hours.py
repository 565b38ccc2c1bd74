"""Hours of mentions counted: the rows of the baseline's memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from services.alert.detection.blocks import CRISIS, HARMFUL, TOXIC, Marked, mark
from services.alert.detection.observations import HarmfulRates, HourCount, LanguageCount, Observation, start_of_hour


def count_hours(
    observations: Iterable[Observation], rates: HarmfulRates, speaks_of_crisis: Callable[[str], bool]
) -> list[HourCount]:
    """Count mentions by the hour, in order of time; hours without a mention that counts are left out.

    Storage calls it with all mentions of each dirty hour of one brand and writes what it says in the place of what was there;
    an hour that is missing from the answer is a row to delete. `speaks_of_crisis` tells whether a text has a crisis word
    (`words.crisis_word_finder(settings)`).
    """
    hours: dict[datetime, list[Marked]] = {}
    for observation in observations:
        if observation.counts(rates):
            marked = mark(observation, rates, speaks_of_crisis)
            hours.setdefault(start_of_hour(observation.at), []).append(marked)
    return [tally_of(hour, hours[hour]).count() for hour in sorted(hours)]


def tally_of(hour: datetime, marked: Iterable[Marked]) -> HourTally:
    """One hour, of all mentions in it that count (deleted ones too: their counts stay), in any order."""
    tally = HourTally(hour)
    for item in marked:
        tally.add(item)
    return tally


@dataclass(slots=True)
class HourTally:
    """An hour while it is being counted: one short entry an author, in any order of mentions."""

    hour: datetime
    mentions: int = 0
    top_engagement: int = 0
    authors: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    """By author: the smallest of the languages used, the most followers seen (−1: not given), and flags."""
    sources: dict[str, int] = field(default_factory=dict)

    def add(self, marked: Marked) -> None:
        """Count a mention of this hour, one that wakes nobody, too; the same one twice counts twice."""
        self.mentions += 1
        self.top_engagement = max(self.top_engagement, marked.engagement)
        self.sources[marked.source] = self.sources.get(marked.source, 0) + 1
        language, most, flags = marked.language, marked.followers, marked.flags
        known = self.authors.get(marked.author)
        if known is not None:
            language, most, flags = min(language, known[0]), max(most, known[1]), flags | known[2]
        self.authors[marked.author] = (language, most, flags)

    def count(self) -> HourCount:
        """The row of this hour."""
        entries = self.authors.values()
        flagged = Counter(flags for _, _, flags in entries)
        spoken = Counter(language for language, _, _ in entries)
        harmed = Counter(language for language, _, flags in entries if flags & HARMFUL)
        return HourCount(
            hour=self.hour,
            mentions=self.mentions,
            authors=len(self.authors),
            harmful=sum(number for flags, number in flagged.items() if flags & HARMFUL),
            toxic=sum(number for flags, number in flagged.items() if flags & TOXIC),
            crisis=sum(number for flags, number in flagged.items() if flags & CRISIS),
            followers=sum(followers for _, followers, _ in entries if followers >= 0),
            with_followers=sum(followers >= 0 for _, followers, _ in entries),
            languages={language: LanguageCount(spoken[language], harmed[language]) for language in sorted(spoken)},
            sources={source: self.sources[source] for source in sorted(self.sources)},
            top_engagement=self.top_engagement,
        )
