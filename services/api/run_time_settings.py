"""What people set at run time for a brand: added, withdrawn, and tried out beforehand; each with author, reason and end."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from services.api.context import ApiContext
from services.api.permission import unknown_brand
from services.api.query_preview import Preview, preview
from tocsin.access.principals import Principal
from tocsin.contracts.settings.run_time import RunTimeSetting, SettingRefused, SettingValue, period_of
from tocsin.observability.logs import logger
from tocsin.overlay import extended, overlaid
from tocsin.problems import RETRY_AFTER_SECONDS, Problem
from tocsin.storage import audit, brands, counts, stored_texts
from tocsin.storage import run_time_settings as stored
from tocsin.storage.merging import start_of_hour
from tocsin.storage.run_time_settings import Found, Unreadable

MOST_OF_A_KIND = 100
"""Settings of a kind that stand for a brand at a time."""
LOOKED_BACK = timedelta(days=7)
MOST_LOOKED_AT = 200_000
"""Mentions that a preview looks at, the newest first."""

_log = logger(__name__)


def add_setting(
    context: ApiContext,
    principal: Principal,
    brand: str,
    value: SettingValue,
    *,
    reason: str,
    begins: datetime | None,
    ends: datetime | None,
) -> RunTimeSetting:
    """Set something for a brand. Raises a Problem: 404, 409 where too much is set already, 422 with the field that is wrong."""
    if not context.sees(principal, brand):
        raise unknown_brand(brand)
    with context.database.unit_of_work() as session:
        now = context.clock.now()
        try:
            since, until = period_of(value, begins=begins, ends=ends, now=now)
        except SettingRefused as error:
            problem = {"field": error.field, "message": str(error)}
            raise Problem(422, detail=f"{error.field}: {error}", errors=[problem]) from error
        setting = RunTimeSetting(
            id=uuid4(), brand=brand, value=value, reason=reason, by=principal.actor, at=now, begins=since, ends=until
        )
        if value.kind == "mute":
            # Whoever is evaluating the brand has begun without it, and counts its hours again the next time.
            brands.lock(session, brand, now=now)
            counts.mark_all_dirty(session, brand, start_of_hour(since))
        stored.add(session, setting)
        if stored.number(session, brand, value.kind, now) > MOST_OF_A_KIND:
            raise Problem(
                409,
                detail=f"{MOST_OF_A_KIND} settings of kind {value.kind} stand already; withdraw some, or write them into tocsin.yaml",
            )
        details = {"kind": value.kind, "begins": since.isoformat(), "ends": until.isoformat(), "reason": reason}
        audit.record(
            session,
            at=now,
            actor=principal.actor,
            action="setting.added",
            target=f"setting:{setting.id}",
            brand=brand,
            details=details,
        )
    _log.info("setting added", setting=str(setting.id), kind=value.kind, brand=brand, by=principal.actor)
    return setting


def withdraw_setting(
    context: ApiContext, principal: Principal, brand: str, setting_id: UUID, *, reason: str
) -> RunTimeSetting | Unreadable:
    """End a setting before its time. Raises a Problem: 404, or 409 where it is over already."""
    with context.database.unit_of_work() as session:
        now = context.clock.now()
        found = stored.find(session, setting_id)
        if found is None or found.brand != brand or not principal.sees(brand):
            raise Problem(
                404,
                detail=f"there is no setting {setting_id} that you may see; GET /v1/brands/{{brand}}/settings lists them",
            )
        if isinstance(found, RunTimeSetting) and found.value.kind == "mute":
            brands.lock(session, brand, now=now)
            counts.mark_all_dirty(session, brand, start_of_hour(found.begins))
        ended = stored.withdraw(session, setting_id, by=principal.actor, at=now, why=reason)
        if ended is None:
            raise Problem(409, detail="that setting is over already")
        audit.record(
            session,
            at=now,
            actor=principal.actor,
            action="setting.withdrawn",
            target=f"setting:{setting_id}",
            brand=brand,
            details={"reason": reason},
        )
    _log.info("setting withdrawn", setting=str(setting_id), brand=brand, by=principal.actor)
    return ended


def settings_of(context: ApiContext, brand: str, *, kind: str | None = None, over: bool = False) -> Found:
    """What stands for a brand, the newest first; `over`: also what is over."""
    with context.database.read() as session:
        return stored.listed(session, brands=[brand], kind=kind, now=None if over else context.clock.now())


def preview_query(
    context: ApiContext, principal: Principal, brand: str, *, query: str | None, exclude: str | None
) -> tuple[Preview, datetime, datetime]:
    """What further terms or exclusions would have changed in the last week, and which stretch of time was looked at.

    Looks at what was kept for the brands that the principal may see. Raises a Problem: 404, or 429 while others are made.
    """
    if not context.sees(principal, brand):
        raise unknown_brand(brand)
    if not context.previews.acquire(blocking=False):
        raise Problem(
            429,
            detail="another preview is being made; come again in a few seconds",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
    try:
        until = context.clock.now()
        since = until - LOOKED_BACK
        with context.database.read() as session:
            standing = stored.standing(session, until).settings
            now_in_force = overlaid(context.configuration, standing, until).configuration.brand(brand)
            if now_in_force is None:
                raise unknown_brand(brand)
            proposed = extended(now_in_force, [query] if query else [], [exclude] if exclude else [])
            texts = stored_texts.newest_first(session, context.brand_ids(principal), since, until, most=MOST_LOOKED_AT)
            found = preview(texts, now_in_force, proposed, zone=ZoneInfo(now_in_force.time_zone))
    finally:
        context.previews.release()
    complete = found.looked_at < MOST_LOOKED_AT or found.oldest is None
    return found, since if complete else found.oldest.published_at, until  # type: ignore[union-attr]
