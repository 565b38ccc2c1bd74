"""RSS and Atom feeds as sources: asked with ETag and Last-Modified, each entry told once, and again when it has changed."""

from __future__ import annotations

import calendar
import email.utils
import hashlib
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import feedparser
import httpx

from services.ingest.sources.port import Batch, Cursor, RawMention, SourceUnavailable
from tocsin.clock import Clock
from tocsin.contracts.events import AuthorRole, SourceKind
from tocsin.contracts.settings.sources import RssSource as RssSettings

LARGEST_FEED = 10_000_000
"""Bytes, decompressed; a larger answer is no feed."""
MOST_ENTRIES_KEPT = 1_000
"""Entries that the cursor remembers; feeds hold some tens."""
TIMEOUT = httpx.Timeout(20.0, connect=10.0)
LONGEST_READING = 60.0
"""Seconds that one answer may take altogether: a feed that trickles must not hold the source for ever."""
USER_AGENT = "Tocsin (feed reader)"

_TRACKING = ("utm_", "fbclid", "gclid", "mc_cid", "mc_eid", "xtor", "at_medium", "at_campaign")


class RssSource:
    """One feed. Its cursor holds the validators of the last answer, and of each entry its digest and its first time."""

    kind = "rss"

    def __init__(self, settings: RssSettings, client: httpx.Client, clock: Clock) -> None:
        self.id = settings.id
        self.every = settings.every.total_seconds()
        self._settings = settings
        self._client = client
        self._clock = clock
        # For messages: without the query and the user, which may hold a key.
        parts = urlsplit(settings.url)
        self._where = f"{parts.scheme}://{parts.hostname}{parts.path}"

    def read(self, cursor: Cursor | None, stop: threading.Event) -> Iterator[Batch]:
        """What is new or changed in the feed, oldest first. Raises SourceUnavailable, with the wait that the server asks for."""
        known = cursor or {}
        answer = self._fetch(known, stop)
        if answer is None:
            return
        body, headers = answer
        feed = self._parsed(body, headers)
        entries = list(reversed(feed.entries))
        seen: dict[str, Any] = dict(known.get("entries", {}))
        items = [item for entry in entries if (item := self._told_once(entry, feed.feed, seen)) is not None]
        for key in list(seen)[: max(0, len(seen) - MOST_ENTRIES_KEPT)]:
            del seen[key]
        validators = {name: headers[name] for name in ("etag", "last-modified") if name in headers}
        yield Batch(tuple(items), {**validators, "entries": seen})

    def _parsed(self, body: bytes, headers: Mapping[str, str]) -> Any:
        try:
            feed = feedparser.parse(body, response_headers={"content-type": headers.get("content-type", "")})
        except Exception as error:
            raise SourceUnavailable(f"{self._where} cannot be parsed: {type(error).__name__}") from error
        if not feed.entries and (feed.bozo or not feed.get("version")):
            raise SourceUnavailable(
                f"{self._where} answered with what is neither RSS nor Atom; look at the address in a browser"
            )
        return feed

    def _fetch(self, known: Cursor, stop: threading.Event) -> tuple[bytes, Mapping[str, str]] | None:
        """The feed's bytes and the headers of the answer; None where it has not changed."""
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5",
        }
        if "etag" in known:
            headers["If-None-Match"] = str(known["etag"])
        if "last-modified" in known:
            headers["If-Modified-Since"] = str(known["last-modified"])
        try:
            with self._client.stream(
                "GET", self._settings.url, headers=headers, timeout=TIMEOUT, follow_redirects=True
            ) as answer:
                if answer.status_code == httpx.codes.NOT_MODIFIED:
                    return None
                if answer.status_code != httpx.codes.OK:
                    raise self._refused(answer)
                return self._body(answer, stop), answer.headers
        except httpx.HTTPError as error:
            raise SourceUnavailable(f"{self._where} cannot be read: {type(error).__name__}: {error}") from error
        except httpx.InvalidURL as error:
            raise SourceUnavailable(f"{self._where} is no address: {error}; mend sources.{self.id}.url") from error

    def _body(self, answer: httpx.Response, stop: threading.Event) -> bytes:
        body = bytearray()
        until = time.monotonic() + LONGEST_READING
        for piece in answer.iter_bytes(65_536):
            body += piece
            if len(body) > LARGEST_FEED:
                raise SourceUnavailable(f"{self._where} is larger than {LARGEST_FEED:,} bytes; that is no feed")
            if time.monotonic() > until or stop.is_set():
                raise SourceUnavailable(f"{self._where} took longer than {LONGEST_READING:g} s to answer")
        return bytes(body)

    def _refused(self, answer: httpx.Response) -> SourceUnavailable:
        wait = _retry_after(answer.headers.get("retry-after"), self._clock.now())
        advice = {
            401: "it wants a password",
            403: "it refuses this reader",
            404: "there is nothing at this address; look it up again",
            410: "the feed is gone for good; take the source out",
            429: "it was asked too often; raise `every`",
        }.get(answer.status_code, "the server has trouble of its own")
        return SourceUnavailable(f"{self._where} answered {answer.status_code}: {advice}", wait)

    def _told_once(self, entry: Any, feed: Any, seen: dict[str, Any]) -> RawMention | None:
        """The entry as a mention; None where it has neither identity nor words, or was told already as it is."""
        link = canonical_url(_string(entry, "link"))
        native_id = self._identity(_string(entry, "id"), link)
        title, summary = _string(entry, "title"), _words_of(entry)
        if not native_id or not (title or summary):
            return None
        digest = hashlib.sha256(f"{title}\0{summary}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
        before = seen.pop(native_id, None)
        now = _milliseconds(self._clock.now())
        if before is not None and before[0] == digest:
            seen[native_id] = before
            return None
        # A feed cannot publish in the future: what can be read now was published by now, whatever its clock says. And an entry
        # without a date was published when it was first seen; that stays so, or each reading would move it.
        stated = _stated(entry, "published_parsed") or _stated(entry, "updated_parsed")
        published = min(stated, now) if stated is not None else now
        if before is not None:
            published = before[1]
        seen[native_id] = [digest, published]
        fields = self._fields(entry, feed)
        fields |= {
            "native_id": native_id,
            "text": "<br><br>".join(part for part in (title, summary) if part),
            "published_at": datetime.fromtimestamp(published / 1000, UTC).isoformat(),
            # Its first telling is its first version; feeds that state when an entry changed do not all keep to it.
            "revision": now if before is not None else None,
            "url": link or None,
        }
        return RawMention(fields, place=native_id, markup=True)

    def _fields(self, entry: Any, feed: Any) -> dict[str, Any]:
        """What is the same in every version of an entry."""
        settings = self._settings
        press = settings.source_kind is SourceKind.PRESS
        return {
            "source": "rss",
            "language": settings.language or _string(feed, "language"),
            "source_kind": settings.source_kind,
            "outlet": settings.outlet or _string(feed, "title") or urlsplit(settings.url).hostname,
            "author": {"name": _string(entry, "author"), "role": AuthorRole.PRESS if press else None},
            "brands": list(settings.brands),
        }

    def _identity(self, guid: str, link: str) -> str:
        """Its guid or id where that is unique in the world, else the link, else the guid within this feed."""
        if _unique_everywhere(guid):
            return guid
        if link:
            return link
        return f"{canonical_url(self._settings.url)}#{guid}" if guid else ""


def canonical_url(url: str) -> str:
    """The address without what only tells who followed it: fragment, tracking parameters, default port; host in lower case."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        return ""
    default = {"http": 80, "https": 443}[parts.scheme.lower()]
    host = parts.hostname if port in {None, default} else f"{parts.hostname}:{port}"
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not name.lower().startswith(_TRACKING)
    ]
    return urlunsplit((parts.scheme.lower(), host, parts.path or "/", urlencode(kept), ""))


def _unique_everywhere(guid: str) -> bool:
    """Whether a guid is an address or a URN, and so the same nowhere else."""
    return guid.startswith(("http://", "https://", "tag:", "urn:"))


def _string(part: Any, field: str) -> str:
    """A field of a feed or an entry; empty where broken markup has made something else of it."""
    value = part.get(field)
    return value if isinstance(value, str) else ""


def _words_of(entry: Any) -> str:
    """The summary, else the content; not what repeats the title."""
    contents = [_string(content, "value") for content in entry.get("content") or () if isinstance(content, Mapping)]
    words = next((found for found in (_string(entry, "summary"), *contents) if found), "")
    return "" if words.strip() == _string(entry, "title").strip() else words


def _stated(entry: Any, field: str) -> int | None:
    """A time of the entry in ms since 1970; feedparser has brought it to UTC already."""
    # Asked first, because feedparser would else answer one date for the other, and warn that it will not always.
    parsed = entry.get(field) if field in entry else None
    try:
        stated = calendar.timegm(parsed) * 1000 if parsed else None
    except (ValueError, OverflowError, TypeError):
        return None
    return stated if stated is None or stated > 0 else None


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, given as such or as a date."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(value) - now).total_seconds())
    except (ValueError, TypeError):
        return None
