"""What people set while Tocsin runs, beside what `tocsin.yaml` says: checked by the same classes, with author, reason and end.

The kinds are named as `tocsin.yaml` names them: `query` and `exclude` of a brand, `crisis_words`, `watch` and `planned` of
detection. Only `mute` stands in no file, because it must end.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, TypeAdapter, model_validator

from tocsin.contracts.events import Instant, RiskKind
from tocsin.contracts.queries import parse_query
from tocsin.contracts.settings.base import Settings
from tocsin.contracts.settings.brands import Query
from tocsin.contracts.settings.detection import PlannedSettings, WatchRuleSettings

MOST_TERMS = 100
USUAL_LENGTH = timedelta(days=365)
"""How long a setting holds that is given no end."""
LONGEST = {
    "query": timedelta(days=731),
    "exclude": timedelta(days=92),
    "crisis_words": timedelta(days=731),
    "watch": timedelta(days=731),
    "planned": timedelta(days=366),
    "mute": timedelta(days=30),
}
"""How long a setting of each kind may hold. What makes the bell quieter ends soonest; what is to last belongs in tocsin.yaml."""
MUST_END = frozenset({"exclude", "mute", "planned"})
"""Kinds that are given an end by whoever sets them: a forgotten one would hide a crisis, or explain one away."""
MUTED_BEFORE = timedelta(hours=24)
"""A mute holds for mentions from so long before it, too: they are what the windows of detection look at."""

_Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=100)]
_Terms = Annotated[Query, Field(min_length=1, max_length=2000)]


def _few_enough(terms: str) -> None:
    if len(parse_query(terms)) > MOST_TERMS:
        raise ValueError(f"at most {MOST_TERMS} terms in one setting; write the rest into another, or into tocsin.yaml")


def _given(name: str, **what: JsonValue) -> JsonValue:
    """For the description: this field is there, and is more than null or empty."""
    return {"required": [name], "properties": {name: what}}


class FurtherQuery(Settings):
    """A mention that has one of `terms` is about the brand, too."""

    kind: Literal["query"]
    terms: _Terms
    """Terms, separated by OR, each a word, a \"phrase\", a #tag or an @handle."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _few_enough(self.terms)
        return self


class FurtherExclusion(Settings):
    """A mention that has one of `terms` is not about the brand: it is not kept, whatever the query says."""

    kind: Literal["exclude"]
    terms: _Terms
    """Written as in `query`."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        _few_enough(self.terms)
        return self


class FurtherCrisisWords(Settings):
    """Beginnings of words that stand for a crisis of this brand, such as the name of a product that is being recalled."""

    kind: Literal["crisis_words"]
    words: Annotated[tuple[_Word, ...], Field(min_length=1, max_length=50)]


class FurtherWatchRule(Settings):
    """A single mention that meets every condition rings at once: a watch list of `authors`, an outlet, a kind of risk, a reach."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                *(_given(name, minItems=1) for name in ("authors", "outlets", "kinds")),
                *(_given(name, type="number") for name in ("risk", "reach")),
            ]
        }
    )

    kind: Literal["watch"]
    level: Literal["orange", "red"] = "orange"
    authors: Annotated[tuple[_Name, ...], Field(max_length=500)] = ()
    """Ids or names of authors."""
    outlets: Annotated[tuple[_Name, ...], Field(max_length=500)] = ()
    kinds: tuple[RiskKind, ...] = ()
    risk: Annotated[float, Field(ge=0, le=1, strict=True)] | None = None
    reach: Annotated[int, Field(ge=0, strict=True)] | None = None

    @model_validator(mode="after")
    def _is_a_watch_rule(self) -> Self:
        self.rule("new", "new")
        return self

    def rule(self, identifier: str, brand: str) -> WatchRuleSettings:
        """The rule as detection knows it."""
        return WatchRuleSettings(id=identifier, brands=(brand,), **self.model_dump(exclude={"kind"}))


class PlannedCampaign(Settings):
    """A campaign of the brand's own, from the setting's beginning to its end: alerts and charts say so; it mutes nothing."""

    kind: Literal["planned"]
    name: Annotated[str, Field(min_length=1, max_length=100)]

    def planned(self, brand: str, begins: datetime, ends: datetime) -> PlannedSettings:
        """The campaign as detection knows it."""
        return PlannedSettings(name=self.name, brands=(brand,), start=begins, end=ends)


_MUTED = ("story", "author", "source", "terms")


class Mute(Settings):
    """Mentions that ring no bell: they are kept, shown and in every figure, but neither detection nor watch rules look at them.

    One of: a `story`, an `author`, a `source`, or `terms`. To keep a whole brand quiet, begin a silence instead.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": [_given(name, type="string") for name in _MUTED]})

    kind: Literal["mute"]
    story: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    """As `story` of a mention names it."""
    author: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")] | None = None
    """As `author.key` of a mention names it: names change hands, and most are kept apart."""
    source: _Name | None = None
    """As `source` of a mention names it, such as `bluesky`."""
    terms: _Terms | None = None
    """Mentions with one of these, written as in `query`."""

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if sum(getattr(self, name) is not None for name in _MUTED) != 1:
            raise ValueError(
                "a mute is of one thing: give story, author, source or terms; to keep a whole brand quiet, begin a silence"
            )
        if self.terms is not None:
            _few_enough(self.terms)
        return self


SettingValue = Annotated[
    FurtherQuery | FurtherExclusion | FurtherCrisisWords | FurtherWatchRule | PlannedCampaign | Mute,
    Field(discriminator="kind"),
]
SettingKind = Literal["query", "exclude", "crisis_words", "watch", "planned", "mute"]
_VALUES: TypeAdapter[SettingValue] = TypeAdapter(SettingValue)


def setting_value(stored: Any) -> SettingValue:
    """A value as it was stored. Raises pydantic's ValidationError where this version cannot use it."""
    return _VALUES.validate_python(stored)


class RunTimeSetting(BaseModel):
    """One thing that a person set for a brand; never changed but for being withdrawn, and kept for good."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    brand: str
    value: SettingValue
    reason: str
    by: str
    """Who set it, as events name them: `person:lea`, `key:abcdefgh`."""
    at: Instant
    begins: Instant
    ends: Instant
    withdrawn_by: str | None = None
    withdrawn_at: Instant | None = None
    withdrawn_why: str | None = None

    @property
    def rule_id(self) -> str:
        """What its watch rule is called."""
        return f"set-{self.id.hex[:12]}"

    def in_force(self, now: datetime) -> bool:
        """Whether it holds at `now`."""
        return self.withdrawn_at is None and self.begins <= now < self.ends

    def over(self, now: datetime) -> bool:
        """Whether it holds no more, nor will."""
        return self.withdrawn_at is not None or now >= self.ends


class SettingRefused(ValueError):
    """The beginning or the end cannot be; `field` is which, the message how to mend it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def period_of(
    value: SettingValue, *, begins: datetime | None, ends: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """From when to when a new setting holds. Raises SettingRefused.

    It begins now where nothing is said, and never before; but a mute reaches back by `MUTED_BEFORE`, and a campaign may be
    entered afterwards, for the charts. Without an end it holds for `USUAL_LENGTH`, where its kind may go without one.
    """
    if value.kind == "planned":
        since = begins or now
    elif value.kind == "mute":
        since = max(begins or now - MUTED_BEFORE, now - MUTED_BEFORE)
    else:
        since = max(begins or now, now)
    if ends is None:
        if value.kind in MUST_END:
            raise SettingRefused(
                "ends", f"a setting of kind {value.kind} needs an end; give the instant at which it ends"
            )
        ends = since + USUAL_LENGTH
    if ends <= since:
        raise SettingRefused("ends", "comes before the beginning; give a later instant")
    if ends <= now and value.kind != "planned":
        raise SettingRefused("ends", "has passed; give an instant that is to come")
    longest = LONGEST[value.kind]
    if ends - max(since, now if value.kind != "planned" else since) > longest:
        raise SettingRefused(
            "ends",
            f"a setting of kind {value.kind} holds for {longest.days} days at most; what is to last belongs in tocsin.yaml",
        )
    return since, ends
