"""A room's decision in the making: what the room becomes, what goes into the incident's record, and whom to tell."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from services.alert.protocol.directory import Recipient, Ring
from services.alert.room.team import Team
from tocsin.contracts.decisions import (
    Decision,
    Notification,
    NotificationContent,
    NotificationKind,
    NotificationWords,
    Refusal,
    RefusalKind,
)
from tocsin.contracts.incidents import Incident, IncidentEvent, IncidentEventType
from tocsin.contracts.room import Ask, AskKind, LinkNeed, Room, RoomDecision

TIMER = "timer"
_Numbered = TypeVar("_Numbered", bound=Any)


class RoomDraft:
    """Collects what one command does to one room at one instant; `decision` hands it over."""

    def __init__(self, room: Room, incident: Incident, now: datetime, team: Team) -> None:
        self.room = room
        self.incident = incident
        self.now = now
        self.team = team
        self._before = room, incident
        self._events: list[IncidentEvent] = []
        self._notifications: list[Notification] = []
        self._links: dict[UUID, LinkNeed] = {}

    def change(self, **fields: Any) -> None:
        """Set fields of the room."""
        self.room = self.room.model_copy(update=fields)

    def put(self, field: str, item: _Numbered, **changes: Any) -> _Numbered:
        """Replace a numbered part of the room by itself with `changes`, or add it where its number is new."""
        changed = item.model_copy(update=changes)
        parts: list[Any] = [*getattr(self.room, field)]
        place = next((index for index, part in enumerate(parts) if part.number == item.number), None)
        if place is None:
            parts.append(changed)
        else:
            parts[place] = changed
        self.change(**{field: tuple(parts)})
        return changed  # type: ignore[no-any-return]

    def record(self, event_type: IncidentEventType, actor: str, **data: Any) -> None:
        """Write an event into the incident's record, which makes a new version of it."""
        self.incident = self.incident.model_copy(update={"version": self.incident.version + 1})
        incident = self.incident
        self.change(seen_version=incident.version)
        self._events.append(
            IncidentEvent(
                incident_id=incident.id,
                sequence=incident.version,
                type=event_type,
                at=self.now,
                brand=incident.brand,
                also=incident.also or None,
                level=incident.level,
                state=incident.state,
                actor=actor,
                data={name: value for name, value in data.items() if value is not None},
            )
        )

    def ask(
        self,
        kind: AskKind,
        about: int,
        *,
        by: datetime,
        ring_at: datetime,
        role: str | None = None,
        version: int | None = None,
    ) -> Ask:
        """Somebody is wanted from now on."""
        number = self.room.asked + 1
        asked = Ask(number=number, kind=kind, about=about, role=role, version=version, ring_at=ring_at, by=by)
        self.change(asked=number, asks=(*self.room.asks, asked))
        return asked

    def stop_asking(self, kind: AskKind, about: int, *, role: str | None = None) -> None:
        """Nobody is wanted for that any more."""

        def stays(ask: Ask) -> bool:
            return ask.kind is not kind or ask.about != about or (role is not None and ask.role != role)

        self.change(asks=tuple(ask for ask in self.room.asks if stays(ask)))

    def notify(
        self,
        recipient: Recipient,
        kind: NotificationKind,
        words: NotificationWords,
        *,
        step: int,
        loop: int = 0,
        link: LinkNeed | None = None,
    ) -> None:
        """A message to somebody; `link` is put into it when it is saved. A task rings as an alert does, along their chain."""
        incident = self.incident
        content = NotificationContent(
            incident_id=incident.id,
            brand=incident.brand,
            brand_name=self.team.directory.brand_name(incident.brand),
            kind=kind,
            level=incident.level,
            score=incident.score,
            reasons=incident.reasons,
            at=self.now,
            opened_at=incident.opened_at,
            complete_up_to=incident.complete_up_to,
            link=self.team.directory.link(incident.id),
            exercise=incident.exercise,
            words=words,
        )
        directory = self.team.directory
        told = tuple(Ring(channel) for channel in recipient.channels if directory.tells(channel))
        for ring in recipient.rings if kind is NotificationKind.TASK else told:
            notification = Notification(
                incident_id=incident.id,
                start=incident.start,
                step=step,
                loop=loop,
                round=ring.round,
                target=recipient.target,
                name=recipient.name,
                channel=ring.channel,
                kind=kind,
                language=recipient.language,
                time_zone=recipient.time_zone,
                level=incident.level,
                created_at=self.now,
                due_at=self.now + ring.after if ring.after else None,
                content=content,
            )
            self._notifications.append(notification)
            if link is not None:
                self._links[notification.id] = link

    def decision(self) -> RoomDecision:
        """What came of it."""
        made = Decision(self.incident, tuple(self._events), tuple(self._notifications))
        return RoomDecision(self.room, made, self._links)

    def refuse(self, kind: RefusalKind, reason: str) -> RoomDecision:
        """Leave everything as it was, and say why."""
        room, incident = self._before
        return RoomDecision(room, Decision(incident, refused=Refusal(kind, reason)))

    def illegal(self, reason: str) -> RoomDecision:
        """Refuse: the room is in no state for that."""
        return self.refuse(RefusalKind.ILLEGAL, reason)

    def stale(self, what: str, seen: int, present: int) -> RoomDecision:
        """Refuse: the person looked at an older text."""
        return self.refuse(
            RefusalKind.STALE,
            f"{what} has changed since (version {present}, not {seen}); read it again, then decide again",
        )

    def forbidden(self, reason: str) -> RoomDecision:
        """Refuse: it is not this person's to do."""
        return self.refuse(RefusalKind.FORBIDDEN, reason)


def find(parts: Sequence[_Numbered], number: int) -> _Numbered | None:
    """The part of that number."""
    return next((part for part in parts if part.number == number), None)


LINK_LIFETIME = timedelta(hours=12)
"""How long a link to approve or to take over works, if what it is for is not settled before."""
READING_LIFETIME = timedelta(hours=48)
"""How long an update's link is readable."""
