"""The numbers of one window: surprises, growth, reach, toxicity, and the score made of them.

    S_N = −log10 P(harmful ≥ N)      S_V = −log10 P(authors ≥ V)      S_S = −log10 P(BetaBin(V, s₀) ≥ N)
    E = min(S_N, 12) + ½·min(S_S, 8) + ¼·min(S_V, 8)
    score = 100·(1 − e^(−E/8))·(0.7 + 0.1·G + 0.1·R + 0.1·T)

N and its expectation are both as the classifier says, so that its errors are on both sides; what unexpected talk adds to N by
the classifier's mistakes alone is expected too: μ_N + fpr·max(0, V − μ_V). (Comparing N̂ = (N − fpr·V)/(tpr − fpr) instead
says the same where the rates fit the brand, but its expectation falls to nothing, and every count is a wonder, for a brand whose
calm mentions are clearer than those on which fpr was measured.)

A brand's score is the highest of its windows', so that one more harmful mention never lowers it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil, exp, log2, log10

from services.alert.detection.baseline import Baseline, Expected
from services.alert.detection.columns import Columns, WindowCount
from services.alert.detection.observations import HOUR
from services.alert.detection.state import BrandState, Interval
from services.alert.detection.surprise import count_surprise, quantile, share_surprise
from tocsin.contracts.settings.detection import DetectionSettings, WindowSettings

SHARE_CONCENTRATION = 50.0
"""κ of the beta-binomial: a calm brand's share of harm swings by about 0.07 from day to day."""
_LONGEST_COMPARED = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class WindowMeasure:
    """One window, counted and compared with what was expected there."""

    settings: WindowSettings
    count: WindowCount
    authors_expected: Expected
    harmful_expected: Expected
    own_share: float
    harmful_surprise: float
    """S_N."""
    volume_surprise: float
    """S_V."""
    share_surprise: float
    """S_S."""
    growth: float
    """G, 0–1."""
    reach: float | None
    """R, 0–1; None where the source gives no followers."""
    toxicity: float
    """T, 0–1."""
    score: float
    crisis_expected: Expected
    """Authors with a crisis word."""
    crisis_surprise: float
    """S_C; 0 where too few use one to matter, and in windows longer than `gate.crisis_within`."""

    @property
    def z(self) -> float:
        """The normal quantile of the p-value behind S_N."""
        return quantile(self.harmful_surprise)

    @property
    def share(self) -> float:
        """N/V, 0 in an empty window."""
        return self.count.observed_harmful / self.count.authors if self.count.authors else 0.0

    @property
    def share_is_high(self) -> bool:
        """At least the brand's own share of harm."""
        return self.share >= self.own_share

    def passes(self, settings: DetectionSettings) -> bool:
        """True where it would open the gate, by harm or by crisis words."""
        return self.passes_by_harm(settings) or self.passes_by_words(settings)

    def passes_by_words(self, settings: DetectionSettings) -> bool:
        """True where crisis words open the gate: so many authors have not used one by chance, and enough of them mean harm."""
        return words_pass(self.count, self.crisis_surprise, self.authors_expected, self.settings, settings)

    def passes_by_harm(self, settings: DetectionSettings) -> bool:
        """True where harmful mentions open the gate."""
        return (
            self.harmful_surprise >= self.settings.surprise
            and self.count.distinct_harmful >= settings.gate.harmful_authors
            and self.share_is_high
        )


def heard_windows(measures: Sequence[WindowMeasure], state: BrandState) -> list[WindowMeasure]:
    """Those that keep an alert up: windows like the one that opened it, and of 3 h at least, because a day remembers too long."""
    longest = max(state.opened_by or timedelta(0), 3 * HOUR)
    if state.onset is None:
        return list(measures)
    return [item for item in measures if item.settings.length <= longest] or list(measures)


def least_crisis_authors(authors_expected: Expected, settings: DetectionSettings) -> int:
    """So many authors with a crisis word open the gate at least: `gate.crisis_authors`, more where many talk anyway.

    Measured against the usual talk and not against today's, so that one more mention never closes the gate.
    """
    return max(settings.gate.crisis_authors, ceil(settings.gate.crisis_of_usual * authors_expected.mean))


def words_pass(
    count: WindowCount,
    surprise: float,
    authors_expected: Expected,
    window: WindowSettings,
    settings: DetectionSettings,
) -> bool:
    """The gate's second way in, for what the classifier half misses: `S_C`, enough authors, and a share that means harm."""
    gate = settings.gate
    return (
        surprise >= window.surprise
        and count.distinct_crisis >= least_crisis_authors(authors_expected, settings)
        and count.harmful_crisis >= max(settings.levels.crisis_authors, gate.crisis_share * count.distinct_crisis)
    )


def measure(
    columns: Columns, baseline: Baseline, instant: datetime, window: WindowSettings, gone: Sequence[Interval]
) -> WindowMeasure:
    """Count a window that ends at `instant` and compare it; `gone` are past alerts, which neither side counts."""
    settings = baseline.settings
    share_of_one = settings.gate.author_share
    count = columns.count(instant, window.length, share_of_one)
    authors = baseline.expect_authors(count.start, instant, gone)
    unexpected = max(0.0, count.authors - authors.mean)
    harmful = baseline.expect_harmful(count.start, instant, gone).plus(baseline.mistaken_share * unexpected)
    surprise = count_surprise(count.observed_harmful, harmful.mean, harmful.variance)
    volume = count_surprise(count.authors, authors.mean, authors.variance)
    share = share_surprise(count.observed_harmful, count.authors, baseline.share, SHARE_CONCENTRATION)
    worded = Expected(0.0, 0.0)
    crisis = 0.0
    enough = min(settings.levels.crisis_authors, settings.gate.crisis_authors)
    if count.distinct_crisis >= enough and window.length <= settings.gate.crisis_within:
        worded = baseline.expect_crisis(count.start, instant, gone)
        crisis = count_surprise(count.crisis, worded.mean, worded.variance)
    before = (
        columns.count(count.start, window.length, share_of_one).observed_harmful
        if window.length <= _LONGEST_COMPARED
        else harmful.mean  # the columns reach no further back than a day
    )
    growth = min(max(log2((count.observed_harmful + 3) / (before + 3)), 0.0), 3.0) / 3
    reach = None
    if baseline.daily_followers is not None:
        reach = min(1.0, log10(1 + count.followers / baseline.daily_followers) / 2)
    toxic_share = count.toxic / count.observed_harmful if count.observed_harmful else 0.0
    toxicity = min(max((toxic_share - baseline.toxic_share) / 0.2, 0.0), 1.0)
    telling = max(surprise, crisis) if words_pass(count, crisis, authors, window, settings) else surprise
    evidence = min(telling, 12.0) + 0.5 * min(share, 8.0) + 0.25 * min(volume, 8.0)
    return WindowMeasure(
        settings=window,
        count=count,
        authors_expected=authors,
        harmful_expected=harmful,
        own_share=baseline.share,
        harmful_surprise=surprise,
        volume_surprise=volume,
        share_surprise=share,
        growth=growth,
        reach=reach,
        toxicity=toxicity,
        crisis_expected=worded,
        crisis_surprise=crisis,
        score=100 * (1 - exp(-evidence / 8)) * _weight(growth, reach, toxicity),
    )


def _weight(growth: float, reach: float | None, toxicity: float) -> float:
    if reach is None:
        return 0.7 + 0.15 * growth + 0.15 * toxicity
    return 0.7 + 0.1 * growth + 0.1 * reach + 0.1 * toxicity
