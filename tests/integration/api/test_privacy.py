"""Three cases: a person asks to be forgotten, a name is opened, an incident is sealed for a court."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import inspect, text

from services.alert.handler import AlertHandler
from services.alert.pseudonyms import Pseudonyms
from services.alert.upkeep import Upkeep
from tests.newsroom import KeyMaker, Newsroom
from tests.records import classified, classified_record, identifier
from tocsin.bus.embedded import EmbeddedBus
from tocsin.clock import ManualClock
from tocsin.contracts.events import Author, AuthorRole
from tocsin.contracts.incidents import Level
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.contracts.settings.privacy import PrivacySettings
from tocsin.contracts.settings.services import RetentionSettings
from tocsin.observability.health import Health
from tocsin.process import Surroundings
from tocsin.storage.database import Database
from tocsin.storage.erasures import JOURNAL, ErasureJournal
from tocsin.storage.merging import author_key

WORDS = "I found long shards of glass in my Acme yoghurt this morning"
REASONS = {"en": f"38 harmful mentions in 1 h; main story: “{WORDS[:40]}…” (1 author, Ann).", "fr": "38 mentions"}
Headers = dict[str, str]


@pytest.fixture
def admin(key: KeyMaker) -> Headers:
    return key("admin")


def everything(database: Database) -> str:
    """All that the database holds, as one text."""
    with database.read() as session:
        tables = inspect(session.connection()).get_table_names()
        rows = [row for table in tables for row in session.execute(text(f'SELECT * FROM "{table}"')).all()]
    return "\n".join(
        bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else str(value)
        for row in rows
        for value in row
    )


def erase(client: TestClient, admin: Headers, **wanted: Any) -> Any:
    answer = client.post("/v1/privacy/erasures", json={"reason": "ticket 4711", **wanted}, headers=admin)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_persons_words_go_from_rows_evidence_incidents_messages_and_the_outbox(
    client: TestClient, admin: Headers, newsroom: Newsroom, database: Database
) -> None:
    newsroom.say("hers", text=WORDS, author="ann-4711")
    newsroom.say("another", text="The Acme yoghurt is fine", author="bob")
    newsroom.alarm(reasons=REASONS)
    assert WORDS[:40] in everything(database)
    answer = erase(client, admin, mentions=[str(identifier("hers"))])
    assert answer["erased"] == [str(identifier("hers"))]
    assert answer["on_the_bus"] == "blanked at once"
    left = everything(database)
    assert WORDS[:20] not in left
    assert "ann-4711" not in left
    assert "The Acme yoghurt is fine" in left


def test_the_name_goes_from_watch_lists_that_are_withdrawn_and_stays_in_one_that_holds(
    client: TestClient, admin: Headers, key: KeyMaker, newsroom: Newsroom
) -> None:
    path, acting = "/v1/brands/acme/settings", key("read", "act")
    newsroom.say("hers", text=WORDS, author="ann-4711")

    def watch(reason: str) -> str:
        wanted = {"setting": {"kind": "watch", "authors": ["Ann-4711", "bob"]}, "reason": reason}
        made = client.post(path, json=wanted, headers=acting)
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    withdrawn, holding = watch("Ann-4711 began it"), watch("still at it")
    gone = client.post(f"{path}/{withdrawn}/withdraw", json={"reason": "Ann-4711 asked"}, headers=acting)
    assert gone.status_code == 200, gone.text
    erase(client, admin, mentions=[str(identifier("hers"))])
    found = client.get(f"{path}?over=true", headers=acting).json()["settings"]
    told = {item["id"]: (item["setting"]["authors"], item["reason"], item["withdrawn_why"]) for item in found}
    assert told[withdrawn] == (["…", "bob"], "… began it", "… asked")
    assert told[holding][0] == ["Ann-4711", "bob"]


def test_what_was_erased_stays_out_when_it_is_replayed(
    client: TestClient, admin: Headers, newsroom: Newsroom, database: Database
) -> None:
    newsroom.say("hers", text=WORDS)
    erase(client, admin, from_source=[{"source": "bluesky", "native_id": "hers"}])
    newsroom.say("hers", text=WORDS, revision=9)
    assert WORDS[:20] not in everything(database)


def test_no_byte_of_it_stays_in_sqlites_files(
    client: TestClient, admin: Headers, newsroom: Newsroom, database: Database
) -> None:
    if database.is_postgresql:
        pytest.skip("PostgreSQL overwrites what was deleted when it vacuums")
    newsroom.say("hers", text=f"{WORDS} qzwxcv", author="ann-4711")
    for number in range(50):
        newsroom.say(f"m{number}", text=f"{number} people like Acme")
    newsroom.say("hers", text=f"{WORDS} qzwxcv, said Ann", author="ann-4711", revision=9)
    assert b"qzwxcv" in files_of(database)
    erase(client, admin, mentions=[str(identifier("hers"))])
    assert b"qzwxcv" not in files_of(database)
    assert WORDS.encode() not in files_of(database)
    found = client.get("/v1/mentions?brand=acme&text=people&limit=100", headers=admin).json()["mentions"]
    assert len(found) == 50


def files_of(database: Database) -> bytes:
    """The bytes of SQLite's file and of what stands beside it."""
    file = Path(database.url.database or "")
    return b"".join(path.read_bytes() for path in sorted(file.parent.glob(f"{file.name}*")))


def test_all_of_an_author_goes_by_the_id_that_the_source_gives(
    client: TestClient, admin: Headers, newsroom: Newsroom
) -> None:
    for number in range(3):
        newsroom.say(f"m{number}", author="ann-4711")
    newsroom.say("other", author="bob")
    answer = erase(client, admin, author={"source": "bluesky", "id": "ann-4711"})
    assert set(answer["erased"]) == {str(identifier(f"m{number}")) for number in range(3)}


def test_a_restored_backup_brings_nothing_back(
    client: TestClient, admin: Headers, newsroom: Newsroom, database: Database, clock: ManualClock,
    surroundings: Surroundings,
) -> None:  # fmt: skip
    newsroom.say("hers", text=WORDS)
    home = surroundings.environment.home
    erase(client, admin, mentions=[str(identifier("hers"))])
    with database.unit_of_work() as session:  # the backup of yesterday
        session.execute(text("DELETE FROM mention_brands"))
        session.execute(text("DELETE FROM mentions"))
        session.execute(text("DELETE FROM mention_identities"))
    newsroom.say("hers", text=WORDS)
    assert WORDS[:20] in everything(database)
    upkeep = Upkeep(
        database, clock, "one", retention=RetentionSettings(), complete_up_to=lambda _session: None, health=Health(),
        journal=ErasureJournal(home / JOURNAL),
    )  # fmt: skip
    import threading

    upkeep.clean_up(threading.Event())
    assert WORDS[:20] not in everything(database)


def test_a_journal_whose_last_line_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    journal = ErasureJournal(tmp_path / JOURNAL)
    journal.note([identifier("a"), identifier("a"), identifier("b")], datetime(2026, 3, 10, tzinfo=UTC))
    with (tmp_path / JOURNAL).open("a") as file:
        file.write('{"mention": "0000')
    assert journal.identifiers() == [identifier("a"), identifier("b")]


def test_an_erasure_stands_in_the_audit_log_without_the_words_and_needs_a_key_for_all_brands(
    client: TestClient, key: KeyMaker, admin: Headers, newsroom: Newsroom
) -> None:
    newsroom.say("hers", text=WORDS)
    wanted = {"mentions": [str(identifier("hers"))], "reason": "ticket 4711"}
    assert client.post("/v1/privacy/erasures", json=wanted, headers=key("admin", brands=["acme"])).status_code == 403
    assert client.post("/v1/privacy/erasures", json={"reason": "x"}, headers=admin).status_code == 422
    erase(client, admin, mentions=wanted["mentions"])
    audited = client.get("/v1/audit?action=mentions.erased", headers=admin)
    assert audited.json()["entries"][0]["details"]["reason"] == "ticket 4711"
    assert WORDS[:20] not in audited.text


@pytest.fixture
def handler(database: Database, clock: ManualClock, surroundings: Surroundings) -> AlertHandler:
    assert isinstance(surroundings.bus, EmbeddedBus)
    pseudonyms = Pseudonyms(PrivacySettings(named_authors=("@Watched",)))
    return AlertHandler(database, clock, DetectionSettings(), surroundings.bus, pseudonyms)


@pytest.mark.parametrize(
    ("author", "named"),
    [
        (Author(id="1", name="Ann Smith", followers=9_999), False),
        (Author(id="2", name="Ann Smith", followers=10_000), True),
        (Author(id="3", name="Ann Smith", role=AuthorRole.PRESS), True),
        (Author(id="4", name="watched"), True),
        (Author(id="5", name="Ann Smith"), False),
    ],
)
def test_names_are_open_for_press_watch_lists_and_reach_and_kept_apart_for_others(
    client: TestClient, admin: Headers, handler: AlertHandler, author: Author, named: bool
) -> None:
    handler.handle([classified_record("m", author=None, **{"text": "Acme"})])
    said = classified("n").model_copy(update={"author": author})
    from tests.records import NOON, record
    from tocsin.contracts import topics
    from tocsin.contracts.codec import encode_classified

    handler.handle([record(topics.CLASSIFIED, encode_classified(said, source="test", at=NOON))])
    mentions = client.get("/v1/mentions?brand=acme", headers=admin).json()["mentions"]
    shown = next(mention["author"] for mention in mentions if mention["author"]["key"])
    assert shown["name"] == (author.name if named else None)
    assert shown["key"] != author_key("bluesky", author.id)


def test_a_hidden_name_is_opened_by_a_click_that_the_audit_log_tells(
    client: TestClient, key: KeyMaker, admin: Headers, handler: AlertHandler
) -> None:
    handler.handle([classified_record("m", author="ann")])
    path, wanted = f"/v1/mentions/{identifier('m')}/author", {"brand": "acme", "reason": "to apologise"}
    assert client.post(path, json=wanted, headers=key("read")).status_code == 403
    opened = client.post(path, json=wanted, headers=key("act"))
    assert opened.json()["name"] == "Ann"
    (entry,) = client.get("/v1/audit?action=author.opened", headers=admin).json()["entries"]
    assert entry["details"] == {"reason": "to apologise"}
    assert "Ann" not in json.dumps(entry)


def test_a_sealed_copy_keeps_what_it_shows_outlasts_an_erasure_and_ends_at_its_date(
    client: TestClient, admin: Headers, newsroom: Newsroom, database: Database, clock: ManualClock
) -> None:
    newsroom.say("hers", text=WORDS)
    incident = newsroom.alarm(Level.RED, reasons=REASONS)
    path = f"/v1/incidents/{incident.id}/legal-holds"
    until = (clock.now() + timedelta(days=30)).isoformat()
    sealed = client.post(path, json={"reason": "case 12", "until": until}, headers=admin)
    assert sealed.status_code == 201
    erase(client, admin, mentions=[str(identifier("hers"))])
    copy = client.get(f"{path}/{sealed.json()['id']}", headers=admin)
    assert hashlib.sha256(copy.content).hexdigest() == sealed.json()["sha256"] == copy.headers["x-content-sha256"]
    assert WORDS[:40] in gzip.decompress(copy.content).decode()
    assert [hold["reason"] for hold in client.get(path, headers=admin).json()["legal_holds"]] == ["case 12"]
    actions = [entry["action"] for entry in client.get("/v1/audit", headers=admin).json()["entries"]]
    assert {"legal_hold.sealed", "legal_hold.downloaded"} <= set(actions)
    clock.move(timedelta(days=31).total_seconds())
    upkeep = Upkeep(
        database, clock, "one", retention=RetentionSettings(), complete_up_to=lambda _session: None, health=Health()
    )
    import threading

    upkeep.clean_up(threading.Event())
    assert client.get(path, headers=admin).json()["legal_holds"] == []


def test_a_hold_without_an_end_in_reach_is_refused(
    client: TestClient, admin: Headers, newsroom: Newsroom, clock: ManualClock
) -> None:
    incident = newsroom.alarm()
    for until in (clock.now(), clock.now() + timedelta(days=4000)):
        wanted = {"reason": "x", "until": until.isoformat()}
        assert client.post(f"/v1/incidents/{incident.id}/legal-holds", json=wanted, headers=admin).status_code == 422
