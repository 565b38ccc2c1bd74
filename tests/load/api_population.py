"""Fills a database with as many mentions as a benchmark asks for, straight into the tables, and with incidents.

Fourteen months and more, twenty brands of which the first has a third of everything, words and authors by Zipf's law, more of
it lately. Figures by hour are counted as the evaluator counts them.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from itertools import repeat
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from services.alert.counting import Counting
from services.alert.detection.observations import HarmfulRates
from services.alert.protocol.commands import Acknowledge, Judged, Open, Resolve
from services.alert.protocol.decide import decide
from services.alert.protocol.directory import Directory
from services.alert.protocol.policies import snapshot
from tocsin.clock import ManualClock
from tocsin.config import Configuration
from tocsin.contracts.incidents import Incident, Level, Verdict
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.storage import adding_up, counts, incidents, partitions, text_index
from tocsin.storage.database import Database
from tocsin.storage.tables.mentions import MentionBrandTable, MentionIdentityTable, MentionTable
from tocsin.storage.thresholds import Thresholds

DAYS = 430
"""Fifteen calendar months or sixteen, so PostgreSQL has as many partitions."""
ZONE = ZoneInfo("Europe/Paris")
"""Of every brand."""
BRANDS = tuple(f"brand{number}" for number in range(20))
COUNTED_DAYS = 120
"""The newest, a month more than anything that is asked for: counting all of them would take most of an hour on PostgreSQL."""
COMMON, RARE = "terve", "zanotol"
"""A word of every tenth text, and one of every twenty thousandth."""
_AT_ONCE = 20_000
DRAWN = 200_000
"""So many are drawn on PostgreSQL; the others are the same at other times, which takes an hour less."""
_SYLLABLES = [consonant + vowel for consonant in "bdklmnr" for vowel in "aeiou"]
_SOURCES = (("twitter", "social"), ("bluesky", "social"), ("rss", "press"), ("reviews", "review"), ("forum", "forum"))


def fill(database: Database, number: int, *, now: datetime, seed: int = 7) -> None:
    """Write `number` mentions that were published in the `DAYS` before `now`."""
    begun = time.monotonic()
    if database.is_postgresql:
        with database.unit_of_work() as session:
            session.execute(text("DROP INDEX ix_mention_brands_tokens"))
            partitions.ensure(session, [now - timedelta(days=days) for days in range(DAYS + 3)])
    drawn = min(number, DRAWN) if database.is_postgresql else number
    write(database, drawn, now=now, seed=seed)
    for copy in range(1, number // drawn):
        multiply(database, copy)
    if database.is_postgresql:
        with database.unit_of_work() as session:
            session.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
            session.execute(text("CREATE INDEX ix_mention_brands_tokens ON mention_brands USING gin (tokens)"))
    with database.unit_of_work() as session:
        session.execute(text("ANALYZE"))  # else counting takes four times as long
    print(f"… written after {time.monotonic() - begun:.0f} s", file=sys.stderr)


def write(database: Database, number: int, *, now: datetime, seed: int) -> None:
    """Write `number` mentions, and nothing around them."""
    rng = np.random.default_rng(seed)
    vocabulary = np.array([_word(index) for index in range(30_000)])
    ranks = 1 / np.arange(1, len(vocabulary) + 1) ** 1.05
    ranks /= ranks.sum()
    begun = time.monotonic()
    for start in range(0, number, _AT_ONCE):
        size = min(_AT_ONCE, number - start)
        rows = list(_rows(rng, vocabulary, ranks, size, now))
        with database.unit_of_work() as session:
            identities = [{name: row[0][name] for name in ("id", "state", "published_at")} for row in rows]
            _write(session, MentionIdentityTable, identities, postgresql=database.is_postgresql)
            _write(session, MentionTable, [row[0] for row in rows], postgresql=database.is_postgresql)
            _write(session, MentionBrandTable, [row[1] for row in rows], postgresql=database.is_postgresql)
        if start % 200_000 == 0:
            print(f"… {start + size:,} mentions, {time.monotonic() - begun:.0f} s", file=sys.stderr)


def multiply(database: Database, copy: int) -> None:
    """Let PostgreSQL write what was drawn once more, under other ids and `copy` times 97 minutes earlier."""
    other, earlier = f"md5(id::text || {copy})::uuid", f"published_at - interval '97 minutes' * {copy}"
    with database.unit_of_work() as session:
        session.execute(text("CREATE TABLE IF NOT EXISTS drawn_mentions AS SELECT * FROM mentions"))
        session.execute(text("CREATE TABLE IF NOT EXISTS drawn_mention_brands AS SELECT * FROM mention_brands"))
        source = f"SELECT {other}, {earlier}, state FROM drawn_mentions"
        session.execute(text(f"INSERT INTO mention_identities (id, published_at, state) {source}"))
        for table, key in ((MentionTable, "id"), (MentionBrandTable, "mention_id")):
            names = [column.name for column in table.__table__.columns]
            changed = {key: other.replace("id::", f"{key}::"), "published_at": earlier}
            chosen = ", ".join(changed.get(name, name) for name in names)
            name = table.__tablename__
            session.execute(text(f"INSERT INTO {name} ({', '.join(names)}) SELECT {chosen} FROM drawn_{name}"))


def count(database: Database, *, now: datetime) -> None:
    """Count the hours of `COUNTED_DAYS` as the evaluator does, add up their days as the upkeep does.

    Then let the database learn what its tables hold. On PostgreSQL as many brands at once as there are processors.
    """
    begun = time.monotonic()
    workers = os.cpu_count() or 1 if database.is_postgresql else 1
    url = database.url.render_as_string(hide_password=False)
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_count_brand, repeat(url), BRANDS, repeat(now)))
    with database.unit_of_work() as session:
        session.execute(text("ANALYZE"))
    print(f"… counted after {time.monotonic() - begun:.0f} s", file=sys.stderr)


def _count_brand(url: str, brand: str, now: datetime) -> None:
    database = Database(url)
    counting = Counting(DetectionSettings(), HarmfulRates(), ManualClock(now))
    newest = now.replace(minute=0, second=0, microsecond=0)
    for days in range(COUNTED_DAYS, -1, -5):
        hours = [newest - timedelta(days=days) + timedelta(hours=hour) for hour in range(5 * 24)]
        with database.unit_of_work() as session:
            counts.mark_dirty(session, [(brand, hour) for hour in hours if hour <= now])
            counts.recount(session, brand, counting.count, now=now)
    with database.unit_of_work() as session:
        for day in adding_up.missing_days(session, brand, ZONE, now):
            adding_up.add_up(session, brand, day, Thresholds())
    database.close()


def open_incidents(database: Database, configuration: Configuration, number: int, *, now: datetime) -> list[uuid.UUID]:
    """Write `number` incidents, all but the last resolved, each with its events and calls; returns their ids."""
    directory, identifiers = Directory.of(configuration), []
    for index in range(number):
        at = now - timedelta(hours=3 * (number - index))
        judged = Judged(level=Level.ORANGE, score=80.0, reasons={"en": "much", "fr": "trop"}, complete_up_to=at)
        opening = Open(uuid.uuid4(), BRANDS[index % len(BRANDS)], judged, snapshot(configuration.policies[0]))
        with database.unit_of_work() as session:
            decision = decide(None, opening, at, directory)
            incidents.insert_opened(session, decision)
            if index < number - 1:
                for command in (
                    Acknowledge(actor="person:lea", level=None),
                    Resolve(actor="person:lea", version=None, verdict=Verdict.BUZZ),
                ):

                    def decided(incident: Incident, command: Any = command, at: datetime = at) -> Any:
                        return decide(incident, command, at + timedelta(minutes=5), directory)

                    incidents.execute(session, decision.incident.id, decided)
            identifiers.append(decision.incident.id)
    return identifiers


def _word(index: int) -> str:
    digits = []
    index += len(_SYLLABLES)
    while index:
        index, digit = divmod(index, len(_SYLLABLES))
        digits.append(_SYLLABLES[digit])
    return "".join(digits)


def _rows(
    rng: np.random.Generator, vocabulary: Any, ranks: Any, size: int, now: datetime
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    words = rng.choice(vocabulary, size=(size, 18), p=ranks)
    hours = rng.beta(1.2, 1.0, size) * DAYS * 24
    brands = np.where(rng.random(size) < 1 / 3, 0, rng.integers(1, len(BRANDS), size))
    authors, negative, risk = rng.zipf(1.4, size), rng.random(size), rng.beta(1, 6, size)
    sources = rng.choice(len(_SOURCES), size=size, p=[0.5, 0.2, 0.1, 0.15, 0.05])
    likes, chance = rng.poisson(2, size), rng.random(size)
    for index in range(size):
        at = now - timedelta(hours=float(hours[index]))
        brand = BRANDS[brands[index]]
        source, kind = _SOURCES[sources[index]]
        said = " ".join(words[index]) + (f" {COMMON}" if chance[index] < 0.1 else "")
        said += f" {RARE}" if chance[index] > 1 - 1 / 20_000 else ""
        label = "negative" if negative[index] < 0.3 else "neutral" if negative[index] < 0.8 else "positive"
        author = f"{int(authors[index]) % 200_000:024x}"
        language = "fr" if chance[index] < 0.6 else "en"
        identifier = uuid.UUID(bytes=rng.bytes(16), version=4)
        kinds = [{"kind": "fraud", "score": 0.7}] if risk[index] > 0.6 else []
        mention = {
            "id": identifier, "state": "live", "revision": 1, "source": source, "source_kind": kind, "published_at": at,
            "first_received_at": at, "wakes": True, "language": language, "brands": [brand], "author_key": author,
            "author_followers": int(authors[index]) % 50_000, "author_role": "public", "author_name": f"name {author[-5:]}",
            "author_id": author[-5:], "copy_key": author, "crisis_words": "", "likes": int(likes[index]), "reposts": 0,
            "replies": 0, "native_id": identifier.hex, "text": said, "url": f"https://example.org/{identifier.hex}",
        }  # fmt: skip
        labels = {
            "mention_id": identifier, "brand": brand, "published_at": at, "in_counts": True, "revision": 1,
            "labels": "model", "relevance": 1.0, "sentiment": label, "negative": 0.5, "neutral": 0.3, "positive": 0.2,
            "risk": float(risk[index]), "risk_kinds": kinds, "toxicity": 0.1, "embedding": rng.bytes(384),
            "model_name": "tocsin-e5", "model_revision": "1",
            "tokens": text_index.tokens(
                brand=brand, text=said, source=source, source_kind=kind, language=language, author_key=author,
                author_name=None, risk_kinds=[item["kind"] for item in kinds],
            ),
            "search_number": text_index.numbered(at, identifier, brand),
        }  # fmt: skip
        yield mention, labels


def _write(session: Session, table: Any, rows: Sequence[dict[str, Any]], *, postgresql: bool) -> None:
    if not postgresql:
        session.connection().execute(insert(table.__table__), rows)
        return
    columns = {name: table.__table__.c[name] for name in rows[0]}
    dialect = session.get_bind().dialect
    bound = {name: column.type.dialect_impl(dialect).bind_processor(dialect) for name, column in columns.items()}
    bound |= {"tokens": table.__table__.c["tokens"].type.bind_processor(dialect)} if "tokens" in columns else {}
    driver: Any = session.connection().connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table.__tablename__} ({', '.join(columns)}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row([_bound(bound[name], value) for name, value in row.items()])


def _bound(process: Any, value: Any) -> Any:
    if isinstance(value, list | dict):
        return json.dumps(value)
    return process(value) if process is not None and isinstance(value, str) else value
