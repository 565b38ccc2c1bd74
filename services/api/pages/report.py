"""The report on an incident: timeline, evidence, who did what when, how long things took, verdict, follow-ups.

It is made from the record each time that it is asked for: as HTML on the page, and as Markdown to paste into another document.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from services.api.context import ApiContext
from services.api.pages.history import Happening, actor_name, happenings
from services.api.pages.loudness import LoudMention, loudest, shown_text
from services.api.pages.wording import Wording
from tocsin.contracts.incidents import Incident, IncidentEvent, IncidentEventType
from tocsin.contracts.room import FollowUp, Room, Statement, StepState
from tocsin.storage import incidents, rooms
from tocsin.storage.searches import find_risky

_LOUD = 5
_READ = 300
_BEFORE = timedelta(hours=25)
"""How far before the alarm its first mention is looked for, where the evidence does not say."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~])")
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Times:
    """How long things took; None where they did not happen or it is not known."""

    notice: timedelta | None
    """From the first mention of the main story to the alarm."""
    acknowledge: timedelta | None
    """From the alarm to the first acknowledgement."""
    first_statement: timedelta | None
    """From the alarm to the first statement that went out."""
    calm: timedelta | None
    """From the alarm to the last time that the level fell to green."""

    def rows(self) -> list[tuple[str, timedelta | None]]:
        """The catalogue's key of each, and how long it took."""
        return [
            ("report.notice", self.notice),
            ("report.acknowledge", self.acknowledge),
            ("report.first_statement", self.first_statement),
            ("report.calm", self.calm),
        ]


@dataclass(frozen=True, slots=True)
class Report:
    """What the report says, in one language; `happened` is in the order of time."""

    incident: Incident
    brand_name: str
    zone: ZoneInfo
    reason: str
    times: Times
    happened: Sequence[Happening]
    stories: Sequence[tuple[str, int, int]]
    """Title, authors, mentions."""
    loud: Sequence[LoudMention]
    statements: Sequence[Statement]
    steps_done: int
    steps_late: int
    steps: int
    skipped: Sequence[tuple[str, str]]
    """Steps that were left out, and why."""
    follow_ups: Sequence[FollowUp]
    people: Mapping[str, str]
    """How actors are called."""

    def happened_by_day(self) -> list[list[Happening]]:
        """What happened, a list for each day in the brand's time zone."""
        days = itertools.groupby(self.happened, key=lambda line: line.at.astimezone(self.zone).date())
        return [list(lines) for _, lines in days]


def make_report(context: ApiContext, session: Session, incident: Incident, wording: Wording, now: datetime) -> Report:
    """Everything that the record has of an incident."""
    settings = context.configuration.brand(incident.brand)
    events = incidents.events(session, incident.id)
    room = rooms.find(session, incident.id)
    until = incident.resolved_at or now
    risky = find_risky(
        session, incident.brand, incident.opened_at - _BEFORE, until, thresholds=context.thresholds, limit=_READ
    )
    steps = room.steps if room else ()
    actors = {event.actor for event in events} | {item.owner for item in (room.follow_ups if room else ())}
    actors |= {statement.published_by for statement in (room.statements if room else ()) if statement.published_by}
    stories = incident.evidence.get("stories") or ()
    reason = incident.reasons.get(wording.language) or next(iter(incident.reasons.values()), "")
    return Report(
        incident=incident,
        brand_name=context.directory.brand_name(incident.brand),
        zone=ZoneInfo(settings.time_zone if settings else "UTC"),
        reason=shown_text(reason, _LONGEST),
        times=times_of(incident, events, room, min((item.published_at for item in risky), default=None)),
        happened=happenings(events, wording, context.directory)[::-1],
        stories=[
            (shown_text(str(story.get("title", ""))), int(story.get("authors", 0)), int(story.get("mentions", 0)))
            for story in stories
            if isinstance(story, dict)
        ],
        loud=loudest(risky, _LOUD),
        statements=room.statements if room else (),
        steps=len(steps),
        steps_done=sum(step.state is StepState.DONE for step in steps),
        steps_late=sum(
            step.at is not None and step.state is StepState.DONE and step.at > step.due_at for step in steps
        ),
        skipped=[
            (step.title.get(wording.language) or next(iter(step.title.values())), step.note or "")
            for step in steps
            if step.state is StepState.SKIPPED
        ],
        follow_ups=room.follow_ups if room else (),
        people={actor: actor_name(actor, wording, context.directory) for actor in actors},
    )


def times_of(
    incident: Incident, events: Sequence[IncidentEvent], room: Room | None, first_harmful: datetime | None
) -> Times:
    """How long things took, from the record alone; `first_harmful` where the evidence does not say when it began."""
    opened = incident.opened_at
    began = _beginning(incident) or first_harmful
    acknowledged = next((event.at for event in events if event.type is IncidentEventType.ACKNOWLEDGED), None)
    published = min(
        (item.published_at for item in (room.statements if room else ()) if item.published_at is not None), default=None
    )
    calm = [
        event.at
        for event in events
        if event.type is IncidentEventType.LEVEL_CHANGED and event.data.get("to") == "green"
    ]
    return Times(
        notice=opened - began if began is not None and began <= opened else None,
        acknowledge=acknowledged - opened if acknowledged is not None else None,
        first_statement=published - opened if published is not None else None,
        calm=calm[-1] - opened if calm else None,
    )


def _beginning(incident: Incident) -> datetime | None:
    stories = incident.evidence.get("stories") or []
    first = stories[0].get("first_at") if stories and isinstance(stories[0], dict) else None
    try:
        return datetime.fromisoformat(first) if isinstance(first, str) else None
    except ValueError:
        return None


def duration(wording: Wording, length: timedelta | None) -> str:
    """`12 min`, `1 h 05`; a dash for what is not known."""
    if length is None:
        return "–"
    minutes = int(length.total_seconds() // 60)
    if minutes < 1:
        return wording.say("report.seconds", number=int(length.total_seconds()))
    return wording.say("report.minutes", number=minutes) if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"


def markdown(report: Report, wording: Wording, now: datetime) -> str:
    """The report as Markdown. What mentions and people wrote is escaped: it is text there, and makes neither link nor heading."""
    say, incident = wording.say, report.incident

    def clock(at: datetime) -> str:
        return f"{at.astimezone(report.zone):%Y-%m-%d %H:%M}"

    verdict = say(f"verdict.{incident.verdict}") if incident.verdict else say("report.no_verdict")
    lines = [
        f"# {_escaped(say('report.title', brand=report.brand_name))}",
        "",
        _escaped(report.reason),
        "",
        f"- {say('report.opened')} {clock(incident.opened_at)} ({report.zone.key})",
        f"- {say('report.highest')} {say(f'level.{incident.highest_level}')}",
        *([f"- {say('report.closed')} {clock(incident.resolved_at)}"] if incident.resolved_at else []),
        f"- {say('report.verdict')} {verdict}",
        f"- {say('report.playbook', done=report.steps_done, steps=report.steps, late=report.steps_late)}",
        "",
        f"## {say('report.times')}",
        "",
        "| | |",
        "|---|---|",
        *[f"| {say(key)} | {duration(wording, length)} |" for key, length in report.times.rows()],
        "",
        f"## {say('report.evidence')}",
        "",
        *[
            f"- {_escaped(title)} – {say('report.story', authors=authors, mentions=mentions)}"
            for title, authors, mentions in report.stories
        ],
        *[
            f"- {clock(item.mention.published_at)}, {_escaped(item.mention.author_name or '?')}: "
            f"{_escaped(shown_text(item.mention.text or ''))}"
            for item in report.loud
        ],
        "",
        f"## {say('report.statements')}",
        "",
    ]
    for statement in report.statements:
        heading = say("room.statement", number=statement.number, version=statement.version)
        lines += [f"**{heading}** ({say(f'statement.{statement.state}')}, {_escaped(statement.channel)})", ""]
        lines += [f"> {_escaped(line)}" for line in statement.text.splitlines()] + [""]
    lines += [f"## {say('report.happened')}", ""]
    lines += [f"- {clock(line.at)} – {_escaped(line.sentence)}" for line in report.happened]
    lines += ["", f"## {say('room.follow_ups')}", ""]
    for item in report.follow_ups:
        due = f", {item.due_on}" if item.due_on else ""
        done = "x" if item.done_at else " "
        lines.append(f"- [{done}] {_escaped(item.text)} – {_escaped(report.people.get(item.owner, item.owner))}{due}")
    return "\n".join([*lines, "", f"_{say('report.made', time=clock(now))}_", ""])


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
