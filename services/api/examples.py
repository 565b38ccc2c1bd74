"""An example of every body that is sent or answered, made from its schema: so none is missing and none is of yesterday.

A schema's own `examples` come first; else each field has what its name stands for in one story, a brand that sells jam in jars.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
Schemas = Mapping[str, Schema]

_ID = "5d3f0a5e-6a57-5c0e-9d1e-3b1f6a0c2b11"
_WHOLE: dict[str, Any] = {
    "DeclareRequest": {
        "brands": ["nordlys"],
        "level": "orange",
        "sentence": "A customer found glass in a jar",
        "link": "https://news.example/the-article",
    },
    "UseAnswerRequest": {"answer": "glass", "version": 3},
}
"""Requests in which not every field goes with every other."""

_VALUES: dict[str, Any] = {
    "AuditAnswer.target": f"mention:{_ID}",
    "BrandAnswer.id": "nordlys",
    "BrandAnswer.name": "Nordlys",
    "AnnotationAnswer.name": "Spring sale",
    "DrillAnswer.name": "monthly",
    "IncidentAnswer.score": 87.0,
    "IncidentDetail.score": 87.0,
    "BrandAnswer.score": 87.0,
    "KeyAnswer.name": "dashboard",
    "KeyRequest.name": "dashboard",
    "NewKeyAnswer.name": "dashboard",
    "AuthorAnswer.role": "public",
    "AuthorAnswer.key": "69a6342c7b93ba90f50b5415",
    "AuthorAnswer.name": None,
    "OpenAuthorAnswer.role": "public",
    "OpenAuthorAnswer.key": "69a6342c7b93ba90f50b5415",
    "RankedAuthorAnswer.key": "69a6342c7b93ba90f50b5415",
    "NewKeyAnswer.key": "tocsin_abcdefgh_4f1c9a7e2b8d5036c4e1f0a9b7d2c3e85a6f4b1d0c9e8f7a2b3c4d5e6f708192",
    "OfferedAnswerAnswer.id": "glass",
    "RiskKindScore.score": 0.93,
    "RoomStep.id": "freeze",
    "SettingAnswer.kind": "exclude",
    "SettingAnswer.unreadable": None,
    "AcknowledgementAnswer.until": None,
    "SourceAuthor.id": "109348",
    "Mute.author": "69a6342c7b93ba90f50b5415",
    "StoryAnswer.id": "9f2c41d07ab35e68",
    "StoryAnswer.title": "Shards of glass in a jar of Nordlys",
    "ProblemDetails.title": "Not Found",
    "ReceivedMention.id": _ID,
    "SourceTally.source": "bluesky",
    "AuditPage.next": 4711,
    "ExclusionAnswer.story": 31,
    "ScheduleAnswer.now": "lea",
    "acknowledged": None,
    "action": "mention.corrected",
    "actor": "person:lea",
    "address": "https://nordlys.example/news/glass",
    "answer": "glass",
    "assigned": "lea",
    "authors": ["@critic"],
    "begun_by": "person:lea",
    "brand": "nordlys",
    "brands": ["nordlys"],
    "by": "person:lea",
    "channel": "press",
    "declarations": [],
    "correction": None,
    "decided": {"en": "harmful mentions: 38, the threshold is 12"},
    "detail": "delivered",
    "done_by": "person:lea",
    "due_on": "2026-03-17",
    "edited_by": "person:lea",
    "en": "We are looking into it.",
    "ended_by": "person:lea",
    "evidence": {"stories": [{"id": "9f2c41d07ab35e68", "title": "Shards of glass in a jar", "authors": 31}]},
    "exclude": "aurora",
    "field": "since",
    "fingerprint": "9f2c41d07ab35e68",
    "fr": "Nous vérifions.",
    "giver": "lea",
    "highest_level": "orange",
    "holder": "lea",
    "holding": "looking",
    "key": "9f2c41d07ab35e68",
    "kind": "page",
    "kinds": ["product_safety"],
    "labels": "model",
    "language": "en",
    "level": "orange",
    "level_set_by": None,
    "link": "https://news.example/the-article",
    "main": True,
    "made_by": "person:lea",
    "merged_into": None,
    "message": "must be before until",
    "name": "Léa Martin",
    "native_id": "at://did:plc:abc/app.bsky.feed.post/3l4",
    "next": "WzE3NzMxNzg4MDAwMDAwMDAsIjVkM2YwYTVlNmE1NzVjMGU5ZDFlM2IxZjZhMGMyYjExIl0",
    "note": "The plant has stopped line 2",
    "on_the_bus": "blanked at once",
    "outcome": "accepted",
    "outlet": None,
    "outlets": ["The Example"],
    "owner": "lea",
    "path": "/by-link/calendar/…",
    "person": "lea",
    "playbook": "any",
    "playbooks": ["any"],
    "prefix": "abcdefgh",
    "published_by": "person:lea",
    "query": 'nordlys OR "nordlys jam"',
    "rating": None,
    "reason": "ticket 4711",
    "reasons": {"en": "38 harmful mentions in 1 h, 3 expected; main story: “Shards of glass in a jar” (31 authors)."},
    "refused": None,
    "refused_by": None,
    "resolved_at": None,
    "resolved_by": None,
    "revoked_at": None,
    "role": "spokesperson",
    "roles": ["spokesperson"],
    "schedule": "weekdays",
    "sent_by": "person:lea",
    "sentence": "A customer found glass in a jar",
    "service": "after-sales",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "silence": None,
    "source": "bluesky",
    "source_kind": "social",
    "split_from": None,
    "state": "live",
    "story": "9f2c41d07ab35e68",
    "taker": "marc",
    "target": "person:lea",
    "term": "aurora",
    "terms": 'aurora OR "northern lights"',
    "text": "Shards of glass in my jar of Nordlys, again",
    "time_zone": "Europe/Paris",
    "title": "Shards of glass in a jar",
    "to": "person:marc",
    "type": "about:blank",
    "url": "https://bsky.example/profile/ann/post/3l4",
    "verdict": None,
    "why_not": None,
    "withdrawn_at": None,
    "withdrawn_by": None,
    "withdrawn_why": None,
    "words": ["glass"],
    # Numbers.
    "about": 1,
    "accepted": 1,
    "best": 5,
    "declared": 1,
    "elsewhere": 0,
    "engagement": 812,
    "expected": 2.4,
    "followers": 1240,
    "harmful": 38,
    "id": 1,
    "in_story": 29,
    "index": 0,
    "likes": 42,
    "matched": 31,
    "median": 214.0,
    "mentions": 61,
    "mentions_before": 1,
    "negative": 36,
    "network_risk": 0.12,
    "neutral": 18,
    "ninetieth": 640.0,
    "others": 410,
    "positive": 7,
    "reach": 91000,
    "relevance": 0.98,
    "replies": 9,
    "reposts": 17,
    "risk": 0.93,
    "score": 0.93,
    "share": 0.41,
    "share_before": 0.22,
    "status": 404,
    "toxicity": 0.03,
    "value": 1,
    "version": 7,
    "views": 9100,
    "weight": 61.4,
    "with_engagement": 58,
    "with_reach": 58,
}
"""By name of the schema and the field, or of the field alone."""
_SCORES = {"negative": 0.81, "neutral": 0.13, "positive": 0.06}
_FORMATS = {
    "uuid": _ID,
    "date-time": "2026-03-10T21:40:00Z",
    "date": "2026-03-10",
    "uri": "https://news.example/a",
    "duration": "PT30M",
}
_INSTANTS = {
    "since": "2026-03-03T23:00:00Z",
    "begins": "2026-03-03T23:00:00Z",
    "start": "2026-03-03T23:00:00Z",
    "until": "2026-03-11T23:00:00Z",
    "ends": "2026-03-11T23:00:00Z",
    "end": "2026-03-11T23:00:00Z",
    "expires_at": "2026-06-08T21:40:00Z",
}
_ABSENT: Any = object()


def example_of(schema: Schema, schemas: Schemas) -> Any:
    """A value that is valid by `schema`; `schemas` are those of the document that it may refer to."""
    return _Maker(schemas).make(schema, "", "", frozenset())


class _Maker:
    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def make(self, schema: Schema, owner: str, field: str, within: frozenset[str]) -> Any:
        """`owner` is the schema that `field` is of; `within` are those around it, so that none is drawn into itself."""
        if (own := self._own(schema, field)) is not _ABSENT:
            return own
        told = self._named(schema, owner, field)
        if told is not _ABSENT:
            return told
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name in within:
                return _ABSENT
            return _WHOLE[name] if name in _WHOLE else self.make(self._schemas[name], name, field, within | {name})
        for choices in ("anyOf", "oneOf", "allOf"):
            if choices in schema and "properties" not in schema:
                return self.make(schema[choices][0], owner, field, within)
        return self._of_type(schema, owner, field, within)

    def _own(self, schema: Schema, field: str) -> Any:
        """What the schema says by itself; of several words the one that the field's name stands for."""
        if schema.get("examples"):
            return schema["examples"][0]
        if "const" in schema:
            return schema["const"]
        if "enum" not in schema:
            return _ABSENT
        return _VALUES[field] if _VALUES.get(field) in schema["enum"] else schema["enum"][0]

    def _named(self, schema: Schema, owner: str, field: str) -> Any:
        """What the field's name stands for, where the schema can hold it."""
        if owner == "SentimentScores":
            return _SCORES.get(field, _ABSENT)
        for name in (f"{owner}.{field}", field):
            value = _VALUES.get(name, _ABSENT)
            if value is not _ABSENT and _holds(schema, value):
                return value
        return _ABSENT

    def _of_type(self, schema: Schema, owner: str, field: str, within: frozenset[str]) -> Any:
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            made = {name: self.make(inner, owner, name, within) for name, inner in schema.get("properties", {}).items()}
            return {name: value for name, value in made.items() if value is not _ABSENT}
        if kind == "array":
            item = self.make(schema.get("items", {}), owner, field, within)
            return [] if item is _ABSENT else [item]
        if kind == "string":
            at = _INSTANTS.get(field) if schema.get("format") == "date-time" else None
            return at or _FORMATS.get(schema.get("format", ""), "text")
        return {"integer": schema.get("minimum", 1), "number": 1.0, "boolean": False}.get(str(kind))


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "null": type(None),
}


def _holds(schema: Schema, value: Any) -> bool:
    """Whether a value is of a type that the schema names."""
    choices = [choice for name in ("anyOf", "oneOf") for choice in schema.get(name, ())] or [schema]
    return any(_is_of_type(choice, value) for choice in choices)


def _is_of_type(schema: Schema, value: Any) -> bool:
    kind = schema.get("type", "")
    if kind == "array":
        return isinstance(value, list) and all(_is_of_type(schema.get("items", {}), item) for item in value)
    of_a_form = "format" in schema or "properties" in schema
    return not of_a_form and kind in _TYPES and isinstance(value, _TYPES[kind])
