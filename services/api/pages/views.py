"""What the page shows, read from the repositories in one go and put into words; the templates only lay it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from services.alert.protocol.policies import escalation_of, targets_of
from services.alert.room.answers import Request
from services.api.commands import sees_incident
from services.api.context import ApiContext
from services.api.pages.charts import Chart, Slot, bar_chart
from services.api.pages.command_menu import Menu, OtherIncident, menu_of
from services.api.pages.crisis_room import room_values
from services.api.pages.history import Call, Happening, actor_name, calls, happenings
from services.api.pages.loudness import LoudMention, loudest, shown_text
from services.api.pages.wording import Wording
from services.api.periods import planned_campaigns
from services.api.prepared_answers import OfferedAnswer, offered, uses_of
from services.api.spans import Bucket, start_of_span
from tocsin.access.principals import Principal, Scope
from tocsin.contracts.incidents import Incident, IncidentState, Level, decided_in_words
from tocsin.storage import brands, incidents, legal_holds, rooms, run_time_settings
from tocsin.storage.brands import BrandStatus
from tocsin.storage.figures import Figures, mentions_by_hour
from tocsin.storage.legal_holds import LegalHold
from tocsin.storage.notifications import notifications
from tocsin.storage.searches import FoundMention, find_risky

LATE_AFTER = timedelta(minutes=10)
"""A stream that is complete only up to longer ago is late, and the page says so."""
_UTC = ZoneInfo("UTC")
_HOUR = timedelta(hours=1)
_HOURS = 24
_MINUTES = 24
_USUAL_DAYS = 14
_USUAL_NEEDS = 5
_LOUD_SHOWN = 6
_LOUD_READ = 300
_OTHERS_SHOWN = 20
_BEFORE_ALARM = timedelta(hours=2)
"""Mentions from so long before the alarm are among the loudest, too: they are what rang it."""


@dataclass(frozen=True, slots=True)
class IncidentView:
    """An incident as the page shows it; `first` is what to do first, in a sentence."""

    incident: Incident
    first: str | None
    holder: str | None
    """Who has it in hand."""
    may_act: bool
    next_call: str | None
    closed: str | None
    calls: Sequence[Call]
    happenings: Sequence[Happening]
    room: Mapping[str, Any] | None = None
    """What is shown of its crisis room, once it has one."""
    menu: Menu | None = None
    """What else may be done with it, on its own page."""
    holds: Sequence[tuple[LegalHold, str]] | None = None
    """Its sealed copies and who sealed each, on its own page; None for whoever may not seal."""

    @property
    def waits(self) -> bool:
        """True while nobody has it in hand."""
        return self.incident.state is IncidentState.TRIGGERED


@dataclass(frozen=True, slots=True)
class BrandView:
    """A brand as the page shows it."""

    id: str
    name: str
    zone: ZoneInfo
    level: Level
    score: float
    why: str
    decided: str | None
    """Which threshold decided, and with what it would have stayed silent."""
    complete_up_to: datetime | None
    late: bool
    last_hour: Figures
    usual: float | None
    hours: Chart
    minutes: Chart | None
    incident: IncidentView | None
    loud: Sequence[LoudMention]
    answers: Mapping[UUID, Sequence[OfferedAnswer]]
    """Prepared answers to each of `loud`."""
    answered: Mapping[UUID, Sequence[tuple[str, str, datetime]]]
    """What was answered to each: which answer, who, when."""
    first: str | None
    mutes: int = 0
    """Mutes that hold now: so much is left out of what rings the bell, and people should know."""

    @property
    def rank(self) -> tuple[int, float]:
        """For the order of brands: the one with most need first."""
        return (-max(self.level.rank, 2 if self.incident is not None else 0), -self.score)


@dataclass(frozen=True, slots=True)
class PageReader:
    """Reads for one request: who looks, in which language, and when (`now`, on the clock of the mentions)."""

    context: ApiContext
    session: Session
    principal: Principal
    wording: Wording
    now: datetime

    def board(self) -> list[BrandView]:
        """Every brand that the principal may see, the one with most need first."""
        wanted = self.context.brand_ids(self.principal)
        statuses = {status.brand: status for status in brands.board(self.session, wanted)}
        opened = incidents.open_mains(self.session, wanted)
        views = [self._brand(brand, statuses.get(brand), self._shown(opened.get(brand))) for brand in wanted]
        return sorted(views, key=lambda view: view.rank)

    def _shown(self, found: Incident | None) -> Incident | None:
        return found if found is not None and sees_incident(self.principal, found) else None

    def incident_page(self, incident: Incident) -> BrandView:
        """The brand of one incident, with that incident, open or not."""
        status = next(iter(brands.board(self.session, [incident.brand])), None)
        view = self._brand(incident.brand, status, incident)
        if view.incident is None:
            return view
        shown = replace(
            view.incident,
            menu=self._menu(incident) if view.incident.may_act else None,
            holds=self._holds(incident) if self.principal.may(Scope.ADMIN) else None,
        )
        return replace(view, incident=shown)

    def _brand(self, brand: str, status: BrandStatus | None, incident: Incident | None) -> BrandView:
        settings = self.context.configuration.brand(brand)
        zone = ZoneInfo(settings.time_zone if settings else "UTC")
        is_open = incident is not None and incident.state.open
        complete = self.context.complete_up_to(self.session) or (status.complete_up_to if status else None)
        # Of an incident, the level that people were called for; the brand's own may differ while it is being evaluated.
        level = incident.level if incident else status.level if status else Level.GREEN
        view = self._incident(incident, zone) if incident else None
        slots = self._hour_slots(brand)
        planned = planned_campaigns(self.context, self.session, brand, slots[0].since, slots[-1].until)
        loud = self._loud(brand, incident) if incident or level > Level.GREEN else []
        marked = incident.opened_at if incident else None
        return BrandView(
            id=brand,
            name=self.context.directory.brand_name(brand),
            zone=zone,
            level=level,
            score=incident.score if incident else status.score if status else 0.0,
            why=self._why(status, incident, level),
            decided=self._decided(status, incident),
            complete_up_to=complete,
            late=complete is not None and self.now - complete > LATE_AFTER,
            last_hour=self._figures(brand, [self.now - _HOUR, self.now])[0],
            usual=next((slot.usual for slot in slots if slot.since <= self.now < slot.until), None),
            hours=bar_chart(slots, self.now, marked=marked, planned=planned),
            minutes=bar_chart(self._minute_slots(brand), self.now, marked=marked, planned=planned) if is_open else None,
            incident=view,
            loud=loud,
            answers={item.mention.id: self._answers(item.mention) for item in loud},
            answered=uses_of(self.session, brand, [item.mention.id for item in loud]),
            first=view.first if view else self.wording.say("first.yellow") if level is Level.YELLOW else None,
            mutes=sum(mute.in_force(self.now) for mute in run_time_settings.mutes(self.session, brand, self.now)),
        )

    def _why(self, status: BrandStatus | None, incident: Incident | None, level: Level) -> str:
        reasons = incident.reasons if incident else status.reasons if status else {}
        said = reasons.get(self.wording.language) or next(iter(reasons.values()), None)
        if said:
            return shown_text(str(said))
        if status is None or status.evaluated_at is None:
            return self.wording.say("why.not_judged")
        return self.wording.say("why.calm" if level is Level.GREEN else "why.none")

    def _decided(self, status: BrandStatus | None, incident: Incident | None) -> str | None:
        evidence = incident.evidence if incident else status.evidence if status else {}
        said = decided_in_words(evidence).get(self.wording.language)
        return shown_text(said) if said else None

    def _figures(self, brand: str, borders: Sequence[datetime]) -> list[Figures]:
        context = self.context
        return context.figures.count(self.session, brand, borders, thresholds=context.thresholds, now=self.now)

    def _hour_slots(self, brand: str) -> list[Slot]:
        end = start_of_span(self.now, Bucket.HOUR, _UTC) + _HOUR
        begin = end - _HOURS * _HOUR
        past = mentions_by_hour(self.session, brand, begin - timedelta(days=_USUAL_DAYS), begin)
        return [
            Slot(item.since, item.until, item.mentions, item.harmful, usual(past, item.since))
            for item in self._figures(brand, [begin + _HOUR * step for step in range(_HOURS + 1)])
        ]

    def _minute_slots(self, brand: str) -> list[Slot]:
        length = Bucket.FIVE_MINUTES.length
        end = start_of_span(self.now, Bucket.FIVE_MINUTES, _UTC) + length
        borders = [end - length * step for step in range(_MINUTES, -1, -1)]
        return [Slot(item.since, item.until, item.mentions, item.harmful) for item in self._figures(brand, borders)]

    def _loud(self, brand: str, incident: Incident | None) -> list[LoudMention]:
        since = (incident.opened_at if incident else self.now) - _BEFORE_ALARM
        until = incident.resolved_at if incident and incident.resolved_at else self.now
        thresholds = self.context.thresholds
        return loudest(
            find_risky(self.session, brand, since, until, thresholds=thresholds, limit=_LOUD_READ), _LOUD_SHOWN
        )

    def _incident(self, incident: Incident, zone: ZoneInfo) -> IncidentView:
        directory, wording = self.context.directory, self.wording
        held = incident.acknowledged
        holder = actor_name(held.by, wording, directory) if held is not None else None
        closed = None
        if incident.resolved_at is not None:
            who = actor_name(incident.resolved_by or "", wording, directory)
            closed = wording.say("incident.closed", time=self._clock(incident.resolved_at, zone), who=who)
        return IncidentView(
            incident=incident,
            first=self._first(incident, zone, holder),
            holder=holder,
            may_act=self.principal.may(Scope.ACT),
            next_call=self._next_call(incident, zone),
            closed=closed,
            calls=calls(notifications(self.session, incident.id)),
            happenings=happenings(incidents.events(self.session, incident.id), wording, directory),
            room=self._room(incident),
        )

    def _menu(self, incident: Incident) -> Menu:
        open_states = [state for state in IncidentState if state.open]
        others = incidents.list_incidents(
            self.session, within=self.principal.brands, states=open_states, limit=_OTHERS_SHOWN
        )
        name = self.context.directory.brand_name
        return menu_of(
            incident,
            self.now,
            people=[(person.id, person.name) for person in self.context.configuration.people],
            others=[
                OtherIncident(other.id, name(other.brand), other.level, other.opened_at)
                for other in others
                if other.id != incident.id and other.exercise == incident.exercise
            ],
        )

    def _holds(self, incident: Incident) -> list[tuple[LegalHold, str]]:
        return [
            (hold, actor_name(hold.by, self.wording, self.context.directory))
            for hold in legal_holds.holds(self.session, incident.id)
        ]

    def _answers(self, mention: FoundMention) -> list[OfferedAnswer]:
        kinds = tuple((str(kind["kind"]), float(kind["score"])) for kind in mention.risk_kinds)
        asked = Request(mention.brand, mention.text or "", mention.language, mention.source, kinds)
        return offered(self.context, asked, mention.author_name)

    def _room(self, incident: Incident) -> Mapping[str, Any] | None:
        room = rooms.find(self.session, incident.id)
        if room is None:
            return None
        return room_values(
            self.context,
            self.principal,
            self.wording,
            incident=incident,
            room=room,
            directory=self.context.directory_now(self.session),
            now=self.now,
        )

    def _first(self, incident: Incident, zone: ZoneInfo, holder: str | None) -> str | None:
        say, held = self.wording.say, incident.acknowledged
        if not incident.state.open:
            return None
        if not self.principal.may(Scope.ACT):
            return say("first.cannot_act")
        if incident.level is Level.GREEN and incident.calm_since is not None:
            return say("first.calm_again", time=self._clock(incident.calm_since, zone))
        if held is None:
            return say("first.triggered")
        until = say("first.until", time=self._clock(held.until, zone)) if held.until else ""
        mine = held.by == self.principal.actor
        return say("first.mine", until=until) if mine else say("first.theirs", who=holder, until=until)

    def _next_call(self, incident: Incident, zone: ZoneInfo) -> str | None:
        say, step = self.wording.say, incident.pending
        if not incident.pages or incident.policy is None or incident.start == 0:
            return None
        if step is None:
            return say("calls.last")
        targets = targets_of(incident.policy, escalation_of(incident.policy, incident.escalation_level), step)
        names = ", ".join(
            found.name for found in self.context.directory_now(self.session).recipients(targets, step.due_at)
        )
        time = self._clock(step.due_at, zone)
        return say("calls.next", names=names, time=time) if names else say("calls.next_nobody", time=time)

    def _clock(self, at: datetime, zone: ZoneInfo) -> str:
        return self.wording.clock(at, zone, self.now)


def usual(past: dict[datetime, int], hour: datetime) -> float | None:
    """Median of the mentions at the same hour of the `_USUAL_DAYS` days before; None where too few days are known."""
    first_known = min(past, default=None)
    days = [hour - timedelta(days=day) for day in range(1, _USUAL_DAYS + 1)]
    # An hour without a row had no mention, unless it was before the first that is known at all.
    counts = [past.get(day, 0) for day in days if first_known is not None and first_known <= day]
    return float(median(counts)) if len(counts) >= _USUAL_NEEDS else None
