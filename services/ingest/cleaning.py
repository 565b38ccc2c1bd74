"""Text as it may be kept: no markup, no characters that databases and terminals choke on, one way to write each letter."""

from __future__ import annotations

import html
import re
import unicodedata

import nh3

_SURROGATES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85]")
_BLOCK_ENDS = re.compile(
    r"<(?:br|hr)\b[^>]{0,200}>|</(?:p|div|li|tr|h[1-6]|blockquote|article|section|ul|ol|table)\s*>", re.I
)
_SPACES = re.compile(r"[^\S\n]+")
_AROUND_LINE_ENDS = re.compile(r" ?\n ?")
_MANY_LINE_ENDS = re.compile(r"\n{3,}")
_NOTHING_TO_SEE = re.compile(r"[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*")
_ALL_SPACES = re.compile(r"\s+")


def clean_text(text: str, *, markup: bool = False) -> str:
    """A mention's text: lone surrogates become U+FFFD, control characters go, NFC, single spaces, at most one empty line.

    Empty where there is nothing to see, only invisible characters. With `markup`, HTML is taken out: scripts and styles with
    what they hold, other tags without; entities become characters.
    """
    text = _SURROGATES.sub("\ufffd", text)
    if markup:
        text = strip_markup(text)
    text = _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))
    text = unicodedata.normalize("NFC", text)
    text = _AROUND_LINE_ENDS.sub("\n", _SPACES.sub(" ", text))
    text = _MANY_LINE_ENDS.sub("\n\n", text).strip()
    return "" if _NOTHING_TO_SEE.fullmatch(text) else text


def clean_line(text: str) -> str:
    """A short field (an id, a name, an address): on one line, without control characters; otherwise as its source wrote it."""
    text = _SURROGATES.sub("\ufffd", text)
    return _ALL_SPACES.sub(" ", _CONTROLS.sub("", _LINE_ENDS.sub(" ", text))).strip()


def strip_markup(text: str) -> str:
    """HTML as plain text; the ends of blocks become ends of lines."""
    # Unescaped only after the tags are gone: `&lt;b&gt;` is what somebody wrote, not a tag.
    return html.unescape(nh3.clean(_BLOCK_ENDS.sub("\n", text), tags=set()))
