"""The one place where bytes become events and events become bytes: CloudEvents 1.0 in Kafka's binary mode.

The event's attributes travel in headers (`ce_id`, `ce_source`, `ce_type`, `ce_specversion`, `ce_time`, `traceparent`), its data as
UTF-8 JSON in the value. Fields that hold their default of `None` are left out, so a record is as short as its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import ValidationError

from tocsin.contracts.events import ClassifiedMention, Event, Mention, Removal, Tick
from tocsin.contracts.incidents import IncidentEvent

SPECIFICATION_VERSION = "1.0"
TEACHES_ONLY_HEADER = "tocsin_teaches_only"
"""On a mention and its classified records, with the value `1`: imported or replayed; it teaches the baseline and wakes nobody."""
Headers = tuple[tuple[str, bytes], ...]


class EventType(StrEnum):
    """The `ce_type` of a record."""

    CREATED = "mention.created"
    UPDATED = "mention.updated"
    REMOVED = "mention.deleted"
    CLASSIFIED = "mention.classified"
    TICK = "tick"


class UnreadableRecord(ValueError):
    """The bytes of a record are no event of ours; says which field is wrong. It belongs among the dead letters."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event as the bus carries it."""

    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Decoded:
    """An event with the attributes that came in its headers; `type` is an `EventType` or `incident.…`."""

    event: Mention | Removal | ClassifiedMention | Tick | IncidentEvent
    type: str
    identifier: str
    traceparent: str | None


def encode_mention(
    mention: Mention, *, updated: bool, source: str, at: datetime, traceparent: str | None = None
) -> Encoded:
    """A mention for the `mentions` topic, by mention id. `source` names the process, `at` is now."""
    return _encode(
        mention,
        key=str(mention.id),
        identifier=f"{mention.id}:{mention.version}",
        event_type=EventType.UPDATED if updated else EventType.CREATED,
        source=source,
        at=at,
        traceparent=traceparent,
    )


def encode_removal(removal: Removal, *, source: str, at: datetime, traceparent: str | None = None) -> Encoded:
    """A removal for the `removals` topic, by mention id."""
    return _encode(
        removal,
        key=str(removal.id),
        identifier=f"{removal.id}:{removal.revision}:{removal.why}",
        event_type=EventType.REMOVED,
        source=source,
        at=at,
        traceparent=traceparent,
    )


def encode_classified(
    classified: ClassifiedMention, *, source: str, at: datetime, traceparent: str | None = None
) -> Encoded:
    """A classified record for the `classified` topic, by brand; its id changes with its revision, labels and neural network."""
    revision = classified.model.revision if classified.model else "-"
    return _encode(
        classified,
        key=classified.brand,
        identifier=f"{classified.mention_id}:{classified.brand}:{classified.version}:{classified.labels}:{revision}",
        event_type=EventType.CLASSIFIED,
        source=source,
        at=at,
        traceparent=traceparent,
    )


def encode_tick(tick: Tick, *, source: str, at: datetime) -> Encoded:
    """A tick, to be put on an explicit partition; it has no key of a mention, so that compaction never eats one."""
    return _encode(
        tick,
        key=f"tick:{tick.partition}",
        identifier=f"tick:{tick.partition}:{int(tick.at.timestamp() * 1000)}",
        event_type=EventType.TICK,
        source=source,
        at=at,
        traceparent=None,
    )


def encode_incident(event: IncidentEvent, *, source: str, at: datetime) -> Encoded:
    """What happened to an incident, for the `incidents` topic, by incident id."""
    return _encode(
        event,
        key=str(event.incident_id),
        identifier=f"{event.incident_id}:{event.sequence}",
        event_type=event.type,
        source=source,
        at=at,
        traceparent=None,
    )


def decode(value: bytes, headers: Headers) -> Decoded:
    """Read a record by its `ce_type`.

    Raises `UnreadableRecord` with the field and the reason; unknown fields and unknown headers are ignored.
    """
    attributes = {name: raw.decode("utf-8", "replace") for name, raw in headers}
    event_type = attributes.get("ce_type")
    if event_type is None:
        raise UnreadableRecord("the record has no ce_type header; is something else writing to this topic?")
    try:
        event = _event_class(event_type).model_validate_json(value)
    except ValidationError as error:
        raise UnreadableRecord(f"{event_type}: {describe_validation_error(error)}") from error
    return Decoded(event, event_type, attributes.get("ce_id", ""), attributes.get("traceparent"))


def describe_validation_error(error: ValidationError) -> str:
    """Every wrong field and what is wrong with it, in one line; never the value, which may be somebody's words."""
    return "; ".join(
        f"{'.'.join(str(part) for part in item['loc']) or 'the record'}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_url=False, include_input=False)
    )


def _event_class(event_type: str) -> type[Mention | Removal | ClassifiedMention | Tick | IncidentEvent]:
    match event_type:
        case EventType.CREATED | EventType.UPDATED:
            return Mention
        case EventType.REMOVED:
            return Removal
        case EventType.CLASSIFIED:
            return ClassifiedMention
        case EventType.TICK:
            return Tick
        case _ if event_type.startswith("incident."):
            return IncidentEvent
    raise UnreadableRecord(
        f"unknown ce_type {event_type!r}; a newer Tocsin may have written it: upgrade the readers first"
    )


def _encode(
    event: Event | IncidentEvent,
    *,
    key: str,
    identifier: str,
    event_type: str,
    source: str,
    at: datetime,
    traceparent: str | None,
) -> Encoded:
    headers = [
        ("ce_id", identifier.encode()),
        ("ce_source", source.encode()),
        ("ce_type", str(event_type).encode()),
        ("ce_specversion", SPECIFICATION_VERSION.encode()),
        ("ce_time", at.astimezone(UTC).isoformat().encode()),
    ]
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    return Encoded(key.encode(), event.model_dump_json(exclude_none=True).encode(), tuple(headers))
