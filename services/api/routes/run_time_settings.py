"""`/v1/brands/{brand}/settings`: what people set while Tocsin runs; and what a query would have matched before it is set."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field, model_validator

from services.api.command_schemas import Request
from services.api.context import Context
from services.api.instants import SentInstant
from services.api.one_turn import OneTurnRoute
from services.api.periods import VisibleBrand
from services.api.permission import Actor, Reader
from services.api.query_preview import Preview, Tally
from services.api.run_time_settings import MOST_LOOKED_AT, add_setting, preview_query, settings_of, withdraw_setting
from services.api.schemas import Answer
from tocsin.contracts.events import Instant
from tocsin.contracts.settings.run_time import FurtherExclusion, FurtherQuery, RunTimeSetting, SettingKind, SettingValue
from tocsin.storage.run_time_settings import Unreadable
from tocsin.storage.stored_texts import StoredText

router = APIRouter(tags=["settings"], route_class=OneTurnRoute)

_SAMPLE = 280
"""Characters of a sample."""
NOT_KEPT = {
    "en": "Counted over mentions that were kept for the brands you may see. What matched no brand when it came was dropped "
    "and is kept nowhere, so a new term can find more than this.",
    "fr": "Compté sur les mentions conservées pour les marques que vous pouvez voir. Ce qui ne correspondait à aucune marque "
    "à son arrivée n’a pas été conservé : un nouveau terme peut donc trouver davantage.",
}
_REASON = Field(min_length=1, max_length=500, description="Why, for those who come after you.")


class SettingRequest(Request):
    """`begins` is now where it is left out. `ends` must be given for `exclude`, `mute` and `planned`; else a year is meant."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "setting": {"kind": "exclude", "terms": '"northern lights"'},
                    "reason": "the aurora, not us",
                    "ends": "2026-04-10T22:00:00Z",
                },
                {
                    "setting": {"kind": "watch", "authors": ["@critic", "bluesky:7"], "level": "red"},
                    "reason": "announced an investigation",
                },
                {
                    "setting": {"kind": "planned", "name": "Spring sale"},
                    "reason": "discount codes will be posted a lot",
                    "begins": "2026-03-20T06:00:00Z",
                    "ends": "2026-03-22T22:00:00Z",
                },
            ]
        }
    )

    setting: SettingValue
    reason: str = _REASON
    begins: SentInstant | None = None
    ends: SentInstant | None = None


class WithdrawRequest(Request):
    """Why it is withdrawn."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the sale was called off"}]})

    reason: str = _REASON


class SettingAnswer(Answer):
    """One setting. `setting` is null, and `unreadable` says why, where this version of Tocsin cannot use what is stored."""

    id: UUID
    brand: str
    kind: str
    setting: SettingValue | None
    unreadable: str | None = None
    reason: str
    by: str
    at: Instant
    begins: Instant
    ends: Instant
    withdrawn_by: str | None
    withdrawn_at: Instant | None
    withdrawn_why: str | None

    @classmethod
    def of(cls, found: RunTimeSetting | Unreadable) -> Self:
        """From the setting as it is stored."""
        readable = isinstance(found, RunTimeSetting)
        return cls(
            id=found.id,
            brand=found.brand,
            kind=found.value.kind if isinstance(found, RunTimeSetting) else found.kind,
            setting=found.value if isinstance(found, RunTimeSetting) else None,
            unreadable=None if readable else found.why,  # type: ignore[union-attr]
            reason=found.reason,
            by=found.by,
            at=found.at,
            begins=found.begins,
            ends=found.ends,
            withdrawn_by=found.withdrawn_by,
            withdrawn_at=found.withdrawn_at,
            withdrawn_why=found.withdrawn_why,
        )


class SettingList(Answer):
    """Settings of a brand, the newest first."""

    settings: tuple[SettingAnswer, ...]


class PreviewRequest(Request):
    """Further terms, further exclusions, or both; written as in tocsin.yaml."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["query"], "properties": {"query": {"type": "string"}}},
                {"required": ["exclude"], "properties": {"exclude": {"type": "string"}}},
            ],
            "examples": [{"query": '#nordlysgate OR "nordlys jar"'}],
        }
    )

    query: str | None = Field(default=None, max_length=2000)
    exclude: str | None = Field(default=None, max_length=2000)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.query is None and self.exclude is None:
            raise ValueError("give query, exclude, or both")
        if self.query is not None:
            FurtherQuery(kind="query", terms=self.query)
        if self.exclude is not None:
            FurtherExclusion(kind="exclude", terms=self.exclude)
        return self


class TallyAnswer(Answer):
    """Mentions: `matched` by the query as it would be, `new` beyond today's, `excluded` that would be kept out."""

    matched: int
    new: int
    excluded: int

    @classmethod
    def of(cls, tally: Tally) -> Self:
        """From what was counted."""
        return cls(matched=tally.matched, new=tally.new, excluded=tally.excluded)


class DayTally(TallyAnswer):
    """Of one day, by the brand's time zone."""

    day: date


class SourceTally(TallyAnswer):
    """Of one source."""

    source: str


class SampleAnswer(Answer):
    """A mention, by its beginning."""

    id: UUID
    published_at: Instant
    source: str
    text: str
    url: str | None

    @classmethod
    def of(cls, found: StoredText) -> Self:
        """From what is stored."""
        return cls(
            id=found.id, published_at=found.published_at, source=found.source, text=found.text[:_SAMPLE], url=found.url
        )


class PreviewAnswer(Answer):
    """What the query would have matched from `since` to `until`, held against what was kept."""

    brand: str
    since: Instant = Field(description=f"A week ago; later where more than {MOST_LOOKED_AT:,} mentions came since.")
    until: Instant
    looked_at: int = Field(description="Mentions whose texts were read.")
    total: TallyAnswer
    by_day: tuple[DayTally, ...]
    by_source: tuple[SourceTally, ...] = Field(description="Most matches first.")
    new_for: dict[str, int] = Field(description="For which other brands the new ones were kept.")
    new: tuple[SampleAnswer, ...] = Field(description="The newest that are new, each text once.")
    excluded: tuple[SampleAnswer, ...] = Field(description="The newest that would be kept out, each text once.")
    not_kept: dict[str, str] = Field(description="What these figures cannot know, in both languages.")

    @classmethod
    def of(cls, brand: str, found: Preview, since: Instant, until: Instant) -> Self:
        """From what was counted."""
        sources = sorted(found.by_source.items(), key=lambda item: (-item[1].matched, -item[1].excluded, item[0]))
        return cls(
            brand=brand,
            since=since,
            until=until,
            looked_at=found.looked_at,
            total=TallyAnswer.of(found.total),
            by_day=tuple(
                DayTally(day=day, **TallyAnswer.of(tally).model_dump()) for day, tally in sorted(found.by_day.items())
            ),
            by_source=tuple(
                SourceTally(source=source, **TallyAnswer.of(tally).model_dump()) for source, tally in sources
            ),
            new_for=dict(found.elsewhere.most_common()),
            new=tuple(map(SampleAnswer.of, found.new_samples)),
            excluded=tuple(map(SampleAnswer.of, found.excluded_samples)),
            not_kept=NOT_KEPT,
        )


_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "No such brand or setting that you may see"}}


@router.get("/v1/brands/{brand}/settings", summary="What was set at run time, the newest first", responses=_UNKNOWN)
def list_settings(
    *,
    context: Context,
    brand: VisibleBrand,
    kind: Annotated[SettingKind | None, Query(description="Only of this kind.")] = None,
    over: Annotated[bool, Query(description="Also what is over or was withdrawn.")] = False,
) -> SettingList:
    """Who set what, why, from when to when, and who withdrew it."""
    found = settings_of(context, brand, kind=kind, over=over)
    both: tuple[RunTimeSetting | Unreadable, ...] = (*found.settings, *found.unreadable)
    listed = sorted(both, key=lambda item: (item.at, str(item.id)), reverse=True)
    return SettingList(settings=tuple(map(SettingAnswer.of, listed)))


@router.post(
    "/v1/brands/{brand}/settings",
    status_code=201,
    summary="Set something for a brand, in force within seconds",
    responses={**_UNKNOWN, 409: {"description": "Too many settings of this kind stand already"}},
)
def set_for_brand(*, context: Context, principal: Actor, brand: str, wanted: SettingRequest) -> SettingAnswer:
    """In force in every process within 10 seconds, without a restart; checked as tocsin.yaml is. It stays on record."""
    setting = add_setting(
        context,
        principal,
        brand,
        wanted.setting,
        reason=wanted.reason,
        begins=wanted.begins,
        ends=wanted.ends,
    )
    return SettingAnswer.of(setting)


@router.post(
    "/v1/brands/{brand}/settings/{setting_id}/withdraw",
    summary="End a setting before its time",
    responses={**_UNKNOWN, 409: {"description": "It is over already"}},
)
def withdraw_from_brand(
    *, context: Context, principal: Actor, brand: str, setting_id: UUID, wanted: WithdrawRequest
) -> SettingAnswer:
    """It holds no more within 10 seconds, and stays on record. A mute that is withdrawn never was: its mentions count again."""
    return SettingAnswer.of(withdraw_setting(context, principal, brand, setting_id, reason=wanted.reason))


@router.post(
    "/v1/brands/{brand}/queries/preview",
    summary="What further terms or exclusions would have changed in the last week",
    responses={**_UNKNOWN, 429: {"description": "Another preview is being made; come again after `Retry-After`"}},
)
def preview_of_query(*, context: Context, principal: Reader, brand: str, wanted: PreviewRequest) -> PreviewAnswer:
    """Changes nothing. `not_kept` says what it cannot know."""
    found, since, until = preview_query(context, principal, brand, query=wanted.query, exclude=wanted.exclude)
    return PreviewAnswer.of(brand, found, since, until)
