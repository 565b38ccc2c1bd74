"""`tocsin backtest --plot`: one page that draws what the detector saw, without a network and without trust in any text."""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from tocsin.contracts.incidents import Level

if TYPE_CHECKING:
    from services.alert.detection.observations import HarmfulRates, Observation
    from services.alert.detection.state import Judgement

HOUR = timedelta(hours=1)
MOST_POINTS = 2500
"""Bars of a brand; a longer file is drawn in longer steps."""
_JOINER = "\u200d"
"""Holds emoji together, and letters of some scripts."""
STEPS = (1, 3, 6, 24)
"""Hours of a bar. The expected band is drawn where a window of detection is as long."""
MOST_TOLD = 200
"""Alerts that are written out below a brand's chart."""

_WORDS = {
    "backtest": ("backtest", "rejeu"),
    "span": ("{first} to {last}", "du {first} au {last}"),
    "marks": ("one bar is", "une barre :"),
    "step_1": ("an hour", "une heure"),
    "step_3": ("3 hours", "3 heures"),
    "step_6": ("6 hours", "6 heures"),
    "step_24": ("a day", "un jour"),
    "authors": ("authors", "auteurs"),
    "harmful": ("harmful authors", "auteurs nuisibles"),
    "band": ("harmful authors expected (19 of 20)", "auteurs nuisibles attendus (19 fois sur 20)"),
    "score": ("score, 0–100", "score, de 0 à 100"),
    "levels": ("yellow, orange, red", "jaune, orange, rouge"),
    "mentions": ("mentions", "mentions"),
    "harmful_mentions": ("harmful", "nuisibles"),
    "serious": ("orange or red", "en orange ou rouge"),
    "whole": ("Show everything", "Tout afficher"),
    "score_of": ("score {score}", "score {score}"),
    "more": ("{number} more are in the output of the command.", "{number} autres sont dans la sortie de la commande."),
    "silent": ("The bell stayed silent.", "Le tocsin est resté muet."),
    "noscript": (
        "The charts need JavaScript; the alerts do not.",
        "Les courbes demandent JavaScript, pas les alertes.",
    ),
    "times": (
        "Times are UTC. Drag over a chart to look closer, or choose an alert.",
        "Heures UTC. Glissez sur un graphique pour zoomer, ou choisissez une alerte.",
    ),
    "opened_yellow": ("opened yellow", "ouverture en jaune"),
    "opened_orange": ("opened orange", "ouverture en orange"),
    "opened_red": ("opened red", "ouverture en rouge"),
    "raised_orange": ("raised to orange", "montée en orange"),
    "raised_red": ("raised to red", "montée en rouge"),
}


@dataclass
class _Hour:
    authors: set[str] = field(default_factory=set)
    harmful: set[str] = field(default_factory=set)


@dataclass
class _Seen:
    """What one brand's chart is drawn of."""

    mentions: int = 0
    harmful: int = 0
    hours: dict[datetime, _Hour] = field(default_factory=dict)
    expected: dict[int, dict[datetime, tuple[float, float]]] = field(default_factory=dict)
    """By hours of the window and its start: mean and standard deviation of the harmful authors expected."""
    scores: dict[datetime, float] = field(default_factory=dict)
    changes: list[Judgement] = field(default_factory=list)


class Plot:
    """Listens to a backtest, then renders it."""

    def __init__(self) -> None:
        self._brands: dict[str, _Seen] = {}

    def hear(self, brand: str, observation: Observation, rates: HarmfulRates) -> None:
        """Count a mention of `brand`, a name to be shown, as harmful by `rates`."""
        seen = self._brands.setdefault(brand, _Seen())
        hour = seen.hours.setdefault(_start_of_hour(observation.at), _Hour())
        if not observation.counts(rates):
            return
        author = observation.author or observation.mention_id
        hour.authors.add(author)
        seen.mentions += 1
        if observation.harmful(rates):
            seen.harmful += 1
            hour.harmful.add(author)

    def see(self, judgement: Judgement, brand: str | None = None) -> None:
        """Take in what was judged, of the brand under the name `brand`; by default, its own."""
        seen = self._brands.setdefault(judgement.brand if brand is None else brand, _Seen())
        at = judgement.at
        hour = _start_of_hour(at - timedelta(microseconds=1))
        seen.scores[hour] = max(seen.scores.get(hour, 0.0), judgement.score)
        if at == _start_of_hour(at):
            for measure in judgement.measures:
                length = measure.settings.length
                expected = measure.harmful_expected
                seen.expected.setdefault(int(length / HOUR), {})[at - length] = (expected.mean, expected.variance**0.5)
        if judgement.event is not None:
            seen.changes.append(judgement)

    def page(self, title: str) -> str:
        """The whole page, self-contained."""
        hours = [hour for seen in self._brands.values() for hour in seen.hours]
        first, last = min(hours), max(hours) + HOUR
        step = next((hours for hours in STEPS if (last - first) / (hours * HOUR) <= MOST_POINTS), STEPS[-1])
        start = _whole_step(first, step)
        ordered = sorted(self._brands, key=lambda brand: (-_serious(self._brands[brand].changes), brand))
        style, script, template = (
            files("tocsin.cli").joinpath("backtest_page", name).read_text("utf-8")
            for name in ("page.css", "page.js", "page.html")
        )
        environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
        return environment.from_string(template).render(
            say=_say,
            title=shown(title),
            first=f"{first:%Y-%m-%d}",
            last=f"{last - HOUR:%Y-%m-%d}",
            step_hours=step,
            brands=[_told(name, number, self._brands[name]) for number, name in enumerate(ordered)],
            series=_json([_series(self._brands[name], start, last, step) for name in ordered]),
            style=style,
            script=script,
            style_digest=_digest(style),
            script_digest=_digest(script),
        )


def _say(key: str, **values: object) -> Markup:
    """A text in both languages; the page shows one of them."""
    english, french = (escape(text.format(**values)) for text in _WORDS[key])
    return Markup('<span lang="en">{}</span><span lang="fr">{}</span>').format(english, french)


def _told(name: str, number: int, seen: _Seen) -> Mapping[str, Any]:
    risen = _risen(seen.changes)
    return {
        "name": shown(name) or "–",
        "number": number,
        "mentions": _number(seen.mentions),
        "harmful": _number(seen.harmful),
        "serious": _serious(seen.changes),
        "more": max(0, len(risen) - MOST_TOLD),
        "alerts": [
            {
                "at": item.at.isoformat(),
                "when": f"{item.at.astimezone(UTC):%Y-%m-%d %H:%M}",
                "event": str(item.event),
                "level": str(item.level),
                "score": round(item.score),
                "en": shown(" ".join(reason.en for reason in item.reasons)),
                "fr": shown(" ".join(reason.fr for reason in item.reasons)),
            }
            for item in risen[:MOST_TOLD]
        ],
    }


def _series(seen: _Seen, start: datetime, end: datetime, step: int) -> Mapping[str, Any]:
    size = -int(-(end - start) // (step * HOUR))
    score = [0.0] * size
    # Distinct within each hour, as in detection's windows.
    counted, counted_harmful = [0] * size, [0] * size
    for hour, held in seen.hours.items():
        index = int((hour - start) / (step * HOUR))
        counted[index] += len(held.authors)
        counted_harmful[index] += len(held.harmful)
    for hour, value in seen.scores.items():
        index = int((hour - start) / (step * HOUR))
        if 0 <= index < size:
            score[index] = max(score[index], value)
    expected = seen.expected.get(step, {})
    bands = [expected.get(start + index * step * HOUR) for index in range(size)]
    return {
        "start": int(start.timestamp()),
        "step": step * 3600,
        "authors": counted,
        "harmful": counted_harmful,
        "score": score,
        "mean": [None if band is None else round(band[0], 2) for band in bands],
        "low": [None if band is None else round(max(0.0, band[0] - 1.96 * band[1]), 2) for band in bands],
        "high": [None if band is None else round(band[0] + 1.96 * band[1], 2) for band in bands],
        "spans": _spans(seen.changes, end),
        "alerts": [[int(item.at.timestamp()), str(item.level)] for item in _risen(seen.changes)[:MOST_TOLD]],
    }


def _spans(changes: Sequence[Judgement], end: datetime) -> list[tuple[int, int, str]]:
    """The stretches above green."""
    following = [*[item.at for item in changes[1:]], end]
    return [
        (int(item.at.timestamp()), int(until.timestamp()), str(item.level))
        for item, until in zip(changes, following, strict=False)
        if item.level is not Level.GREEN
    ]


def _risen(changes: Iterable[Judgement]) -> list[Judgement]:
    return [item for item in changes if item.event is not None and item.event.value in {"opened", "raised"}]


def _serious(changes: Iterable[Judgement]) -> int:
    return sum(item.level.serious for item in _risen(changes))


def _start_of_hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _whole_step(at: datetime, hours: int) -> datetime:
    return at.replace(hour=at.hour // hours * hours)


def shown(text: str) -> str:
    """Without characters that turn the writing round or control the page: a quoted text must not reorder ours."""
    return "".join(
        character
        for character in text
        if unicodedata.category(character) not in {"Cc", "Cf", "Cs"} or character == _JOINER
    )


def _number(value: int) -> str:
    """With a narrow space between thousands, which reads well in both languages."""
    return f"{value:,}".replace(",", "\u202f")


def _json(value: object) -> str:
    """JSON that no text in it can end: what means something to HTML is written as escapes."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
