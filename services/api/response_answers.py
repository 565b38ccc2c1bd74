"""What the figures of incidents answer, as OpenAPI describes it. docs/figures.md defines every figure with its unit."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from typing import Any, Self
from uuid import UUID

from pydantic import Field

from services.api.comparing import difference, relative_change
from services.api.schemas import Answer
from tocsin.contracts.alert_quality import BY_PEOPLE, AlertQuality
from tocsin.contracts.events import Instant
from tocsin.contracts.incidents import Verdict
from tocsin.storage.responses import ResponseTimes


class TimesAnswer(Answer):
    """Seconds over the incidents where it happened."""

    incidents: int = Field(description="Where it happened and is known.")
    median: float | None
    ninetieth: float | None = Field(description="The 90th percentile.")

    @classmethod
    def of(cls, seconds: Collection[float | None]) -> Self:
        """Of incidents, None where it did not happen or is not known."""
        known = sorted(item for item in seconds if item is not None)
        if not known:
            return cls(incidents=0, median=None, ninetieth=None)
        ninetieth = known[max(0, -(-9 * len(known) // 10) - 1)]
        return cls(incidents=len(known), median=statistics.median(known), ninetieth=ninetieth)


class IncidentTimesAnswer(Answer):
    """Seconds of one incident; null where it did not happen, or is not known."""

    incident: UUID
    brand: str
    opened_at: Instant
    verdict: Verdict | None
    declared: bool = Field(description="A person opened it.")
    notice: float | None
    acknowledge: float | None
    first_answer: float | None
    first_statement: float | None

    @classmethod
    def of(cls, times: ResponseTimes) -> Self:
        """From what the repository found."""
        return cls(
            incident=times.incident_id,
            brand=times.brand,
            opened_at=times.opened_at,
            verdict=times.verdict,
            declared=times.opened_by.startswith(BY_PEOPLE),
            notice=times.notice,
            acknowledge=times.acknowledge,
            first_answer=times.first_answer,
            first_statement=times.first_statement,
        )


class PeriodTimesAnswer(Answer):
    """How fast people were with the incidents that were opened from `since` (included) to `until`."""

    since: Instant
    until: Instant
    notice: TimesAnswer = Field(description="From the first mention of the main story to the opening of the incident.")
    acknowledge: TimesAnswer = Field(description="From the opening to the first acknowledgement.")
    first_answer: TimesAnswer = Field(description="From the opening to the first post of an own account.")
    first_statement: TimesAnswer = Field(description="From the opening to the first statement that went out.")

    @classmethod
    def of(cls, times: Sequence[ResponseTimes], **more: Any) -> Self:
        """Over incidents, with the fields that the answer has beside it."""
        return cls(
            notice=TimesAnswer.of([item.notice for item in times]),
            acknowledge=TimesAnswer.of([item.acknowledge for item in times]),
            first_answer=TimesAnswer.of([item.first_answer for item in times]),
            first_statement=TimesAnswer.of([item.first_statement for item in times]),
            **more,
        )


class ResponseTimesAnswer(PeriodTimesAnswer):
    """How fast: to notice, to acknowledge, to answer, to speak; the same of the period before, and what has changed."""

    before: PeriodTimesAnswer = Field(description="Of the period of the same length before.")
    change: dict[str, float | None] = Field(
        description="Relative change of each median (−0.25: a quarter faster); null where either is not known, or it was 0.",
        examples=[{"notice": 0.1, "acknowledge": -0.25, "first_answer": None, "first_statement": None}],
    )
    incidents: tuple[IncidentTimesAnswer, ...] = Field(description="Of the period itself, the oldest first.")


class VerdictsOfBell(Answer):
    """How often the bell was right, by the verdicts of people; exercises are left out."""

    rung: int = Field(description="Incidents that the bell opened.")
    declared: int = Field(description="Incidents that people opened, because it had not rung.")
    verdicts: dict[Verdict, int] = Field(
        description="Of those that the bell opened.", examples=[{"crisis": 3, "buzz": 1}]
    )
    unjudged: int = Field(description="Opened by the bell and still without a verdict.")
    precision: float | None = Field(
        description="(crisis + too_late) ÷ those with a verdict, 0–1; null without any.", examples=[0.75]
    )
    missed: int = Field(description="Declared ones that were no false alarm or buzz, and those noticed too late.")

    @classmethod
    def of(cls, quality: AlertQuality, **more: Any) -> Self:
        """From what was counted, with the fields that the answer has beside it."""
        return cls(
            rung=quality.rung,
            declared=quality.declared,
            verdicts=dict(quality.verdicts),
            unjudged=quality.unjudged,
            precision=quality.precision,
            missed=quality.missed,
            **more,
        )


class PeriodQualityAnswer(VerdictsOfBell):
    """Of the incidents that were opened from `since` (included) to `until`."""

    since: Instant
    until: Instant


class AlertQualityAnswer(PeriodQualityAnswer):
    """Of the incidents that were opened in a period; the same of the period before, and what has changed."""

    before: PeriodQualityAnswer = Field(description="Of the period of the same length before.")
    change: dict[str, float | None] = Field(
        description=(
            "Relative change of each number and of each verdict's (0.25: a quarter more; null where there was nothing before); "
            "of precision the difference."
        ),
        examples=[{"rung": 0.25, "declared": None, "missed": -0.5, "crisis": 0.5, "precision": 0.1}],
    )


def change_of_times(before: PeriodTimesAnswer, now: PeriodTimesAnswer) -> dict[str, float | None]:
    """Of each median, under the figure's name."""
    names = ("notice", "acknowledge", "first_answer", "first_statement")
    return {name: relative_change(getattr(before, name).median, getattr(now, name).median) for name in names}


def change_of_quality(before: AlertQuality, now: AlertQuality) -> dict[str, float | None]:
    """Of each number under its name, and of the incidents of each verdict under the verdict's."""
    return {
        **{name: relative_change(getattr(before, name), getattr(now, name)) for name in ("rung", "declared", "missed")},
        **{verdict.value: relative_change(before.verdicts[verdict], now.verdicts[verdict]) for verdict in Verdict},
        "precision": difference(before.precision, now.precision),
    }
