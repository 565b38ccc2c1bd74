"""What people read: complete, in their language, on their clock, and harmless whatever a mention says."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alert.protocol.commands import Acknowledge, Resolve, StepDue
from services.alert.protocol.decide import decide
from services.alert.protocol.messages import LONGEST_QUOTE, compose, harmless
from tests.team import DIRECTORY, START, opening
from tocsin.contracts.decisions import Language, Notification
from tocsin.contracts.incidents import Incident, Level, Verdict
from tocsin.contracts.settings.room import PlaybookSettings

MINUTE = timedelta(minutes=1)


def second_page() -> tuple[Incident, Notification]:
    incident = decide(None, opening(), START, DIRECTORY).incident
    decision = decide(incident, StepDue(), START + 5 * MINUTE, DIRECTORY)
    return decision.incident, decision.notifications[0]


def test_a_page_says_level_brand_reason_completeness_who_was_called_who_is_next_and_where() -> None:
    incident, page = second_page()
    message = compose(page)
    assert message.subject == "[ORANGE] Lunéa: alarm, please respond"
    assert message.body.split("\n") == [
        "38 hostile mentions in 3 h, 9 expected.",
        "Called: Léa (21:00 GMT), wall (21:00 GMT) and Sam (21:05 GMT).",
        "Without an answer, next: Léa and wall at 21:15 GMT.",
        "Data complete up to 21:00 GMT.",
        f"See it and take it in hand: https://tocsin.example/incidents/{incident.id}",
    ]


def test_a_french_recipient_reads_french_on_her_own_clock() -> None:
    page = decide(None, opening(), START, DIRECTORY).notifications[0]
    message = compose(page)
    assert message.subject == "[ORANGE] Lunéa : alerte, votre réponse est attendue"
    assert "38 mentions hostiles en 3 h, 9 attendues." in message.body
    assert "Données complètes jusqu'à 22:00 CET." in message.body
    assert "Sans réponse, ce sera Sam à 22:05 CET." in message.body


def test_a_stream_that_is_behind_is_told_as_incomplete() -> None:
    _, page = second_page()
    late = page.content.model_copy(update={"complete_up_to": START - 60 * MINUTE})
    assert "Beware: data complete only up to 20:00 GMT" in compose(page.model_copy(update={"content": late})).body


def test_the_fallback_knows_that_it_is_the_last_and_that_nobody_follows() -> None:
    incident = decide(None, opening(), START, DIRECTORY).incident
    while incident.timers:
        decision = decide(incident, StepDue(), incident.timers[0].due_at, DIRECTORY)
        incident = decision.incident
    body = compose(decision.notifications[0]).body
    assert "Vous êtes le dernier recours" in body
    assert "Personne d'autre ne sera appelé." in body


def test_state_messages_say_who_did_it_and_until_when_it_holds() -> None:
    incident, _ = second_page()
    held = decide(incident, Acknowledge("person:sam"), START + 6 * MINUTE, DIRECTORY)
    message = compose(held.notifications[0])
    assert message.subject == "[ORANGE] Lunéa : pris en charge par Sam"
    assert "Sans nouvelles d'ici 22:36 CET, les appels reprendront." in message.body
    resolved = decide(held.incident, Resolve("key:ab12", verdict=Verdict.BUZZ), START + 7 * MINUTE, DIRECTORY)
    assert "clos par la clé ab12" in compose(resolved.notifications[0]).subject
    assert "Verdict : buzz." in compose(resolved.notifications[0]).body


def test_whoever_belongs_to_no_person_is_named_in_words_and_the_page_is_only_looked_at() -> None:
    incident, _ = second_page()
    held = decide(incident, Acknowledge("channel:teams"), START + 6 * MINUTE, DIRECTORY)
    by_language = {notification.language: compose(notification) for notification in held.notifications}
    assert by_language["fr"].subject == "[ORANGE] Lunéa : pris en charge par quelqu'un sur teams"
    over = decide(held.incident, Resolve("pagerduty:Ada"), START + 7 * MINUTE, DIRECTORY)
    assert "clos par Ada (PagerDuty)" in compose(over.notifications[0]).subject
    assert "\nVoir : " in by_language["fr"].body


def test_a_page_of_which_nobody_knows_up_to_when_the_data_is_complete_says_so() -> None:
    _, page = second_page()
    unknown = page.model_copy(update={"content": page.content.model_copy(update={"complete_up_to": None})})
    assert "It is not known up to when the data is complete." in compose(unknown).lines


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("\x1b[2J\x1b[31mred\x07", "(2J(31mred"),
        ("one\r\ntwo\u2028three", "one two three"),
        ("\u202egnp.exe\u202c", "gnp․exe"),
        ("<script>alert(1)</script>", "‹script›alert(1)‹/script›"),
        ("<!here> *now* `x` ~y~ <https://evil.example|click>", "‹!here› ∗now∗ 'x' ∼y∼ ‹(…)›"),
        ("see https://evil.example/x now", "see (…) now"),
        ("see [this](https://evil.example/x) now, (https://evil.example/a_(b)).", "see (this)((…)) now, ((…))."),
        ("see https://evil.example/) https://evil.example", "see (…)) (…)"),
        ("see www.evil.example now", "see (…) now"),
        ("see evil.example/login", "see evil․example/login"),
        ("javascript:alert(1)", "(…)"),
        ("@everyone hello", "＠everyone hello"),
        ("[link](x)", "(link)(x)"),
        ("_now_ and __then__ by aisha_6471", "now and then by aisha_6471"),
        ("9.5 of 10, was 3.2", "9.5 of 10, was 3.2"),
        ("नमस्ते क्\u200dष", "नमस्ते क्\u200dष"),
    ],
)
def test_words_of_others_do_nothing(hostile: str, safe: str) -> None:
    assert harmless(hostile) == safe


@given(st.text(max_size=1000))
def test_any_text_becomes_one_short_line_without_control_characters(text: str) -> None:
    line = harmless(text)
    assert len(line) <= LONGEST_QUOTE
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in line)
    assert "://" not in line
    assert not set(line) & set("<>`*[]")


@given(st.text(max_size=300), st.text(max_size=100))
def test_no_reason_and_no_brand_can_add_a_line_to_a_message(reason: str, brand: str) -> None:
    _, page = second_page()
    lines = len(compose(page).text.split("\n"))
    content = page.content.model_copy(update={"reasons": {"en": reason}, "brand_name": brand})
    assert len(compose(page.model_copy(update={"content": content})).text.splitlines()) == lines


PLAYBOOK = PlaybookSettings.model_validate(
    {
        "id": "any",
        "name": {"en": "Any crisis"},
        "orange": {
            "steps": [
                {"id": "brief", "title": {"en": "Brief customer service"}, "role": "lead", "due": "10 min"},
                {"id": "freeze", "title": {"en": "Freeze posts", "fr": "Suspendre"}, "role": "lead", "due": "5 min"},
            ]
        },
        "red": {"steps": [{"id": "board", "title": {"en": "Gather the team"}, "role": "lead", "due": "2 min"}]},
        "approvals": {"orange": ["lead"], "red": ["lead", "spokesperson"]},
        "updates_by": "lead",
    }
)


def test_a_page_says_what_the_playbook_asks_for_first_at_its_level() -> None:
    directory = replace(DIRECTORY, playbooks=[PLAYBOOK])
    orange = decide(None, opening(), START, directory).notifications[0]
    red = decide(None, opening(level=Level.RED), START, directory).notifications[0]
    assert "À faire d'abord : Suspendre" in compose(orange).body
    assert red.content.first_step == {"en": "Gather the team"}


def test_a_text_message_stays_within_its_length_with_a_long_first_step() -> None:
    page = second_page()[1]
    content = page.content.model_copy(update={"first_step": {"en": "Do this at once " * 20}})
    assert len(compose(page.model_copy(update={"content": content})).text_message) <= 160


STORY = {
    "fr": "38 mentions nuisibles en 1 h, 3 attendues à cette heure ; sujet principal : « Du verre dans les pots » (31 auteurs).",
    "en": "38 harmful mentions in 1 h, 3 expected at this hour; main story: “Glass in the jars” (31 authors).",
}
LINK = "https://tocsin.lunea.example/a/abcdefghijklmnopqrstuv"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "fr",
            '[ORANGE] Lunéa : 38 mentions nuisibles en 1 h, 3 attendues ; "Du verre dans les pots"... Répondre : '
            + LINK,
        ),
        (
            "en",
            '[ORANGE] Lunéa: 38 harmful mentions in 1 h, 3 expected; "Glass in the jars" (31 authors). Answer: ' + LINK,
        ),
    ],
)
def test_a_text_message_says_how_bad_why_and_where_to_answer(language: Language, said: str) -> None:
    page = second_page()[1]
    content = page.content.model_copy(update={"reasons": STORY})
    message = compose(page.model_copy(update={"content": content, "language": language}), LINK)
    assert message.text_message == said
    assert len(said) <= 160


def test_how_to_take_it_in_hand_stands_right_behind_why() -> None:
    body = compose(second_page()[1], LINK).body.split("\n")
    assert body[1] == f"Take it in hand: {LINK}"
    late = second_page()[1]
    content = late.content.model_copy(update={"complete_up_to": START - 60 * MINUTE, "exercise": True})
    lines = compose(late.model_copy(update={"content": content}), LINK).body.split("\n")
    assert [line.partition(":")[0] for line in lines[:4]] == [
        "This is an exercise",
        "38 hostile mentions in 3 h, 9 expected.",
        "Take it in hand",
        "Beware",
    ]


def test_a_call_says_what_somebody_takes_in_who_was_asleep() -> None:
    page = second_page()[1]
    content = page.content.model_copy(update={"first_step": {"en": "Freeze posts"}})
    assert compose(page.model_copy(update={"content": content}), LINK).spoken == (
        "Tocsin. Alarm, level orange, for Lunéa. 38 hostile mentions in 3 h, 9 expected. Do first: Freeze posts. "
        "Without an answer, next: Léa and wall at 21:15."
    )


def test_a_call_ends_each_sentence_and_says_first_that_it_is_an_exercise() -> None:
    _, page = second_page()
    content = page.content.model_copy(update={"reasons": {"en": "A journalist calls"}, "exercise": True})
    spoken = compose(page.model_copy(update={"content": content}), LINK).spoken
    assert spoken.startswith("Exercise. Tocsin. Alarm, level orange, for Lunéa. This is an exercise")
    assert "A journalist calls. Without an answer" in spoken
