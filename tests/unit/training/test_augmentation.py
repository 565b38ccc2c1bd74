"""Other ways to write a text: what they change, and what they leave."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import augmentation
from models.data import Example

CHANCE = np.random.default_rng(0)


@given(st.text(min_size=1, max_size=60), st.integers(0, 1000))
def test_a_disguised_text_is_never_empty(text: str, seed: int) -> None:
    example = Example(text, "en", "semeval", "sentiment")
    assert augmentation.disguise(example, np.random.default_rng(seed))


@given(st.text(max_size=60))
def test_a_shout_keeps_the_masks_of_handles_and_links(text: str) -> None:
    loud = augmentation.shout(f"@user {text} http", CHANCE)
    assert loud.startswith("@user ")
    assert loud.endswith(" http")


def test_accents_go_and_other_scripts_stay() -> None:
    assert augmentation.without_accents("Brélio déçu, ça suffit", CHANCE) == "Brelio decu, ca suffit"
    assert augmentation.without_accents("سيئ جدا", CHANCE) == "سيئ جدا"
    assert augmentation.without_accents("बहुत अच्छा", CHANCE) == "बहुत अच्छा"


@pytest.mark.parametrize("text", ["so good", "honteux"])
def test_a_stretched_word_says_the_same_longer(text: str) -> None:
    stretched = augmentation.stretched(text, np.random.default_rng(1))
    assert len(stretched) > len(text)
    assert set(stretched) == set(text)


def test_pictures_stay_where_nothing_else_is_said() -> None:
    assert augmentation.without_pictures("🙄🙄", CHANCE) == "🙄🙄"
    assert augmentation.without_pictures("late again 🙄", CHANCE) == "late again"


def test_a_text_with_marks_around_it_is_undressed_and_a_bare_one_dressed() -> None:
    chance = np.random.default_rng(1)
    assert augmentation.dressed("@user my parcel is lost http #brelio", chance) == "my parcel is lost"
    for _ in range(20):
        text = augmentation.dressed("my parcel is lost", chance)
        assert text != "my parcel is lost"
        assert " ".join(re.sub(r"@user|http|#\w+", "", text).split()) == "my parcel is lost"


def test_a_text_of_marks_alone_stays_as_it_is() -> None:
    assert augmentation.dressed("@user http", np.random.default_rng(1)) == "@user http"
