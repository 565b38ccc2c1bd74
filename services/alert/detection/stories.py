"""Which mentions tell the same story.

A first version groups near copies by their normalised text. Grouping by embedding takes the same place later: everything
else in detection only sees `Observation.copy_key`.
"""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b

_NOISE = re.compile(
    r"https?://\S*|www\.\S+|\bhttp\b"  # links, also masked ones
    r"|@\w+"  # who is addressed
    r"|^\s*rt\b"  # an old-style repost
    r"|\bvia\s*$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
LONGEST_COMPARED = 4000
"""Characters of a text that are compared; copies of a longer text differ at their end, if anywhere."""


def copy_key(text: str) -> str:
    """A short key (16 hexadecimal digits) that is equal for copies of one text; empty where nothing is left to compare.

    Links, addressed accounts, `RT`, case, accents' composition, punctuation and emoji do not matter.
    """
    plain = unicodedata.normalize("NFKC", text[:LONGEST_COMPARED]).casefold()
    words = _WORD.findall(_NOISE.sub(" ", plain))
    if not words:
        return ""
    # surrogatepass: half an emoji, cut by somebody before us, is still text.
    return blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
