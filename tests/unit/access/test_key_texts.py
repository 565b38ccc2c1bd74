"""Keys, tokens and what is kept of them."""

from __future__ import annotations

import pytest

from tocsin.access.principals import Principal, Scope
from tocsin.access.secrets import KeyText, fingerprint, form_token, new_token, same


def test_a_key_is_read_back_as_it_was_written() -> None:
    key = KeyText.generate()
    assert KeyText.parse(f"  {key}\n") == key


def test_two_keys_share_neither_prefix_nor_secret() -> None:
    one, other = KeyText.generate(), KeyText.generate()
    assert one.prefix != other.prefix
    assert one.secret != other.secret


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tocsin_",
        "tocsin_abcdefgh_short",
        "TOCSIN_abcdefgh_" + "0" * 64,
        "x" * 100_000,
        "tocsin_abcdefgh_" + "g" * 64,
    ],
)
def test_what_has_not_the_form_of_a_key_is_none(text: str) -> None:
    assert KeyText.parse(text) is None


def test_the_secret_of_a_key_is_not_in_its_representation() -> None:
    key = KeyText.generate()
    assert key.secret not in repr(key)


def test_a_fingerprint_says_nothing_of_its_secret_and_is_the_same_each_time() -> None:
    assert fingerprint("secret") == fingerprint("secret") != fingerprint("Secret")
    assert "secret" not in fingerprint("secret")


def test_text_that_is_no_valid_unicode_is_compared_and_hashed_without_an_error() -> None:
    assert not same("\ud800", fingerprint("\ud800"))


def test_form_tokens_belong_to_one_session() -> None:
    one, other = new_token(), new_token()
    assert form_token(one) == form_token(one) != form_token(other)


@pytest.mark.parametrize(
    ("given", "asked", "may"),
    [
        ({Scope.READ}, Scope.READ, True),
        ({Scope.READ}, Scope.ACT, False),
        ({Scope.ACT}, Scope.READ, False),
        ({Scope.SEND}, Scope.READ, False),
        ({Scope.ADMIN}, Scope.SEND, True),
        (set(), Scope.READ, False),
    ],
)
def test_a_scope_gives_itself_and_admin_gives_all(given: set[Scope], asked: Scope, may: bool) -> None:
    assert Principal("key:x", frozenset(given)).may(asked) is may


def test_without_a_limit_every_brand_is_seen_and_with_one_only_those() -> None:
    assert Principal("key:x", frozenset()).sees("acme")
    limited = Principal("key:x", frozenset(), frozenset({"acme"}))
    assert limited.sees("acme")
    assert not limited.sees("globex")
