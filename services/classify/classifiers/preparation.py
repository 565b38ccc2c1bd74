"""What every text goes through before a tokenizer sees it, in training and in service alike."""

from __future__ import annotations

import html
import re

MAXIMUM_CHARACTERS = 2_000
"""Only so much of a text is read: many times what fits the network's maximum length, so that a text of 1 MB costs no
more than a long one."""

_LINK = re.compile(r"(?:https?://|\bwww\.)\S+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w@/.])@\w+(?:@[\w-]+(?:\.[\w-]+)+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"[\s\x00]+")


def prepare(text: str) -> str:
    """The text as the network was trained on it: handles as `@user`, links as `http`, plain spaces.

    Never fails: a lone surrogate (which UTF-8 cannot carry and the tokenizer refuses) becomes U+FFFD, HTML entities are
    read, and what lies beyond `MAXIMUM_CHARACTERS` is left out. An empty text stays empty.
    """
    text = text[: 2 * MAXIMUM_CHARACTERS]
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if "&" in text:
        text = html.unescape(text)
        text = _SURROGATE.sub("\ufffd", text)
    text = _LINK.sub("http", text)
    text = _HANDLE.sub("@user", text)
    return _SPACE.sub(" ", text).strip()[:MAXIMUM_CHARACTERS]
