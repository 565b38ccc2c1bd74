"""What the templates of a crisis room lay out: the room, and how its people, roles and texts are called in a language."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from services.alert.protocol.directory import Directory
from services.alert.room.team import Team
from services.api.context import ApiContext
from services.api.pages.history import actor_name
from services.api.pages.wording import Wording
from tocsin.access.principals import Principal, Scope
from tocsin.contracts.incidents import Incident
from tocsin.contracts.room import Room
from tocsin.contracts.settings.room import words_in


def room_values(
    context: ApiContext,
    principal: Principal,
    words: Wording,
    *,
    incident: Incident,
    room: Room,
    directory: Directory,
    now: datetime,
) -> dict[str, Any]:
    """What the templates of a room lay out. `directory`: with the shifts that people have exchanged."""
    team, settings = Team.of(context.configuration, directory), context.configuration.brand(incident.brand)
    return {
        "incident": incident,
        "room": room,
        "brand_name": context.directory.brand_name(incident.brand),
        "zone": ZoneInfo(settings.time_zone if settings else "UTC"),
        "role_name": lambda role: team.role_name(role, words.language),
        "plays": lambda role: team.plays(principal.actor, role, now),
        "person": lambda actor: actor_name(actor or "", words, context.directory),
        "worded": lambda texts: texts.get(words.language) or next(iter(texts.values()), ""),
        "actor": principal.actor,
        "people": context.configuration.people,
        "playbooks": [
            (playbook.id, words_in(playbook.name, words.language))
            for playbook in context.configuration.playbooks
            if not playbook.brands or incident.brand in playbook.brands
        ],
        "may_act": principal.may(Scope.ACT),
    }
