"""A person with a real browser: signs in by a link, sees what is wrong, takes it in hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.alert.protocol.commands import Escalate
from services.api.app import create_app
from tests.browser import Browser
from tests.newsroom import CONFIGURATION, NOW, Newsroom
from tocsin.access.commands import sign_in_link
from tocsin.bus.embedded import EmbeddedBus
from tocsin.clock import ManualClock, SystemClock
from tocsin.config import Environment
from tocsin.contracts import topics
from tocsin.contracts.events import Author, Risk
from tocsin.contracts.incidents import IncidentState, Level
from tocsin.observability.health import Health
from tocsin.process import Surroundings
from tocsin.storage import incidents
from tocsin.storage.database import Database
from tocsin.web import WebServer

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \u202esdrawkcab Acme"


@pytest.fixture
def database(sqlite_database_url: str) -> Iterator[Database]:
    found = Database(sqlite_database_url)
    yield found
    found.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def newsroom(database: Database, clock: ManualClock) -> Newsroom:
    return Newsroom(database, clock)


@pytest.fixture
def page(database: Database, clock: ManualClock, tmp_path: Path) -> Iterator[str]:
    """Where the page is, served for real."""
    bus = EmbeddedBus(tmp_path / "bus.sqlite", clock, partitions=2)
    bus.ensure_topics(topics.FLOW)
    environment = Environment.read({"TOCSIN_HOME": str(tmp_path)})
    server = WebServer(
        create_app(Surroundings(CONFIGURATION, environment, clock, bus, database, Health())), "127.0.0.1", 0
    )
    url, stop = server.bind(), threading.Event()
    thread = threading.Thread(target=server.run, args=(stop,), daemon=True)
    thread.start()
    yield url
    stop.set()
    thread.join(20)
    bus.close()
    assert not thread.is_alive()


def sign_in(browser: Browser, database: Database, page: str) -> None:
    browser.open(sign_in_link(database, SystemClock(), base_url=page, person="lea"))
    browser.click("button.take")
    # Complete: words and places on the page depend on its style sheet.
    browser.wait_for("document.querySelector('#live') !== null && document.readyState === 'complete'")


def test_a_person_signs_in_by_link_sees_the_incident_and_takes_it_in_hand(
    browser: Browser, database: Database, page: str, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm(Level.RED)
    browser.size(360, 740)
    browser.open(f"{page}/")
    assert "No password?" in browser.evaluate("document.body.innerText")
    sign_in(browser, database, page)
    said = browser.evaluate("document.body.innerText")
    assert "CRISIS" in said
    assert "38 harmful mentions in 1 h" in said
    # The button is on the first screen of a small phone, and nothing has to be scrolled sideways.
    assert browser.evaluate("document.querySelector('button.take').getBoundingClientRect().bottom") <= 740
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    browser.click("button.take")
    browser.wait_for("document.body.innerText.includes('Léa Martin took it in hand.')")
    with database.read() as session:
        found = incidents.find(session, incident.id)
    assert found is not None
    assert found.state is IncidentState.ACKNOWLEDGED
    assert found.acknowledged is not None
    assert found.acknowledged.by == "person:lea"
    assert browser.messages == []


def test_the_page_keeps_itself_up_to_date_and_says_when_it_cannot(
    browser: Browser, database: Database, page: str, newsroom: Newsroom
) -> None:
    sign_in(browser, database, page)
    assert "Crisis" not in browser.evaluate("document.title")
    newsroom.alarm(Level.RED)
    browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait_for("document.title.startsWith('Crisis · Acme')")
    browser.wait_for("document.querySelector('#announce').textContent.includes('Crisis · Acme')")
    browser.evaluate("window.fetch = () => Promise.reject(new Error('offline'))")
    browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait_for("document.body.innerText.includes('No connection to Tocsin. What you see is from')")


def test_a_choice_that_is_being_made_is_not_taken_away_by_an_update(
    browser: Browser, database: Database, page: str, newsroom: Newsroom
) -> None:
    incident = newsroom.alarm(Level.ORANGE)
    sign_in(browser, database, page)
    browser.click("button.take")
    browser.wait_for("document.querySelector('select') !== null")
    browser.evaluate("document.querySelector('select').focus(), document.querySelector('select').value = 'buzz'")
    browser.evaluate(
        "window.answered = 0; const real = fetch; window.fetch = (...a) => real(...a).finally(() => answered++)"
    )
    newsroom.change_level(incident.id, Level.RED)
    browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait_for("answered > 0")
    assert browser.evaluate("document.querySelector('select').value") == "buzz"
    browser.evaluate("document.querySelector('select').blur()")
    browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait_for("document.body.innerText.includes('CRISIS')")


@pytest.mark.parametrize("width", [390, 1280])
def test_everything_else_is_done_from_a_phone_too(
    browser: Browser, database: Database, page: str, newsroom: Newsroom, width: int
) -> None:
    incident = newsroom.alarm(Level.RED)
    browser.size(width, 844)
    sign_in(browser, database, page)
    for path in ("/on-call", "/drills", f"/incidents/{incident.id}"):
        browser.open(f"{page}{path}")
        assert browser.evaluate("document.documentElement.scrollWidth") <= width, path
        assert "Drills" in browser.evaluate("document.querySelector('nav').innerText"), path
    browser.click("#commands > summary")
    browser.wait_for("document.querySelector('#command-silence').getBoundingClientRect().height > 0")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    # What somebody is writing outlives what the page hears meanwhile, and what is open stays open.
    browser.evaluate("document.querySelector('#command-note textarea').value = 'The plant called.'")
    newsroom.command(incident.id, Escalate("key:other"))
    browser.evaluate(
        "window.answered = 0; const real = fetch; window.fetch = (...a) => real(...a).finally(() => answered++)"
    )
    browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait_for("answered > 0")
    assert browser.evaluate("document.querySelector('#command-note textarea').value") == "The plant called."
    browser.evaluate("document.querySelector('#command-note textarea').value = ''")
    browser.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    browser.wait_for("document.querySelector('.timeline').innerText.includes('Marc')")
    assert browser.evaluate("document.querySelector('#commands').open")
    browser.click("#command-silence button")
    browser.wait_for("document.body.innerText.includes('Léa Martin silenced the calls.')")
    with database.read() as session:
        found = incidents.find(session, incident.id)
    assert found is not None
    assert found.silence is not None
    assert browser.messages == []


def test_hostile_words_run_nothing_and_turn_nothing_round(
    browser: Browser, database: Database, page: str, newsroom: Newsroom
) -> None:
    loud = newsroom.say("bad", text=HOSTILE, risk=Risk(score=0.9), url="javascript:alert(3)")
    newsroom.write(loud.model_copy(update={"author": Author(id="x", name=HOSTILE), "revision": 2}))
    newsroom.alarm(Level.RED, reasons={"en": HOSTILE, "fr": HOSTILE})
    sign_in(browser, database, page)
    assert "<script>alert(1)</script><img src=x onerror=alert(2)> sdrawkcab Acme" in browser.evaluate(
        "document.querySelector('.mention .text').textContent"
    )
    assert browser.evaluate("document.querySelectorAll('#live script, #live img, #live iframe').length") == 0
    # A script that ran would have opened a dialog, which ends the test; one that was held back would be told here.
    assert browser.messages == []
