"""The demo's story as mentions: two weeks of quiet, an ordinary evening, then a bad buzz. The same for the same seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import yaml

SOURCES = (("bluesky", "social"), ("mastodon", "social"), ("reviews", "review"), ("forum", "forum"))
QUIET_A_DAY = 200
"""Mentions of an ordinary day."""
CRISIS_GROWTH = timedelta(minutes=25)
"""The time in which the bad buzz multiplies by e."""
CRISIS_START_AN_HOUR = 40
CRISIS_CEILING_AN_HOUR = 260
QUIET_BEFORE = timedelta(minutes=50)
"""How long the evening stays ordinary."""
EVENING = timedelta(minutes=130)
"""How long the streamed part is, in the story's own time."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A brand and what is said of it."""

    brand: str
    name: str
    time_zone: str
    authors: tuple[str, ...]
    languages: dict[str, dict[str, list[str]]]

    @classmethod
    def load(cls) -> Scenario:
        """The story that comes with Tocsin."""
        raw: dict[str, Any] = yaml.safe_load(
            files("tocsin.cli.demo").joinpath("scenario.yaml").read_text(encoding="utf-8")
        )
        return cls(raw["brand"], raw["name"], "Europe/Paris", tuple(raw["authors"]), raw["languages"])

    def history(self, until: datetime, days: int = 14, seed: int = 1) -> Iterator[dict[str, Any]]:
        """Two quiet weeks before `until`, oldest first: more in the evening than in the morning."""
        chance = random.Random(seed)
        at = until - timedelta(days=days)
        while True:
            at += timedelta(hours=chance.expovariate(self._usual_rate(at)))
            if at >= until:
                return
            yield self._mention(chance, at, "quiet")

    def evening(self, start: datetime, seed: int = 2) -> Iterator[dict[str, Any]]:
        """The streamed part, oldest first: ordinary for `QUIET_BEFORE`, then the ordinary goes on and the bad buzz grows."""
        chance = random.Random(seed)
        mentions: list[tuple[datetime, str]] = []
        at = start
        while at < start + EVENING:
            at += timedelta(hours=chance.expovariate(self._usual_rate(at)))
            mentions.append((at, "quiet"))
        at = start + QUIET_BEFORE
        while at < start + EVENING:
            grown = (at - start - QUIET_BEFORE) / CRISIS_GROWTH
            rate = min(CRISIS_CEILING_AN_HOUR, CRISIS_START_AN_HOUR * math.exp(grown))
            at += timedelta(hours=chance.expovariate(rate))
            mentions.append((at, "crisis"))
        for when, mood in sorted(mentions):
            if when < start + EVENING:
                yield self._mention(chance, when, mood)

    def _usual_rate(self, at: datetime) -> float:
        """Mentions an hour on an ordinary day, at this hour of the brand's day: most at eight in the evening."""
        hour = at.astimezone(ZoneInfo(self.time_zone)).hour
        return QUIET_A_DAY / 24 * (1 + 0.75 * math.sin((hour - 14) / 24 * 2 * math.pi))

    def _mention(self, chance: random.Random, at: datetime, mood: str) -> dict[str, Any]:
        # Half of it in French and English, as it is for a French brand that sells abroad.
        language = chance.choice(("fr", "en") * 3 + tuple(self.languages))
        words = self.languages[language]
        text = chance.choice(words[mood]).replace("{flavour}", chance.choice(words["flavour"]))
        text = text.replace("{place}", chance.choice(words["place"]))
        source, kind = chance.choice(SOURCES)
        # Most people have few followers, a few have very many.
        followers = int(20 * chance.paretovariate(0.9))
        author = f"{chance.choice(self.authors)}_{chance.randrange(10_000)}"
        return {
            "source": source,
            "source_kind": kind,
            "native_id": f"demo-{chance.getrandbits(64):016x}",
            "text": text,
            "published_at": at.isoformat(),
            "language": language,
            "author": {"id": author, "name": author, "followers": min(followers, 90_000)},
        }
