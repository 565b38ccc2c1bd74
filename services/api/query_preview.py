"""What a query would have matched: counted over the texts that are kept, one at a time, so that memory stays bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, tzinfo

from tocsin.contracts.settings.brands import BrandSettings
from tocsin.matching import BrandMatcher
from tocsin.storage.stored_texts import StoredText

SAMPLES = 10
_TODAY, _PROPOSED = "today", "proposed"


@dataclass(slots=True)
class Tally:
    """What was found: `matched` by the proposed query, `new` of them beyond today's, `excluded` that would be kept out."""

    matched: int = 0
    new: int = 0
    excluded: int = 0


@dataclass(slots=True)
class Preview:
    """Counts and samples; samples are the newest of each sort."""

    looked_at: int = 0
    oldest: StoredText | None = None
    total: Tally = field(default_factory=Tally)
    by_day: dict[date, Tally] = field(default_factory=dict)
    by_source: dict[str, Tally] = field(default_factory=dict)
    new_samples: list[StoredText] = field(default_factory=list)
    excluded_samples: list[StoredText] = field(default_factory=list)
    elsewhere: Counter[str] = field(default_factory=Counter)
    """For which other brands those that are new were kept."""


def preview(texts: Iterable[StoredText], brand: BrandSettings, proposed: BrandSettings, *, zone: tzinfo) -> Preview:
    """Hold `proposed` (the brand as it would be) against `texts`, the newest first, and against the brand as it is.

    A text is new where the proposal finds it and it was not kept for the brand; excluded where it was kept for the brand,
    today's query finds it, and the proposal does not. Days are those of `zone`.
    """
    matcher = BrandMatcher.of_brands(
        (brand.model_copy(update={"id": _TODAY}), proposed.model_copy(update={"id": _PROPOSED}))
    )
    found = Preview()
    for text in texts:
        found.looked_at += 1
        found.oldest = text
        spoken_of = matcher.spans(text.text)
        matched = _PROPOSED in spoken_of
        ours = brand.id in text.brands
        new = matched and not ours
        excluded = ours and _TODAY in spoken_of and not matched
        if not matched and not excluded:
            continue
        day = text.published_at.astimezone(zone).date()
        for tally in (
            found.total,
            found.by_day.setdefault(day, Tally()),
            found.by_source.setdefault(text.source, Tally()),
        ):
            tally.matched += matched
            tally.new += new
            tally.excluded += excluded
        if new:
            found.elsewhere.update(text.brands)
            _keep(found.new_samples, text)
        if excluded:
            _keep(found.excluded_samples, text)
    return found


def _keep(samples: list[StoredText], text: StoredText) -> None:
    # A text that is pasted a thousand times says nothing new as a sample.
    if len(samples) < SAMPLES and all(text.text != sample.text for sample in samples):
        samples.append(text)
