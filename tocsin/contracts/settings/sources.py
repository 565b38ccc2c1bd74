"""`sources`: where mentions come from."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tocsin.contracts.events import SourceKind
from tocsin.contracts.settings.base import Duration, Identifier, Settings


class RssSource(Settings):
    """An RSS or Atom feed, asked again every `every` with ETag and Last-Modified."""

    kind: Literal["rss"]
    id: Identifier
    url: str
    every: Duration = timedelta(minutes=5)
    source_kind: SourceKind = SourceKind.PRESS
    outlet: str | None = None
    language: str | None = None
    brands: tuple[Identifier, ...] = ()
    """Brands that every entry is about; without them, the brand queries decide."""


class FileSource(Settings):
    """A file of mentions (JSON Lines or CSV, by its ending, gzipped or not) that is read once, from where the cursor stands."""

    kind: Literal["file"]
    id: Identifier
    path: Path
    brands: tuple[Identifier, ...] = ()
    source: str | None = None
    """What `source` is of lines that name none."""
    columns: dict[str, str] = Field(default_factory=dict)
    """CSV: column → field, such as `Posted at: published_at` or `User: author.name`; others go by their own name."""


SourceSettings = Annotated[RssSource | FileSource, Field(discriminator="kind")]
