"""`tocsin detect`: causal, indifferent to unit and level, and clear about input that it cannot read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from services.alert.detection.series import BadSeries, ScoredRow, SeriesDetector, detect_rows

BEGIN = datetime(2026, 3, 2, tzinfo=UTC).replace(tzinfo=None)


def rows(values: list[float], step: timedelta = timedelta(minutes=5), offset: str = "") -> list[tuple[str, str]]:
    return [(f"{BEGIN + step * index:%Y-%m-%d %H:%M:%S}{offset}", f"{value:g}") for index, value in enumerate(values)]


def calm(days: float = 4, mean: float = 30, seed: int = 3, per_day: int = 288) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).poisson(mean, int(days * per_day))]


def spiked(values: list[float], at: int, times: float = 6, length: int = 12) -> list[float]:
    return [value * times if at <= index < at + length else value for index, value in enumerate(values)]


def alerts(found: list[ScoredRow]) -> list[int]:
    return [index for index, row in enumerate(found) if row.alert]


def test_calm_raises_nothing_and_a_burst_rings_once_at_its_beginning() -> None:
    assert alerts(list(detect_rows(rows(calm())))) == []
    (row,) = alerts(list(detect_rows(rows(spiked(calm(), 1000)))))
    assert 1000 <= row <= 1003


def test_every_row_comes_back_as_it_was() -> None:
    given = rows(calm(1))
    assert [(row.timestamp, row.value) for row in detect_rows(given)] == given
    assert all(0 <= row.score <= 1 for row in detect_rows(given))


def test_a_row_depends_on_earlier_rows_alone() -> None:
    whole = list(detect_rows(rows(spiked(calm(), 1000))))
    for end in (700, 1001, 1100):
        assert list(detect_rows(rows(spiked(calm(), 1000))[:end])) == whole[:end]


@pytest.mark.parametrize("times", [5.0, 40.0])
def test_the_unit_does_not_matter(times: float) -> None:
    values = spiked(calm(), 1000)
    assert alerts(list(detect_rows(rows([times * value for value in values])))) == alerts(
        list(detect_rows(rows(values)))
    )


@pytest.mark.parametrize("minutes", [1, 10, 60])
def test_the_cadence_is_found_out(minutes: int) -> None:
    per_day = 24 * 60 // minutes
    values = spiked(calm(8, per_day=per_day), 6 * per_day, length=max(3, 60 // minutes))
    (row,) = alerts(list(detect_rows(rows(values, timedelta(minutes=minutes)))))
    assert 6 * per_day <= row < 6 * per_day + max(3, 60 // minutes)


def test_a_series_of_zeros_does_not_ring_at_a_one() -> None:
    values = [0.0] * 1500
    values[1200] = 1.0
    assert alerts(list(detect_rows(rows(values)))) == []


def test_missing_values_and_gaps_are_no_alarm() -> None:
    given = rows(calm())
    holes = [
        (at, "" if index % 7 == 0 else "nan" if index % 11 == 0 else value) for index, (at, value) in enumerate(given)
    ]
    assert alerts(list(detect_rows(holes))) == []
    assert alerts(list(detect_rows(given[:500] + given[800:]))) == []
    assert next(iter(detect_rows([(given[0][0], "NaN")]))).score == 0


def test_equal_timestamps_are_fine() -> None:
    given = rows(calm(2))
    assert alerts(list(detect_rows([row for row in given for _ in range(2)]))) == []


def test_memory_is_bounded_and_its_sums_stay_exact() -> None:
    detector = SeriesDetector()
    random = np.random.default_rng(5)
    for index in range(9000):
        detector.add(BEGIN + timedelta(minutes=10 * index), float(random.poisson(50)))
    assert len(detector._past) <= 12 * 144 + 1
    assert detector._sum == pytest.approx(sum(level for _, level in detector._past))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ([("2026-03-02 00:00:00", "1"), ("2026-03-01 00:00:00", "1")], "line 3: .* before the row above"),
        ([("2026-03-02 00:00:00", "1"), ("2026-03-02 00:05:00+00:00", "1")], "line 3: .* offset"),
        ([("2026-03-02 00:00:00", "-1")], "line 2: .* no count"),
        ([("2026-03-02 00:00:00", "inf")], "line 2: .* no count"),
        ([("2026-03-02 00:00:00", "many")], "line 2: .* no number"),
        ([("yesterday", "1")], "line 2: .* no timestamp"),
        ([], "no row"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(wrong: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(BadSeries, match=told):
        list(detect_rows(wrong))
