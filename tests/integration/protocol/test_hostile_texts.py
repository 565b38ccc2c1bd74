"""What texts cannot do in any channel: add markup, a link, a header, a verb or a length."""

from __future__ import annotations

import json
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.alert.notify.mail import mail_message
from services.alert.notify.pagerduty import event
from services.alert.notify.slack import blocks
from services.alert.notify.teams import card
from services.alert.notify.twilio import twiml
from services.alert.notify.vonage import ncco
from services.alert.notify.webhook import webhook_body
from services.alert.protocol.text_messages import fits
from tests.channels import PUBLIC_URL, delivery, page

HOSTILE = st.one_of(
    st.text(max_size=300),
    st.lists(
        st.sampled_from(
            [
                "<script>alert(1)</script>",
                "</Say><Hangup/>",
                "&amp;&#60;",
                "<!channel>",
                "<https://evil.example|here>",
                "[here](https://evil.example)",
                "*bold* _it_ ~no~ `code`",
                "evil.example/pay",
                "ｅｖｉｌ．ｅｘａｍｐｌｅ",
                "evil.co1",
                "evil.æ",
                "1://evil",
                "https://evil.example",
                "\r\nBcc: all@lunea.example",
                '" onmouseover="x',
                "@everyone",
                "\x00\x1b[2J\u202e",
                "]]>",
            ]
        ),
        max_size=6,
    ).map(" ".join),
)
OURS = re.compile(rf"{re.escape(PUBLIC_URL)}/\S*|https://tocsin\.example/incidents/\S*")


class Structure(HTMLParser):
    """The tags of a page, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str | None] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.links.extend(value for name, value in attrs if name in ("href", "src"))


def hostile_delivery(text: str, name: str) -> Any:
    content = {
        "reasons": {"fr": text or "?"},
        "brand_name": name,
        "next_names": (name,),
        "first_step": {"fr": text or "?"},
    }
    return delivery(page(**content))


SAFE = delivery(page(next_names=("x",), first_step={"fr": "x"}))


@settings(max_examples=60)
@given(text=HOSTILE, name=HOSTILE)
def test_no_text_adds_markup_a_link_or_a_header_to_mail(text: str, name: str) -> None:
    def structure_of(given: Any) -> tuple[list[Any], list[Any], list[str]]:
        message = message_from_bytes(
            mail_message(given, sender="bell@tocsin.example", recipient="lea@lunea.example").as_bytes(),
            policy=policy.default,
        )
        assert isinstance(message, EmailMessage)
        html = message.get_body(("html",))
        plain = message.get_body(("plain",))
        assert html is not None
        assert plain is not None
        assert "://" not in OURS.sub("", plain.get_content())
        parsed = Structure(html.get_content())
        return parsed.tags, parsed.links, message.keys()

    assert structure_of(hostile_delivery(text, name)) == structure_of(SAFE)


@settings(max_examples=60)
@given(text=HOSTILE, name=HOSTILE)
def test_no_text_adds_a_verb_to_a_call(text: str, name: str) -> None:
    given_delivery = hostile_delivery(text, name)
    document = ElementTree.fromstring(twiml(given_delivery, "https://tocsin.example/key?a=1&b=2"))
    assert [part.tag for part in document.iter()] == ["Response", "Gather", "Say", "Gather", "Say", "Say"]
    actions = ncco(given_delivery, "https://tocsin.example/key")
    assert [action["action"] for action in actions] == ["talk", "input"]
    assert not set(actions[0]["text"]) & set("<>")


@settings(max_examples=60)
@given(text=HOSTILE, name=HOSTILE)
def test_no_text_is_read_as_markup_by_slack_teams_or_pagerduty(text: str, name: str) -> None:
    given_delivery = hostile_delivery(text, name)
    said = blocks(given_delivery)
    assert not set("<>") & set(said["text"])
    assert [block["type"] for block in said["blocks"]] == ["header", "section", "actions"]
    assert {block["text"]["type"] for block in said["blocks"][:2]} == {"plain_text"}
    content = card(given_delivery)["attachments"][0]["content"]
    assert {block["type"] for block in content["body"]} == {"RichTextBlock"}
    assert all(OURS.fullmatch(action["url"]) for action in content["actions"])
    assert len(content["body"]) == len(card(SAFE)["attachments"][0]["content"]["body"])
    told = event(given_delivery)
    assert "\n" not in told["payload"]["summary"]
    for words in (said["text"], told["payload"]["summary"], told["payload"]["custom_details"]["text"]):
        assert "://" not in words


@settings(max_examples=60)
@given(text=HOSTILE, name=HOSTILE)
def test_no_part_of_a_webhook_has_markup_or_a_link_of_anybody_else(text: str, name: str) -> None:
    def words_in(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [word for item in value.values() for word in words_in(item)]
        if isinstance(value, list):
            return [word for item in value for word in words_in(item)]
        return [value] if isinstance(value, str) else []

    for word in words_in(json.loads(webhook_body(hostile_delivery(text, name)))):
        assert "://" not in OURS.sub("", word)
        assert not set(word) & set("<>`*[]\x1b\u202e") or word.startswith("[ORANGE]"), word


@settings(max_examples=150)
@given(text=HOSTILE, name=HOSTILE)
@example(text="0.AA0", name="x")  # a word behind the dot that goes on with a figure
@example(text="a.bc_d", name="x.yz_")
@example(text="a.œ", name="x.þ")  # one letter here, two in the alphabet of text messages
def test_no_text_makes_an_sms_longer_or_gives_it_another_link(text: str, name: str) -> None:
    message = hostile_delivery(text, name).message.text_message
    assert fits(message)
    assert message.endswith(f" {PUBLIC_URL}/a/a-token-of-22-letters")
    rest = message.removesuffix(f"{PUBLIC_URL}/a/a-token-of-22-letters")
    assert "://" not in rest
    assert not re.search(r"\w\.[a-z]{2,}", rest, re.IGNORECASE)
    assert "\n" not in message
