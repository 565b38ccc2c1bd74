"""Second readings of texts that are not ours: a digest and a letter, and what a letter means to the target set's annotators."""

from pathlib import Path

import pytest

from models.readings import LETTERS, digest_of, meanings, read_letters, soft_readings, together


def letters(*texts: str, language: str = "fr", letter: str = "n") -> dict[int, tuple[str, str]]:
    return {digest_of(text): (language, letter) for text in texts}


def test_the_file_has_a_letter_a_text_in_seven_languages_and_holds_no_text() -> None:
    found = read_letters()
    assert len(found) > 20_000
    assert {"fr", "en", "es", "de", "it", "pt", "ar"} <= {language for language, _ in found.values()}
    assert {letter for _, letter in found.values()} == set(LETTERS)


@pytest.mark.parametrize("line", ["the train was late\tfr\tn", "17\tfr\tx", "17\tfr\tnn", "17\tfr"])
def test_a_line_that_is_none_is_named_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "readings.tsv"
    path.write_text(f"digest\tlanguage\tletter\n5\tfr\tu\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 3: wants a digest, a language and one letter"):
        read_letters(path)


def test_a_letter_means_what_the_annotators_of_its_language_said_of_texts_that_were_read_so() -> None:
    texts = [f"text {number}" for number in range(200)]
    known = letters(*texts[:100]) | letters(*texts[100:], language="de")
    judged = {digest_of(text): 1 for text in texts[:100]} | {digest_of(text): 0 for text in texts[100:]}
    meaning = meanings(known, judged)
    assert meaning("fr", "n").argmax() == 1
    assert meaning("de", "n").argmax() == 0
    assert meaning("fr", "n").sum() == pytest.approx(1.0)


def test_a_language_without_judged_texts_takes_the_meaning_of_all() -> None:
    texts = [f"text {number}" for number in range(50)]
    meaning = meanings(letters(*texts), {digest_of(text): 2 for text in texts})
    assert meaning("it", "n").argmax() == 2


def test_a_text_that_nobody_read_has_no_opinion() -> None:
    soft = soft_readings({"tard": 0}, letters("tard", "en retard"))
    assert soft("à l'heure") is None
    told = soft("en retard")
    assert told is not None
    assert told[0] == max(told)


def test_two_opinions_are_averaged_and_one_stands_alone() -> None:
    first = {"both": [1.0, 0.0, 0.0], "first": [0.0, 1.0, 0.0]}.get
    second = {"both": [0.0, 0.0, 1.0]}.get
    soft = together(first, second)
    assert soft is not None
    assert soft("both") == [0.5, 0.0, 0.5]
    assert soft("first") == [0.0, 1.0, 0.0]
    assert soft("neither") is None
    assert together(None, second) is second
