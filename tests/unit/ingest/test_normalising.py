"""Whatever comes in becomes a mention, or is refused with the field and how to mend it; nothing crashes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.languages import LanguageDetector
from services.ingest.normalising import Normaliser, RejectedMention
from tocsin.contracts.codec import decode, encode_mention
from tocsin.contracts.events import AuthorRole, Mention

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def no_language(text: str) -> str | None:
    return None


NORMALISER = Normaliser(no_language)


def raw(**fields: Any) -> dict[str, Any]:
    return {
        "source": "forum",
        "native_id": "1",
        "text": "It leaks.",
        "published_at": "2026-03-01T12:00:00+01:00",
        **fields,
    }


def normalise(given_fields: object, **options: Any) -> Mention:
    return NORMALISER.normalise(given_fields, now=NOW, **options)


def refused(given_fields: object, **options: Any) -> dict[str, str]:
    with pytest.raises(RejectedMention) as caught:
        normalise(given_fields, **options)
    return {finding.field: finding.reason for finding in caught.value.findings}


def test_a_plain_mention_comes_through_in_utc() -> None:
    mention = normalise(raw(author={"id": "a", "followers": 3}, brands=["veloria"], unheard_of={"x": 1}))
    assert mention.published_at == datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
    assert mention.text == "It leaks."
    assert mention.author.followers == 3
    assert mention.brands == ("veloria",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  two   spaces\tand a tab ", "two spaces and a tab"),
        ("line\r\nline\rline\u2028line", "line\nline\nline\nline"),
        ("many\n\n\n\n\nempty lines", "many\n\nempty lines"),
        ("a\x00b\x1b[31mred\x07", "ab[31mred"),
        ("half a pair \ud83d here", "half a pair \ufffd here"),
        ("cafe\u0301", "café"),
        ("a < b && c > d &amp; e", "a < b && c > d &amp; e"),
        ("שלום \u202eabc", "שלום \u202eabc"),
        ("👩\u200d🔬", "👩\u200d🔬"),
    ],
)
def test_text_is_cleaned(text: str, expected: str) -> None:
    assert normalise(raw(text=text)).text == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>It <b>leaks</b>.</p><p>Again.</p>", "It leaks.\nAgain."),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<script>steal()</script>fine<style>p{}</style>", "fine"),
        ("Tom &amp; Jerry &eacute;t&#233; &lt;b&gt;", "Tom & Jerry été <b>"),
        ('<a href="https://x.test/a?b=1&amp;c=2" onclick="x()">link</a>', "link"),
        ("<img src=x onerror=alert(1)>seen", "seen"),
        ("unclosed <p>tag <b", "unclosed tag"),
        ("a\ud800<i>b</i>", "a\ufffdb"),
    ],
)
def test_markup_is_taken_out_where_the_source_delivers_it(markup: str, expected: str) -> None:
    assert normalise(raw(text=markup), markup=True).text == expected


def test_control_characters_and_lone_surrogates_are_nowhere() -> None:
    mention = normalise(
        raw(native_id="a\x00b\ud800", author={"name": "Eve\x1b\n\udfff", "id": 7}, url="https://x.test/\x00")
    )
    assert mention.native_id == "ab\ufffd"
    assert mention.author.name == "Eve \ufffd"
    assert mention.author.id == "7"
    mention.model_dump_json().encode()


@pytest.mark.parametrize(
    "said",
    [
        {"text": "", "rating": {"value": 1, "best": 5}},
        {"text": None, "media": [{"kind": "image", "url": "https://x.test/1.jpg"}]},
        {"text": "🙄"},
    ],
)
def test_a_rating_a_picture_or_an_emoji_is_enough(said: dict[str, Any]) -> None:
    assert normalise(raw(**said)).id == normalise(raw()).id


@pytest.mark.parametrize(
    "silence",
    [
        {"text": ""},
        {"text": None},
        {"text": " \n\t"},
        {"text": "\u200b\u202e"},
        {"text": "\x00"},
        {"text": "", "rating": {"best": 5}},
        {"text": "", "media": [{}]},
    ],
)
def test_a_mention_that_says_nothing_is_refused(silence: dict[str, Any]) -> None:
    assert "neither a rating nor media" in refused(raw(**silence))["text"]


@pytest.mark.parametrize("thing", [None, 3, "text", [], True])
def test_what_is_no_object_is_refused(thing: object) -> None:
    assert "JSON object" in refused(thing)[""]


def test_every_wrong_field_is_told_at_once() -> None:
    findings = refused({"text": 3, "author": "me", "rating": {"value": "five"}, "brands": "veloria"})
    assert set(findings) == {"text", "author", "brands", "published_at", "source", "native_id"}


@pytest.mark.parametrize(
    ("wrong", "field", "reason"),
    [
        ({"text": "x" * 1_000_001}, "text", "1,000,001 characters; at most 100,000"),
        ({"text": "x" * 100_001}, "text", "100,001 characters"),
        ({"published_at": "2026-03-01T12:00:00"}, "published_at", "has no offset"),
        ({"published_at": "2026-03-01"}, "published_at", "no date with a time"),
        ({"published_at": "yesterday"}, "published_at", "no date with a time"),
        ({"published_at": 1_772_366_400}, "published_at", "must be a string, not a number"),
        ({"published_at": None}, "published_at", "is required"),
        ({"published_at": ""}, "published_at", "is required"),
        ({"published_at": "2026-02-30T12:00:00Z"}, "published_at", "no date of the calendar"),
        ({"published_at": "0001-01-01T00:00:00+14:00"}, "published_at", "no date of the calendar"),
        ({"published_at": "9999-12-31T23:59:59-14:00"}, "published_at", "no date of the calendar"),
        ({"published_at": "1969-12-31T23:59:59Z"}, "published_at", "before 1970"),
        ({"published_at": "2026-03-01T12:10:01Z"}, "published_at", "10 minutes in the future"),
        ({"published_at": "2027-03-01T12:00:00Z"}, "published_at", "365 days in the future"),
        ({"received_at": "2026-03-01T10:00:00Z"}, "published_at", "60 minutes in the future"),
        ({"received_at": "2026-03-05T10:00:00Z"}, "received_at", "days in the future"),
        ({"received_at": "soon"}, "received_at", "no date"),
        ({"source": ""}, "source", "is required"),
        ({"source": "s" * 101}, "source", "at most 100"),
        ({"native_id": None}, "native_id", "is required"),
        ({"native_id": "n" * 1001}, "native_id", "at most 1000"),
        ({"native_id": {"a": 1}}, "native_id", "not an object"),
        ({"url": "u" * 4001}, "url", "4,001 characters"),
        ({"source_kind": "rumour"}, "source_kind", "'social', 'press'"),
        ({"author": {"role": "king"}}, "author.role", "'public'"),
        ({"author": {"followers": -1}}, "author.followers", "greater than or equal to 0"),
        ({"author": {"followers": 10**30}}, "author.followers", "larger than any count"),
        ({"author": {"followers": "9" * 30}}, "author.followers", "larger than any count"),
        ({"engagement": {"likes": 1.5}}, "engagement.likes", "fractional"),
        ({"engagement": {"observed_at": "2026-03-01T12:00:00"}}, "engagement.observed_at", "has no offset"),
        ({"rating": {"value": float("nan")}}, "rating.value", "no finite number"),
        ({"rating": {"value": "inf"}}, "rating.value", "no finite number"),
        ({"rating": {"value": float("inf")}}, "rating.value", "no finite number"),
        ({"revision": 2**63}, "revision", "larger than any"),
        ({"revision": -1}, "revision", "0 or more"),
        ({"revision": True}, "revision", "not true or false"),
        ({"brands": ["b" * 101]}, "brands[0]", "at most 100 characters"),
        ({"brands": ["fine", 7]}, "brands[1]", "a brand's id"),
        ({"brands": ["b"] * 101}, "brands", "101 items"),
        ({"media": [{"url": "x"}, "picture"]}, "media[1]", "must be an object"),
        ({"sentiment": "furious"}, "sentiment", "'negative'"),
    ],
)
def test_bad_input_is_refused_with_its_field_and_how_to_mend_it(wrong: dict[str, Any], field: str, reason: str) -> None:
    findings = refused(raw(**wrong))
    assert list(findings) == [field]
    assert reason in findings[field]


def test_no_reason_repeats_what_somebody_wrote() -> None:
    private = "a private word"
    findings = refused(raw(text=private * 10_000, source_kind=private, author={"role": private}, published_at=private))
    assert len(findings) == 2
    assert not any(private in reason for reason in findings.values())


def test_a_clock_that_is_a_little_ahead_is_believed() -> None:
    assert normalise(raw(published_at="2026-03-01T12:09:59Z")).published_at == NOW + timedelta(minutes=9, seconds=59)


def test_receipt_is_now_when_it_comes_in_live_and_believed_in_files() -> None:
    said = raw(received_at="2026-03-01T11:30:00Z")
    assert normalise(said, received_at=NOW).received_at == NOW
    assert normalise(said).received_at == datetime(2026, 3, 1, 11, 30, tzinfo=UTC)
    assert normalise(raw()).received_at == datetime(2026, 3, 1, 11, 0, tzinfo=UTC)


def test_engagement_without_a_time_was_observed_when_it_came_in() -> None:
    mention = normalise(raw(engagement={"likes": 3}), received_at=NOW)
    assert mention.engagement is not None
    assert mention.engagement.observed_at == NOW


@pytest.mark.parametrize(
    ("given_language", "expected"),
    [
        ("fr", "fr"),
        ("FR_be", "fr-be"),
        ("pt-BR", "pt-BR"),
        ("und", "detected"),
        ("??", "detected"),
        ("", "detected"),
        (3, "detected"),
    ],
)
def test_a_readable_language_is_believed_and_another_detected(given_language: Any, expected: str) -> None:
    detecting = Normaliser(lambda text: "detected")
    assert detecting.normalise(raw(language=given_language), now=NOW).language == expected


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Le service client ne répond plus depuis hier, c'est une honte", "fr"),
        ("The new shoes fell apart after two days, never again", "en"),
        ("Die neuen Schuhe sind nach zwei Tagen kaputt gegangen", "de"),
        ("Los zapatos nuevos se rompieron a los dos días, qué vergüenza", "es"),
        ("Le scarpe nuove si sono rotte dopo due giorni, che vergogna", "it"),
        ("Os sapatos novos estragaram depois de dois dias, não comprem", "pt"),
        ("الحذاء الجديد تمزق بعد يومين فقط", "ar"),
        ("नए जूते दो दिन में ही टूट गए", "hi"),
        ("Новые ботинки порвались через два дня", None),
        ("😡😡😡", None),
        ("@veloria #fail https://x.test/abcdef", None),
        ("ok", None),
    ],
)
def test_languages_are_told_apart_or_left_open(text: str, language: str | None) -> None:
    assert DETECTOR(text) == language


DETECTOR = LanguageDetector()

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Mn"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(Mention.model_fields)), JSON), st.booleans())
def test_nothing_that_json_can_say_crashes(fields: dict[str, Any], markup: bool) -> None:
    try:
        mention = normalise(raw() | fields, markup=markup)
    except RejectedMention:
        return
    encoded = encode_mention(mention, updated=False, source="test", at=NOW)
    assert decode(encoded.value, encoded.headers).event == mention


@given(st.text(), st.booleans())
def test_cleaning_any_text_twice_changes_nothing_more(text: str, markup: bool) -> None:
    try:
        once = normalise(raw(text=text, rating={"value": 1}), markup=markup).text
    except RejectedMention:
        return
    json.dumps(once).encode()
    assert normalise(raw(text=once, rating={"value": 1})).text == once


def test_own_posts_keep_their_role() -> None:
    assert normalise(raw(author={"role": "own"})).author.role is AuthorRole.OWN
