"""The page of settings in words: what each one says, whether it holds, and what a form that was sent asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from services.alert.protocol.directory import Directory
from services.api.pages.history import actor_name
from services.api.pages.loudness import shown_text
from services.api.pages.wording import Wording
from tocsin.contracts.settings.run_time import (
    FurtherCrisisWords,
    FurtherExclusion,
    FurtherQuery,
    FurtherWatchRule,
    Mute,
    RunTimeSetting,
    SettingValue,
    setting_value,
)
from tocsin.storage.run_time_settings import Found, Unreadable

KINDS = ("query", "exclude", "crisis_words", "watch", "planned", "mute")
PREVIEWED = ("query", "exclude")
"""Kinds that are tried on the last week before they are set."""
_TARGETS = ("story", "author", "source", "terms")
_USUAL_ENDS = {"mute": timedelta(days=1), "exclude": timedelta(days=30), "planned": timedelta(days=2)}
_LIST_FIELDS = ("words", "authors", "outlets")


class UnusableForm(ValueError):
    """What was written into the form cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class SettingLine:
    """One setting as the page shows it; `state`: in_force, to_come, over, withdrawn or unreadable."""

    id: str
    kind: str
    says: str
    state: str
    reason: str
    who: str
    at: datetime
    begins: datetime
    ends: datetime
    withdrawn: str | None
    withdrawn_why: str | None

    @property
    def stands(self) -> bool:
        """Whether there is something to withdraw."""
        return self.state in ("in_force", "to_come", "unreadable")


def setting_lines(found: Found, wording: Wording, directory: Directory, now: datetime) -> list[SettingLine]:
    """Every setting in words, the newest first."""
    both: tuple[RunTimeSetting | Unreadable, ...] = (*found.settings, *found.unreadable)
    return [
        _line(item, wording, directory, now)
        for item in sorted(both, key=lambda item: (item.at, str(item.id)), reverse=True)
    ]


def _line(item: RunTimeSetting | Unreadable, wording: Wording, directory: Directory, now: datetime) -> SettingLine:
    kind: str
    if isinstance(item, RunTimeSetting):
        kind, says = item.value.kind, in_words(item.value, wording)
        state = "in_force" if item.in_force(now) else "over" if now >= item.ends else "to_come"
    else:
        kind, says, state = item.kind, item.why, "unreadable"
    if item.withdrawn_at is not None:
        state = "withdrawn"
    return SettingLine(
        id=str(item.id),
        kind=kind if kind in KINDS else "unreadable",
        says=shown_text(says),
        state=state,
        reason=shown_text(item.reason),
        who=actor_name(item.by, wording, directory),
        at=item.at,
        begins=item.begins,
        ends=item.ends,
        withdrawn=actor_name(item.withdrawn_by, wording, directory) if item.withdrawn_by else None,
        withdrawn_why=shown_text(item.withdrawn_why) if item.withdrawn_why else None,
    )


def in_words(value: SettingValue, wording: Wording) -> str:
    """What a setting says."""
    match value:
        case FurtherQuery() | FurtherExclusion():
            return value.terms
        case FurtherCrisisWords():
            return ", ".join(value.words)
        case FurtherWatchRule():
            said = [wording.say(f"level.{value.level}")]
            said += [
                wording.say(
                    "settings.said", name=wording.say(f"settings.{name}"), value=", ".join(getattr(value, name))
                )
                for name in ("authors", "outlets")
                if getattr(value, name)
            ]
            if value.kinds:
                said.append(", ".join(wording.say(f"risk.{kind}") for kind in value.kinds))
            if value.risk is not None:
                said.append(wording.say("settings.said_risk", number=f"{value.risk:g}"))
            if value.reach is not None:
                said.append(wording.say("settings.said_reach", number=wording.number(value.reach)))
            return " · ".join(said)
        case Mute():
            name = next(name for name in _TARGETS if getattr(value, name) is not None)
            return wording.say("settings.said", name=wording.say(f"settings.{name}"), value=getattr(value, name))
        case _:
            return value.name


def written_value(form: Mapping[str, str]) -> SettingValue:
    """The setting that a form describes. Raises UnusableForm."""
    kind = form.get("kind", "")
    fields: dict[str, Any] = {"kind": kind}
    for name in ("terms", "level", "name", *_TARGETS[:3]):
        if form.get(name, "").strip():
            fields[name] = form[name].strip()
    for name in ("risk", "reach"):
        if form.get(name, "").strip():
            fields[name] = _number(form[name].strip())
    for name in _LIST_FIELDS:
        items = [item.strip() for item in form.get(name, "").replace("\n", ",").split(",")]
        if any(items):
            fields[name] = [item for item in items if item]
    if form.get("risk_kind"):
        fields["kinds"] = [form["risk_kind"]]
    try:
        return setting_value(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"][1:])
        message = first["msg"].removeprefix("Value error, ")
        raise UnusableForm(f"{field}: {message}" if field else message) from error


def _number(written: str) -> float | str:
    """A form knows texts alone, and the schema takes no text for a number; what is none stays a text, and is refused there."""
    if written.isascii() and written.isdecimal():
        return int(written[:18])
    try:
        return float(written)
    except ValueError:
        return written


def written_instant(written: str | None, zone: ZoneInfo) -> datetime | None:
    """What a browser's date and time field says, on the wall clock of `zone`. Raises UnusableForm."""
    if not written:
        return None
    try:
        return datetime.fromisoformat(written).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UnusableForm("the date cannot be read; write it like 2026-03-10T22:40") from error


def usual_end(kind: str, now: datetime, zone: ZoneInfo) -> str:
    """What the field of the end begins with; empty where a setting of this kind may go without."""
    length = _USUAL_ENDS.get(kind)
    return f"{(now + length).astimezone(zone):%Y-%m-%dT%H:%M}" if length else ""


def targets_of(form: Mapping[str, str]) -> Sequence[str]:
    """What a mute may be of: what was asked for, else a source or words (stories and authors are muted beside a mention)."""
    asked = [name for name in _TARGETS if form.get(name)]
    return asked or ("source", "terms")
