"""One evaluation of one brand: counts, compares with the brand's normal, decides, and says why.

`judge` is all that the evaluator calls; the backtest calls `Judge` with what it keeps prepared between instants. Both give the
same answers for the same mentions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.alert.detection.baseline import Baseline, learn
from services.alert.detection.blocks import CRISIS, HARMFUL, PRESS, HourBlock, blocks_of
from services.alert.detection.cold import cold_signals
from services.alert.detection.columns import Columns, harmful_of
from services.alert.detection.engagement import taking_off, usual_best
from services.alert.detection.evidence import explain
from services.alert.detection.findings import Findings
from services.alert.detection.levels import Signals, next_state, present_mask
from services.alert.detection.measures import WindowMeasure, heard_windows, measure
from services.alert.detection.news import news_of
from services.alert.detection.observations import HOUR, HarmfulRates, HourCount, Observation, start_of_hour
from services.alert.detection.silence import Habit, learn_habits, watch_sources
from services.alert.detection.state import BrandProfile, BrandState, Interval, Judgement, Reason
from services.alert.detection.surprise import count_surprise
from services.alert.detection.voices import Pasted, Quote, Quotes, pasted
from services.alert.detection.words import crisis_word_finder
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.detection import DetectionSettings

INSTANT = timedelta(minutes=5)
"""Evaluation instants are multiples of this, counted from 1970 in UTC."""
OBSERVED = timedelta(hours=25)
"""How far back `observations` must reach before an instant: the longest window, and the clock hour that it begins in."""


def judge(  # noqa: PLR0917 - in the order in which one thinks of them
    instant: datetime,
    brand: BrandProfile,
    observations: Sequence[Observation],
    history: Sequence[HourCount],
    state: BrandState,
    settings: DetectionSettings,
    rates: HarmfulRates,
    *,
    complete_up_to: datetime | None = None,
) -> Judgement:
    """Judge `brand` at `instant` (a multiple of 5 minutes, with an offset).

    `observations`: the mentions from `observed_since(instant)` up to `instant`, in any order (later ones are ignored).
    `history`: the brand's hours of the last `settings.baseline.memory` and a day, up to and with the present hour, in any
    order. `complete_up_to`: the watermark of the stream; None where it is known to be complete (a file). Before `instant`,
    the judgement stands on what is there and no level falls. Raises `ValueError` for an instant that was already judged.
    """
    known = {item.mention_id: item for item in observations if item.at <= instant}
    blocks = blocks_of(known.values(), rates, crisis_word_finder(settings.crisis_words))

    def quotes(ids: Sequence[str]) -> dict[str, Quote]:
        return {item: Quote(known[item].text, known[item].author_name) for item in ids}

    return Judge(brand, settings, rates).judge(
        instant, blocks, history, state, complete_up_to=complete_up_to, quotes=quotes
    )


def observed_since(instant: datetime) -> datetime:
    """From where on `judge` needs single mentions."""
    return start_of_hour(instant) - OBSERVED + HOUR


class Judge:
    """Judges one brand; keeps the baseline of the present hour, which is costly to learn and the same within the hour."""

    def __init__(self, brand: BrandProfile, settings: DetectionSettings, rates: HarmfulRates) -> None:
        self.made_for = (brand, settings, rates)
        """Another brand, or other settings, need another one."""
        self._brand = brand
        self._settings = settings
        self._rates = rates
        self._hour: object | None = None
        self._earliest: datetime | None = None
        self._habits: Mapping[str, Habit] = {}
        self._usual_best = 0.0
        self._learned: tuple[object, Baseline] | None = None

    def judge(
        self,
        instant: datetime,
        blocks: Mapping[datetime, HourBlock],
        history: Sequence[HourCount],
        state: BrandState,
        *,
        complete_up_to: datetime | None = None,
        version: int = 0,
        quotes: Quotes = lambda _ids: {},
        muted_sources: Collection[str] = (),
    ) -> Judgement:
        """As the function `judge`, with the mentions in blocks by the start of their hour (later hours are ignored).

        What is muted is in no block; that a muted source says nothing is no alarm.

        `quotes` is asked for the few mentions that the evidence quotes. `version` must change whenever an hour of `history`
        that is more than 23 h old was counted again. What the present hour holds is asked of its block, not of `history`.
        """
        if state.judged is not None and instant <= state.judged:
            raise ValueError(f"{instant.isoformat()} is not after {state.judged.isoformat()}, which was judged already")
        since = observed_since(instant)
        used = [blocks[hour] for hour in sorted(blocks) if since <= hour <= instant]
        self._refresh(state, instant, history, version)
        self._earliest = min((count.hour for count in history), default=None)
        spoken = (hour for hour in sorted(blocks) if since <= hour <= instant and len(blocks[hour].rows))
        state = self._noted(state, instant, next(spoken, None))
        start = instant - max(window.length for window in self._settings.gate.windows)
        columns = Columns(used, min(start, since), instant, state.masks, rates=self._rates)
        silent = watch_sources(state, instant, used, self._habits, self._settings, muted=muted_sources)
        state = silent.state
        findings = replace(self._look(state, instant, columns, history), brand=self._brand.id)
        state, findings = self._grown(state, instant, columns, findings)
        findings = self._held(state, instant, findings)
        may_fall = complete_up_to is None or complete_up_to >= instant
        after, event = next_state(state, instant, findings.signals, self._settings, may_fall=may_fall)
        reasons: tuple[Reason, ...] = ()
        evidence: dict[str, Any] = {}
        campaign = self._campaign(columns, instant)
        if event is not None or after.level is not Level.GREEN or findings.buzz or campaign:
            reasons, evidence = explain(
                findings,
                columns,
                instant,
                after,
                settings=self._settings,
                complete_up_to=complete_up_to,
                campaign=campaign,
                quotes=quotes,
            )
        return Judgement(
            at=instant,
            brand=self._brand.id,
            level=after.level,
            event=event,
            score=round(findings.score, 1),
            state=after,
            buzz=findings.buzz,
            campaign=campaign is not None,
            newly_silent=silent.newly_silent,
            back=silent.back,
            measures=findings.measures,
            news=news_of(findings, silent, after, quotes),
            reasons=reasons,
            evidence=evidence,
        )

    def _refresh(self, state: BrandState, instant: datetime, history: Sequence[HourCount], version: int) -> None:
        """Learn again what is learned once an hour."""
        key = (start_of_hour(instant), version, state.known_since, state.silences)
        if self._hour != key:
            self._hour = key
            self._learned = None
            self._habits = learn_habits(history, instant, state, self._settings)
            self._usual_best = usual_best(history, instant)

    def _noted(self, state: BrandState, instant: datetime, spoken: datetime | None) -> BrandState:
        """The state with the brand's first hour and a change of its query, sources or neural network written down."""
        changes: dict[str, object] = {}
        earliest = self._earliest
        if earliest is None and state.known_since is None:
            earliest = spoken
        if earliest is not None and (state.known_since is None or earliest < state.known_since):
            changes["known_since"] = earliest
        if state.counting_key != self._brand.counting_key:
            changes["counting_key"] = self._brand.counting_key
        key = self._brand.baseline_key
        if state.baseline_key is None:
            changes["baseline_key"] = key
        elif state.baseline_key != key:
            changes |= {"baseline_key": key, "broken_at": instant}
        return state.model_copy(update=changes) if changes else state

    def _look(self, state: BrandState, instant: datetime, columns: Columns, history: Sequence[HourCount]) -> Findings:
        levels = self._settings.levels
        if state.known_since is None or (
            columns.harmful_total < levels.yellow_authors and columns.author_total < self._settings.gate.harmful_authors
        ):
            return Findings(signals=Signals())
        if instant - state.known_since < self._settings.baseline.cold:
            return cold_signals(columns, history, instant, state.known_since, self._settings)
        baseline = self._baseline(state, instant, history)
        if baseline.days * 24 * HOUR < self._settings.baseline.cold - self._settings.baseline.guard - HOUR:
            return cold_signals(columns, history, instant, state.known_since, self._settings)
        gone = state.masks
        measures = [measure(columns, baseline, instant, window, gone) for window in self._settings.gate.windows]
        return self._weigh(state, columns, baseline, measures)

    def _grown(
        self, state: BrandState, instant: datetime, columns: Columns, findings: Findings
    ) -> tuple[BrandState, Findings]:
        """A harmful post that takes off: a notice, or an alert at once."""
        day = columns.view(instant - 24 * HOUR, instant)
        told, grown = taking_off(state.taken_off, day, self._usual_best, instant, self._settings.engagement)
        if told != state.taken_off:
            state = state.model_copy(update={"taken_off": told})
        if not grown:
            return state, findings
        signals = findings.signals
        if not grown[0].serious:
            return state, replace(findings, growth=tuple(grown), signals=replace(signals, notice=True))
        decided_by = findings.decided_by if signals.passes else "engagement.serious_gain"
        signals = replace(signals, passes=True, at_once=True, calm=False)
        return state, replace(findings, growth=tuple(grown), signals=signals, decided_by=decided_by)

    def _held(self, state: BrandState, instant: datetime, findings: Findings) -> Findings:
        """What keeps a level up, or a notice, beside the counts: a watch rule that rang, a source that is silent."""
        longest = self._settings.silence.notice_for
        silent = any(instant - item.since <= longest for item in state.silent)
        rung, holds = state.rung, state.rung is not None and instant < state.rung.until
        # After that it stays why the level is up, until that has fallen.
        shown = rung if holds or (state.level.serious and state.onset is None) else None
        signals = replace(
            findings.signals,
            notice=findings.signals.notice or silent,
            floor=rung.level if rung is not None and holds else Level.GREEN,
        )
        return replace(findings, signals=signals, rung=shown)

    def _baseline(self, state: BrandState, instant: datetime, history: Sequence[HourCount]) -> Baseline:
        present = present_mask(state, instant, self._settings)
        masked: tuple[Interval, ...] = (*state.masks, *state.silences)
        if present is not None:
            masked = (*masked, Interval(start=present.start, end=min(present.end, start_of_hour(instant) + HOUR)))
        known = state.known_since or instant
        # What is too young to teach is no news to what was learned, and what teaches is told by whole hours.
        guarded = start_of_hour(instant) - self._settings.baseline.guard
        masked = tuple(
            Interval(start=start_of_hour(item.start), end=start_of_hour(item.end))
            for item in masked
            if start_of_hour(item.start) < guarded
        )
        key = (known, masked, state.broken_at)
        if self._learned is None or self._learned[0] != key:
            baseline = learn(
                history, instant=instant, known_since=known, zone=self._brand.time_zone, masked=masked,
                broken_at=state.broken_at, rates=self._rates, settings=self._settings,
            )  # fmt: skip
            self._learned = (key, baseline)
        return self._learned[1]

    def _weigh(
        self, state: BrandState, columns: Columns, baseline: Baseline, measures: list[WindowMeasure]
    ) -> Findings:
        settings = self._settings
        heard = heard_windows(measures, state)
        closes = settings.gate.closes_below
        calm = all(item.harmful_surprise < closes and item.crisis_surprise < closes for item in heard)
        passing = [item for item in heard if item.passes(settings)]
        harmed = [item for item in passing if item.passes_by_harm(settings)]
        by_words = bool(passing) and not harmed
        best = max(
            measures,
            key=lambda item: (
                item in (passing if by_words else harmed),
                item.crisis_surprise if by_words else item.harmful_surprise,
                -item.settings.length,
            ),
        )
        volume = max(measures, key=lambda item: (item.volume_surprise, -item.settings.length))
        loud = not passing and volume.volume_surprise >= settings.levels.buzz_surprise
        unusual = not passing and volume.volume_surprise >= settings.levels.grave_surprise
        neutral_crisis = unusual and self._main_story_is_grave(columns, volume)
        at_once, why = self._at_once(columns, baseline, passing)
        if by_words:
            why = "gate.crisis_authors"
        notice = any(
            item.z >= settings.levels.yellow_z
            and item.share_is_high
            and item.count.distinct_harmful >= settings.levels.yellow_authors
            for item in heard
        )
        grave = self._grave(columns, passing)
        return Findings(
            noticed=notice,
            grave=grave,
            signals=Signals(
                passes=bool(passing) or neutral_crisis,
                at_once=at_once,
                calm=calm and not neutral_crisis,
                notice=notice,
                z=max((item.z for item in harmed), default=0.0),
                grave=grave is not None,
                passed_by=min(
                    (item.settings.length for item in passing),
                    default=volume.settings.length if neutral_crisis else None,
                ),
            ),
            score=max(item.score for item in measures),
            measures=tuple(measures),
            deciding=volume if neutral_crisis else best,
            decided_by="levels.never_buzz_kinds" if neutral_crisis else why,
            buzz=loud and not neutral_crisis and not volume.share_is_high,
        )

    def _campaign(self, columns: Columns, instant: datetime) -> Pasted | None:
        """A text that many paste, among the harmful or among all, within the hour or within as long as it may take."""
        settings = self._settings.campaign
        if columns.author_total < settings.authors:
            return None
        for length in (HOUR, settings.young):
            recent = columns.view(instant - length, instant)
            found = pasted(harmful_of(recent), settings) or pasted(recent, settings)
            if found is not None:
                return found
        return None

    def _main_story_is_grave(self, columns: Columns, volume: WindowMeasure) -> bool:
        """Is half of the unexpected talk by authors who speak of a safety, legal, privacy or discrimination matter?"""
        kinds = set(self._settings.levels.never_buzz_kinds)
        view = columns.view(volume.count.start, volume.count.end)
        authors = view.authors(view.speaks_of(kinds))
        excess = volume.count.authors - volume.authors_expected.mean
        return authors >= max(self._settings.gate.harmful_authors, 0.5 * excess)

    def _at_once(
        self, columns: Columns, baseline: Baseline, passing: Sequence[WindowMeasure]
    ) -> tuple[bool, str | None]:
        """Whether no second evaluation is needed, and the threshold that says so."""
        levels, gate = self._settings.levels, self._settings.gate
        for item in passing:
            if item.harmful_surprise >= gate.at_once and item.passes_by_harm(self._settings):
                return True, "gate.at_once"
        for item in passing:
            if item.passes_by_words(self._settings):
                # What opened the gate is more than what spares the second evaluation.
                return True, "levels.crisis_authors"
            view = columns.view(item.count.start, item.count.end)
            if (view.has(HARMFUL) & (view.rows["followers"] >= levels.loud_followers)).any():
                return True, "levels.loud_followers"
            crisis = view.authors(view.has(CRISIS))
            usual = baseline.crisis_share * item.count.authors
            if crisis >= levels.crisis_authors and count_surprise(crisis, usual, 1.5 * usual) >= 2:
                return True, "levels.crisis_authors"
        return False, None

    def _grave(self, columns: Columns, passing: Sequence[WindowMeasure]) -> tuple[str, int] | None:
        """Press among the harmful, or a safety or legal risk from several authors: the threshold, and how many authors."""
        levels = self._settings.levels
        for item in passing:
            view = columns.view(item.count.start, item.count.end)
            harmful = view.has(HARMFUL)
            press, risky = (
                view.authors(harmful & view.has(PRESS)),
                view.authors(harmful & view.speaks_of(levels.grave_kinds)),
            )
            if press >= levels.press_authors:
                return "levels.press_authors", press
            if risky >= levels.grave_authors:
                return "levels.grave_authors", risky
        return None
