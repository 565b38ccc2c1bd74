"""Figures of what was said: comparison with the period before, share of voice, authors, campaigns, and what rises."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from services.api.comparing import difference, relative_change
from services.api.context import Context
from services.api.figure_answers import (
    AuthorList,
    CampaignAnswer,
    CampaignList,
    ComparisonAnswer,
    NumbersAnswer,
    PeriodAnswer,
    RankedAuthorAnswer,
    ShareAnswer,
    ShareOfVoiceAnswer,
    StoryAnswer,
    StoryList,
    TrendAnswer,
    TrendList,
)
from services.api.one_turn import OneTurnRoute
from services.api.periods import UNKNOWN_BRAND, Period, VisibleBrand, WantedPeriod, annotations_of, wrong_time
from services.api.permission import Reader, unknown_brand
from tocsin.storage import campaigns, stories, trends
from tocsin.storage.authors import AuthorRank, top_authors
from tocsin.storage.figures import Figures, count_spans
from tocsin.storage.thresholds import Thresholds

router = APIRouter(tags=["figures"], route_class=OneTurnRoute)

_COMPARED = ("mentions", "authors", "negative", "neutral", "positive", "harmful", "engagement", "reach")
Limit = Annotated[int, Query(ge=1, le=100)]


@router.get("/v1/brands/{brand}/figures", summary="A period and the one before it", responses=UNKNOWN_BRAND)
def compare(*, context: Context, _principal: Reader, brand: VisibleBrand, wanted: WantedPeriod) -> ComparisonAnswer:
    """All numbers of a brand in a period (by default the last seven days), the same of the period of the same length before."""
    with context.database.read() as session:
        before, now = _both(session, brand, wanted, context.thresholds)
        complete = context.complete_up_to(session)
        annotations = annotations_of(context, session, brand, wanted.before.since, wanted.until)
    return ComparisonAnswer(
        brand=brand,
        complete_up_to=complete,
        annotations=annotations,
        period=PeriodAnswer.of(now),
        before=PeriodAnswer.of(before),
        change=_change(PeriodAnswer.of(before), PeriodAnswer.of(now)),
    )


@router.get("/v1/share-of-voice", summary="Share of voice among brands", responses=UNKNOWN_BRAND)
def share_of_voice(
    *,
    context: Context,
    principal: Reader,
    wanted: WantedPeriod,
    brand: Annotated[
        list[Annotated[str, Query(max_length=100)]],
        Query(max_length=50, description="The brands to compare; left out: all that you may see.", examples=[["acme"]]),
    ] = [],  # noqa: B006 - FastAPI copies it
) -> ShareOfVoiceAnswer:
    """Each brand's part of the mentions of all of them, now and in the period before. A mention of two brands counts for both."""
    for name in brand:
        if not context.sees(principal, name):
            raise unknown_brand(name)
    compared = list(dict.fromkeys(brand)) or context.brand_ids(principal)
    with context.database.read() as session:
        counted = {name: _both(session, name, wanted, context.thresholds) for name in compared}
    totals = [sum(both[position].mentions for both in counted.values()) for position in (0, 1)]
    return ShareOfVoiceAnswer(
        since=wanted.since,
        until=wanted.until,
        brands=tuple(
            ShareAnswer(
                brand=name,
                mentions=now.mentions,
                authors=now.authors,
                share=_share(now, totals[1]),
                share_before=_share(before, totals[0]),
                net_sentiment=NumbersAnswer.of(now).net_sentiment,
            )
            for name, (before, now) in counted.items()
        ),
    )


@router.get("/v1/brands/{brand}/authors", summary="Detractors, ambassadors or the press", responses=UNKNOWN_BRAND)
def list_authors(
    *,
    context: Context,
    _principal: Reader,
    brand: VisibleBrand,
    wanted: WantedPeriod,
    rank: Annotated[AuthorRank, Query(description="Whom the list is of.")] = AuthorRank.DETRACTORS,
    limit: Limit = 20,
) -> AuthorList:
    """Who weighs most in a period; `author=<key>` of `GET /v1/mentions` lists what they said."""
    with context.database.read() as session:
        found = top_authors(
            session, brand, wanted.since, wanted.until, rank=rank, thresholds=context.thresholds, limit=limit
        )
    return AuthorList(authors=tuple(RankedAuthorAnswer.of(author) for author in found))


@router.get("/v1/brands/{brand}/stories", summary="The largest stories", responses=UNKNOWN_BRAND)
def list_stories(
    *, context: Context, _principal: Reader, brand: VisibleBrand, wanted: WantedPeriod, limit: Limit = 20
) -> StoryList:
    """What most different people speak of in a period. A mention is given its story when its brand is evaluated."""
    with context.database.read() as session:
        found = stories.top_stories(
            session, brand, wanted.since, wanted.until, thresholds=context.thresholds, limit=limit
        )
    return StoryList(stories=tuple(StoryAnswer.of(story) for story in found))


@router.get("/v1/brands/{brand}/campaigns", summary="Campaigns in the links of mentions", responses=UNKNOWN_BRAND)
def list_campaigns(
    *, context: Context, _principal: Reader, brand: VisibleBrand, wanted: WantedPeriod, limit: Limit = 50
) -> CampaignList:
    """By campaign, source and medium, from the UTM parameters in links, which are never fetched."""
    with context.database.read() as session:
        found = campaigns.campaign_figures(
            session, brand, wanted.since, wanted.until, thresholds=context.thresholds, limit=limit
        )
        annotations = annotations_of(context, session, brand, wanted.since, wanted.until)
    return CampaignList(
        campaigns=tuple(CampaignAnswer.of(item) for item in found),
        annotations=annotations,
    )


@router.get("/v1/brands/{brand}/trends", summary="What rises against its own past", responses=UNKNOWN_BRAND)
def list_trends(
    *,
    context: Context,
    _principal: Reader,
    brand: VisibleBrand,
    wanted: WantedPeriod,
    past_days: Annotated[int, Query(ge=1, le=90, description="Days before `since` that are its past.")] = 14,
    limit: Limit = 20,
) -> TrendList:
    """Hashtags, words and links whose share of what is said has grown more than by chance, each by three authors at least."""
    try:
        past_since = wanted.since - timedelta(days=past_days)
    except OverflowError as error:
        raise wrong_time("there is no time so long before it") from error
    settings = context.configuration.brand(brand)
    with context.database.read() as session:
        found = trends.rising(
            session,
            brand,
            wanted.since,
            wanted.until,
            past_since=past_since,
            names=(brand, *(settings.names if settings else ())),
            thresholds=context.thresholds,
            limit=limit,
        )
    return TrendList(
        since=wanted.since,
        until=wanted.until,
        past_since=past_since,
        trends=tuple(TrendAnswer.of(trend) for trend in found),
    )


def _both(session: Session, brand: str, wanted: Period, thresholds: Thresholds) -> tuple[Figures, Figures]:
    """Figures of the period before, and of the period."""
    edges = [wanted.before.since, wanted.since, wanted.until]
    before, now = count_spans(session, brand, edges, thresholds=thresholds)
    return before, now


def _share(figures: Figures, total: int) -> float | None:
    return round(figures.mentions / total, 4) if total else None


def _change(before: NumbersAnswer, now: NumbersAnswer) -> dict[str, float | None]:
    change = {name: relative_change(getattr(before, name), getattr(now, name)) for name in _COMPARED}
    change["net_sentiment"] = difference(before.net_sentiment, now.net_sentiment)
    return change
