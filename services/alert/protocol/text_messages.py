"""Text messages (SMS): what fits into one, counted as the telephone network counts it.

GSM 03.38 packs 160 characters of its own alphabet into one message; `€`, brackets and a few more count twice. One character
outside that alphabet makes the whole message UCS-2, of which 70 units fit into one and 134 into two. So what has a likeness
in the alphabet (`ê`, `’`, `…`) is written with it, and only names in another script cost room.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LONGEST = 160
"""Units of the GSM alphabet in one message."""
LONGEST_UCS2 = 134
"""UTF-16 units in a message of two parts, where the text cannot do without another script."""

_LONG_WORD = 16
"""Characters that are torn rather than given away where a text is cut."""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_TWICE = frozenset("^{}\\[~]|€\f")
_AROUND_QUOTES = re.compile(r"(?<=«)\s|\s(?=»)")
"""The spaces that French puts inside its quotation marks."""
_OPEN_BRACKET = re.compile(r"\s*\([^)]*$")
_LIKENESS = {
    **dict.fromkeys("’‘‛′´`", "'"),
    **dict.fromkeys("“”„«»″", '"'),
    **dict.fromkeys("–—‑‒−", "-"),
    **dict.fromkeys("‹∖", "("),
    "›": ")",
    "…": "...",
    "œ": "oe",
    "Œ": "OE",
    "·": "-",
    "•": "-",
    "∗": "*",
    "∼": "-",
    "¦": "-",
    "․": ". ",  # the dot that makes no link: a space after it does the same
    "＠": "(at)",
    "ð": "d",
    "þ": "th",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
}


def fits_alphabet(text: str) -> bool:
    """True where every character is in the GSM alphabet."""
    return all(character in _BASIC or character in _TWICE for character in text)


def units(text: str) -> int:
    """The length as it is counted: septets in the GSM alphabet, else UTF-16 units."""
    if fits_alphabet(text):
        return sum(2 if character in _TWICE else 1 for character in text)
    return len(text.encode("utf-16-be")) // 2


def parts(text: str) -> int:
    """How many messages the network makes of a text, and the provider counts."""
    one, further = (LONGEST, 153) if fits_alphabet(text) else (70, 67)
    length = units(text)
    return 1 if length <= one else -(-length // further)


def fits(text: str) -> bool:
    """True for a text that is short enough: 160 units of the GSM alphabet, or two parts of UCS-2."""
    return units(text) <= (LONGEST if fits_alphabet(text) else LONGEST_UCS2)


def spelt_out(text: str) -> str:
    """A text with the letters of the GSM alphabet, as far as they have a likeness there."""
    narrow = _AROUND_QUOTES.sub("", unicodedata.normalize("NFC", text))
    return "".join(_letter(character) for character in narrow)


def text_message(head: str, sentences: Sequence[str], tail: str) -> str:
    """One text message: `head`, as much of `sentences` as fits (the first may be cut short, the others go whole), `tail`.

    `tail` is a link and is never cut; where not even head and tail fit, the head is cut.
    """
    head, tail = spelt_out(head), tail.strip()
    said: list[str] = []
    for number, sentence in enumerate(map(spelt_out, sentences)):
        if fits(_joined(head, [*said, sentence], tail)):
            said.append(sentence)
        elif number == 0:
            said.extend(_cut(sentence, head, tail))
    message = _joined(head, said, tail)
    while head and not fits(message):
        head = head[:-1]
        message = _joined(head, said, tail)
    return message


def _cut(sentence: str, head: str, tail: str) -> list[str]:
    for length in range(len(sentence) - 1, 7, -1):
        if fits(_joined(head, [f"{sentence[:length]}..."], tail)):
            return [f"{_whole_words(sentence, length)}..."]
    return []


def _whole_words(sentence: str, length: int) -> str:
    """At most so many of a sentence's characters, without a torn word or bracket at the end, unless that is a long one."""
    cut = sentence[:length]
    whole = cut if sentence[length].isspace() else cut.rpartition(" ")[0]
    for shorter in (_OPEN_BRACKET.sub("", whole), whole):
        if len(shorter) > length - _LONG_WORD:
            return shorter.rstrip(" ,;:")
    return cut.rstrip()


def _joined(head: str, said: Sequence[str], tail: str) -> str:
    return " ".join(part for part in (head, *said, tail) if part)


def _letter(character: str) -> str:
    if character in _BASIC or character in _TWICE:
        return character
    if character in _LIKENESS:
        return _LIKENESS[character]
    if character.isspace():
        return " "
    bare = "".join(part for part in unicodedata.normalize("NFD", character) if not unicodedata.combining(part))
    return bare if bare and fits_alphabet(bare) else character
