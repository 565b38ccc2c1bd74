"""What people send with a command, as OpenAPI describes it; an unknown field is an error."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    AnyHttpUrl,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from services.alert.protocol.closing import LONGEST_NOTE
from services.alert.protocol.opening import LONGEST_SENTENCE
from services.api.instants import SentInstant
from tocsin.contracts.incidents import Level, Verdict
from tocsin.contracts.settings.base import Identifier

LARGEST_PICTURE = 4 * 1024 * 1024
"""Bytes."""
PICTURES = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}
"""What is shown as a picture, by how its bytes begin; nothing that a browser could run."""
_AS_BASE64 = {
    "image/png": "iVBORw0KGg[o-r][A-Za-z0-9+/]",
    "image/jpeg": "/9j/",
    "image/gif": "R0lGOD[dl]h",
    "image/webp": "UklGR[g-v][A-Za-z0-9+/]{2}",
}
"""The same beginnings as they are sent: the first whole groups of base64."""

_WEB_ADDRESS = {
    "type": "string",
    "format": "uri",
    "pattern": r"^https?://[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]{1,4})?(/[A-Za-z0-9_.~/%-]*)?$",
    "examples": ["https://news.example/the-article"],
}
Sentence = Annotated[str, Field(min_length=1, max_length=LONGEST_SENTENCE)]
Text = Annotated[str, Field(min_length=1, max_length=LONGEST_NOTE)]


def _one_of(*levels: Level) -> WithJsonSchema:
    """Says in the description which levels are taken; the validators say why not the others."""
    return WithJsonSchema({"type": "string", "enum": [level.value for level in levels]})


class Request(BaseModel):
    """Base of what is sent with a command."""

    model_config = ConfigDict(extra="forbid")


class AcknowledgeRequest(Request):
    """`level`: the one that you were shown; the request fails (412) only where it has risen since."""

    level: Level | None = None


class LevelRequest(Request):
    """The level that a person sees. Above detection's it is a floor, below it a cap until detection rises anew."""

    level: Level


class AssignRequest(Request):
    """`person`: whose it is to see to; null: nobody's in particular."""

    person: Identifier | None


class SilenceRequest(Request):
    """`until`: in the future, and within 7 days. A level that rises ends it."""

    until: SentInstant


class SplitRequest(Request):
    """`story`: as the evidence names it; `level`: that of the new incident, by default that of the one it comes from."""

    story: Sentence
    title: Sentence | None = None
    level: Level | None = None


class MergeRequest(Request):
    """`into`: the incident that this one goes on as part of."""

    into: UUID


class ResolveRequest(Request):
    """`verdict`: what it turned out to be; precision and misses are counted from it."""

    verdict: Verdict | None = None


class ReviewRequest(Request):
    """`verdict`: what it was after all, by default that of the resolving; `text`: what is to be remembered."""

    verdict: Verdict | None = None
    text: Text | None = None


class NoteRequest(Request):
    """Something for the incident's record."""

    text: Text


class PictureRequest(Request):
    """A picture: PNG, JPEG, GIF or WebP, as base64."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "anyOf": [
                {
                    "properties": {
                        "media_type": {"const": kind},
                        "data": {"pattern": f"^{beginning}([A-Za-z0-9+/]{{4}})*$"},
                    }
                }
                for kind, beginning in _AS_BASE64.items()
            ]
        },
    )

    media_type: Literal["image/png", "image/jpeg", "image/gif", "image/webp"]
    data: Base64Bytes

    @model_validator(mode="after")
    def _is_a_picture(self) -> Self:
        if not self.data.startswith(PICTURES[self.media_type]):
            raise ValueError(f"is no picture of the type {self.media_type} that it says")
        if len(self.data) > LARGEST_PICTURE:
            raise ValueError(f"has {len(self.data)} bytes; {LARGEST_PICTURE} are the most")
        return self


class DeclareRequest(Request):
    """What a person knows of a crisis that detection has not found (or not yet)."""

    brands: tuple[Identifier, ...] = Field(min_length=1, max_length=20)
    level: Annotated[Level, _one_of(Level.YELLOW, Level.ORANGE, Level.RED)]
    sentence: Sentence
    link: Annotated[AnyHttpUrl, WithJsonSchema(_WEB_ADDRESS)] | None = None
    text: Text | None = None
    picture: PictureRequest | None = None

    @field_validator("brands")
    @classmethod
    def _each_once(cls, brands: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(brands))

    @field_validator("level")
    @classmethod
    def _not_green(cls, level: Level) -> Level:
        if level is Level.GREEN:
            raise ValueError("what is green is no incident; declare yellow (calls nobody), orange or red")
        return level


class BrandSilenceRequest(Request):
    """Incidents of `brand` up to `level` call nobody until `until`; `reason` is for those who wonder."""

    brand: Identifier
    until: SentInstant
    level: Annotated[Level, _one_of(Level.ORANGE, Level.RED)] = Level.ORANGE
    reason: Sentence

    @field_validator("level")
    @classmethod
    def _serious(cls, level: Level) -> Level:
        if not level.serious:
            raise ValueError("orange or red: below orange nobody is called anyway")
        return level
