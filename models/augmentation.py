"""Other ways to write the same thing, so that the network learns not to care: case, accents, spacing, stretched words, typos.

Each changes how a text looks and leaves what it says; labels stay.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from models.data import Example

_VOWEL = re.compile(r"[aeiouAEIOU](?=\w*\b)")
_STOP = re.compile(r"\s*([.!?,])\s*")
_PICTURE = re.compile("[\u2600-\u27bf\U0001f300-\U0001faff]")
_MARK = re.compile(r"[\u0300-\u036f]")


def lower(text: str, _: np.random.Generator) -> str:
    """All in small letters."""
    return text.lower()


def shout(text: str, _: np.random.Generator) -> str:
    """All in capitals, but for the masks of handles and links."""
    return text.upper().replace("@USER", "@user").replace("HTTP", "http")


def without_accents(text: str, _: np.random.Generator) -> str:
    """Latin letters without their accents, as typed in a hurry; other scripts stay as they are."""
    return unicodedata.normalize("NFC", _MARK.sub("", unicodedata.normalize("NFD", text)))


def spaced(text: str, _: np.random.Generator) -> str:
    """Small letters with blanks around each stop, as the English half of UMSAB's Hindi is written."""
    return _STOP.sub(r" \1 ", text.lower()).strip()


def stretched(text: str, random: np.random.Generator) -> str:
    """One vowel drawn out: so goooood."""
    places = [found.start() for found in _VOWEL.finditer(text)]
    if not places:
        return text
    place = places[random.integers(len(places))]
    return text[:place] + text[place] * int(random.integers(3, 6)) + text[place + 1 :]


def without_handles(text: str, _: np.random.Generator) -> str:
    """Nobody addressed."""
    return re.sub(r"@user\s*", "", text) or text


def without_hashes(text: str, _: np.random.Generator) -> str:
    """Hashtags as plain words."""
    return text.replace("#", "")


def without_pictures(text: str, _: np.random.Generator) -> str:
    """Words alone, where there are words."""
    bare = _PICTURE.sub("", text).strip()
    return bare if re.search(r"\w{3}", bare) else text


def mistyped(text: str, random: np.random.Generator) -> str:
    """Two neighbouring letters swapped, or one left out."""
    if len(text) < 8:
        return text
    place = int(random.integers(1, len(text) - 2))
    pair = text[place : place + 2]
    if not pair.isalpha():
        return text
    return text[:place] + (pair[::-1] if random.random() < 0.5 else pair[1]) + text[place + 2 :]


WAYS = (
    (lower, 0.12),
    (shout, 0.03),
    (without_accents, 0.08),
    (spaced, 0.05),
    (stretched, 0.08),
    (without_handles, 0.10),
    (without_hashes, 0.05),
    (without_pictures, 0.05),
    (mistyped, 0.15),
)
"""Each with how often it is applied; they add up."""

SPACED_ENGLISH = 0.3
"""How often SemEval's English is written as UMSAB's Hindi writes English."""


def disguise(example: Example, random: np.random.Generator) -> str:
    """The example's text, changed in none, one or several of `WAYS`."""
    text = example.text
    if example.source == "semeval" and random.random() < SPACED_ENGLISH:
        text = spaced(text, random)
    for way, often in WAYS:
        if random.random() < often:
            text = way(text, random)
    return text or example.text


_WORN = re.compile(r"@user|\bhttp\b|#\w+")


def dressed(text: str, random: np.random.Generator) -> str:
    """A prepared text with what people put around one, a handle, a link or hashtags; where it has any of these, without them.

    Sets of complaints are tweets to a handle and sets of calm texts are not: a head that may learn such a mark will, and then a link
    makes a mention a risk.
    """
    if _WORN.search(text):
        bare = " ".join(_WORN.sub(" ", text).split())
        return bare or text
    before = "@user " if random.random() < 0.5 else ""
    after = "".join(
        part for part, share in ((" http", 0.5), (" #brand", 0.3), (" #news2026", 0.3)) if random.random() < share
    )
    return f"{before}{text}{after}" if before or after else f"{text} http"
