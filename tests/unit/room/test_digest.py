"""The morning digest: what it says of a night that was calm, and of one that was not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from services.alert.room.digest import AlmostRang, Night, digest
from tests.crisis_room import CrisisRoom
from tests.team import DIRECTORY, START
from tocsin.contracts.incidents import Level

MORNING = datetime(2026, 3, 3, 6, 30, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


def night(**fields: object) -> Night:
    known = {
        "brand": "lunea",
        "since": MORNING - timedelta(hours=13),
        "until": MORNING,
        "level": Level.GREEN,
        "mentions": 412,
        "harmful": 9,
        "authors": 300,
        "incidents": (),
        "almost": (),
    }
    return Night(**{**known, **fields})  # type: ignore[arg-type]


def test_a_calm_night_says_so_and_who_is_on_call() -> None:
    made = digest(night(), DIRECTORY, ("evenings", "nobody"), zone=PARIS, language="en")
    assert made.subject == "Lunéa: the night of 03 Mar – nothing rang"
    assert made.lines == (
        "The night, 18:30 to 07:30: 412 mentions, 9 of them harmful (300 authors).",
        "Level right now: GREEN.",
        "Nothing rang.",
        "Nothing almost rang.",
        "On call today (evenings): 07:30–07:30 Léa.",
        "On call today (nobody): 07:30–07:30 NOBODY.",
    )


def test_what_rang_and_what_almost_did_and_why_not_in_french() -> None:
    miss = AlmostRang(START, 41.0, {"fr": "19 mentions nuisibles en 1 h", "en": "19 harmful"}, "unconfirmed")
    made = digest(
        night(incidents=[CrisisRoom(Level.RED).incident], almost=[miss]),
        DIRECTORY,
        (),
        zone=PARIS,
        language="fr",
    )
    assert made.subject == "Lunéa : la nuit du 03/03 – 1 alerte(s), niveau ROUGE"
    said = "\n".join(made.lines)
    assert "22:00 : niveau ROUGE. 38 mentions hostiles en 3 h, 9 attendues. Pas encore clôturé." in said
    assert "22:00 (score 41) : 19 mentions nuisibles en 1 h Pas d’alerte : un seul passage au-dessus du seuil" in said
    assert "Aucun planning d’astreinte" in said


def test_the_shift_that_changes_during_the_day_is_told() -> None:
    monday = datetime(2026, 3, 9, 6, 30, tzinfo=UTC)
    made = digest(night(until=monday), DIRECTORY, ("evenings",), zone=PARIS, language="en")
    assert made.lines[-1] == "On call today (evenings): 07:30–09:00 Léa, 09:00–07:30 Sam."
