"""Links that work without an account: for one purpose, once, until they expire."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.records import NOON
from tocsin.storage import links
from tocsin.storage.database import Database
from tocsin.storage.links import LinkPurpose, LinkRefused
from tocsin.storage.tables.links import LinkTable

HOUR = timedelta(hours=1)


def issued(database: Database, purpose: LinkPurpose = LinkPurpose.APPROVE) -> str:
    with database.unit_of_work() as session:
        path = links.issue(
            session, purpose, actor="person:lea", now=NOON, expires_at=NOON + HOUR, subject={"number": 3}
        )
    assert path.startswith(f"/by-link/{purpose.value}?link=")
    return path.partition("link=")[2]


def test_a_link_is_looked_at_as_often_as_one_likes_and_used_once(database: Database) -> None:
    token = issued(database)
    with database.unit_of_work() as session:
        for _ in range(2):
            assert links.look(session, token, LinkPurpose.APPROVE, NOON).subject == {"number": 3}
        assert links.use(session, token, LinkPurpose.APPROVE, NOON).actor == "person:lea"
    with database.unit_of_work() as session:
        with pytest.raises(LinkRefused, match="used already"):
            links.use(session, token, LinkPurpose.APPROVE, NOON)
        with pytest.raises(LinkRefused, match="used already"):
            links.look(session, token, LinkPurpose.APPROVE, NOON)


def test_what_was_not_committed_did_not_use_the_link_up(database: Database) -> None:
    token = issued(database)

    def fail() -> None:
        with database.unit_of_work() as session:
            links.use(session, token, LinkPurpose.APPROVE, NOON)
            raise RuntimeError("the work behind it failed")

    with pytest.raises(RuntimeError):
        fail()
    with database.unit_of_work() as session:
        links.use(session, token, LinkPurpose.APPROVE, NOON)


@pytest.mark.parametrize("ask", [links.look, links.use])
def test_an_expired_link_says_so_and_one_for_something_else_is_unknown(database: Database, ask: object) -> None:
    token = issued(database)
    with database.unit_of_work() as session:
        with pytest.raises(LinkRefused, match="expired"):
            ask(session, token, LinkPurpose.APPROVE, NOON + HOUR)  # type: ignore[operator]
        with pytest.raises(LinkRefused, match="no such link"):
            ask(session, token, LinkPurpose.ACKNOWLEDGE, NOON)  # type: ignore[operator]
        with pytest.raises(LinkRefused, match="no such link"):
            ask(session, "guessed", LinkPurpose.APPROVE, NOON)  # type: ignore[operator]


def test_of_two_who_use_it_at_the_same_moment_one_succeeds(database: Database) -> None:
    token = issued(database)

    def use(_: int) -> bool:
        try:
            with database.unit_of_work() as session:
                links.use(session, token, LinkPurpose.APPROVE, NOON)
        except LinkRefused:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(use, range(2))) == [False, True]


def test_no_secret_is_kept_and_what_has_expired_is_forgotten(database: Database) -> None:
    token = issued(database)
    with database.unit_of_work() as session:
        row = session.query(LinkTable).one()
        assert token not in str(vars(row))
        assert links.forget_expired(session, NOON) == 0
        assert links.forget_expired(session, NOON + HOUR) == 1
