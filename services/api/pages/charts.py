"""Bar charts as numbers: where each bar stands in a box of 100 × 100, so that a template can draw it as inline SVG.

The box is stretched to the room there is, and all words stand beside it as HTML: so they stay readable at 360 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tocsin.contracts.settings.detection import PlannedSettings

HEIGHT = 100.0
WIDTH = 100.0
_GAP = 0.22
"""Share of a slot that is left empty beside its bar."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What is drawn for one span of time."""

    since: datetime
    until: datetime
    mentions: int
    harmful: int
    usual: float | None = None
    """How many mentions the brand has there on other days; None where too little is known."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, its origin at the top left; heights are of the box's 100."""

    slot: Slot
    x: float
    width: float
    y: float
    height: float
    harmful_y: float
    harmful_height: float
    usual_y: float | None
    unfinished: bool
    """True for the span that `now` is in: more may come."""


@dataclass(frozen=True, slots=True)
class Band:
    """A campaign that was entered beforehand, as far as it runs within the chart."""

    name: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that is ready to be drawn."""

    bars: tuple[Bar, ...]
    top: int
    """What the upper edge of the box stands for, in mentions."""
    middle: int
    marker_x: float | None
    """Where the marked instant is, such as the opening of an incident; None where it is outside the chart."""
    ticks: tuple[datetime, ...]
    """Beginnings of the four quarters of the time shown, and its end."""
    bands: tuple[Band, ...] = ()
    """What explains the bars behind which it stands."""

    @property
    def mentions(self) -> int:
        """All mentions in the chart."""
        return sum(bar.slot.mentions for bar in self.bars)

    @property
    def harmful(self) -> int:
        """All harmful mentions in the chart."""
        return sum(bar.slot.harmful for bar in self.bars)

    @property
    def peak(self) -> Slot | None:
        """The span with most mentions, the latest of equals; None where there are none at all."""
        slots = [bar.slot for bar in self.bars if bar.slot.mentions]
        return max(slots, key=lambda slot: (slot.mentions, slot.since)) if slots else None

    @property
    def has_usual(self) -> bool:
        """True where what is usual is known for some span."""
        return any(bar.usual_y is not None for bar in self.bars)


def bar_chart(
    slots: Sequence[Slot], now: datetime, *, marked: datetime | None = None, planned: Sequence[PlannedSettings] = ()
) -> Chart:
    """Lay out `slots`, which follow each other without gaps, and the campaigns that run meanwhile.

    Raises ValueError where there are no slots.
    """
    if not slots:
        raise ValueError("a chart needs at least one span of time")
    top = round_up(max(max(slot.mentions, slot.usual or 0.0) for slot in slots))
    scale = HEIGHT / top
    step = WIDTH / len(slots)

    def bar(position: int, slot: Slot) -> Bar:
        height = slot.mentions * scale
        harmful = min(slot.harmful, slot.mentions) * scale
        return Bar(
            slot=slot,
            x=round(position * step + step * _GAP / 2, 3),
            width=round(step * (1 - _GAP), 3),
            y=round(HEIGHT - height, 3),
            height=round(height, 3),
            harmful_y=round(HEIGHT - harmful, 3),
            harmful_height=round(harmful, 3),
            usual_y=None if slot.usual is None else round(HEIGHT - slot.usual * scale, 3),
            unfinished=slot.since <= now < slot.until,
        )

    begin, end = slots[0].since, slots[-1].until

    def place(at: datetime) -> float:
        return round((min(max(at, begin), end) - begin) / (end - begin) * WIDTH, 3)

    inside = marked is not None and begin <= marked < end
    return Chart(
        bars=tuple(bar(position, slot) for position, slot in enumerate(slots)),
        top=top,
        middle=top // 2,
        marker_x=place(marked) if marked is not None and inside else None,
        ticks=tuple(begin + (end - begin) * quarter / 4 for quarter in range(5)),
        bands=tuple(
            Band(item.name, place(item.start), round(place(item.end) - place(item.start), 3))
            for item in planned
            if item.start < end and item.end > begin
        ),
    )


def round_up(value: float) -> int:
    """The next number at or above `value` that reads well on an axis and has a whole half: 4, 10, 20, 40, 60, 80, 100, …"""
    if value <= 4:
        return 4
    power = 10 ** math.floor(math.log10(value))
    return next(
        int(factor * power) for factor in (1, 2, 4, 6, 8, 10) if value <= factor * power and factor * power % 2 == 0
    )
