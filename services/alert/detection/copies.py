"""Which texts are copies of each other: exactly, by a key, and nearly, by MinHash.

MinHash (Broder, *On the resemblance and containment of documents*, 1997): the smallest hash of a text's shingles is equal for two
texts with probability J, their Jaccard similarity |A ∩ B| / |A ∪ B|. So the share of equal values among many such hashes estimates J
without comparing the texts. Shingles are five characters in a row, so that it works in scripts without spaces; of each hash only
the lowest 16 bits are kept (Li and König, *b-bit minwise hashing*, 2010), which adds 2⁻¹⁶ to an estimate at most.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_NOISE = re.compile(
    r"https?://\S*|www\.\S+|\bhttp\b"  # links, also masked ones
    r"|@\w+"  # who is addressed
    r"|^\s*rt\b"  # an old-style repost
    r"|\bvia\s*$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_ASCII_WORDS = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))
"""Each character of ASCII as it stands in a word, for `str.translate`, which is many times as fast as a pattern."""
_REPOST = re.compile(r"^\s*rt\s+@\w", re.IGNORECASE)
LONGEST_COMPARED = 4000
"""Characters of a text that are compared; copies of a longer text differ at their end, if anywhere."""
PERMUTATIONS = 64
"""Values in a signature."""
SHORTEST = 24
"""Characters below which texts are copies only when they are equal: two short remarks resemble each other by chance."""
_SHINGLE = 5
_BASE = np.uint64(0x100000001B3)
_STIRRED = np.uint64(0x9E3779B97F4A7C15)
# A fixed seed: signatures are kept, and must be the same in every process and version. In 32 bits, because a processor does twice
# to eight times as many of them at once; two of a text's shingles have one number in a million texts, about.
_RANDOM = np.random.default_rng(1997)
_FACTORS = _RANDOM.integers(0, 2**32, PERMUTATIONS, dtype=np.uint32) | np.uint32(1)
_OFFSETS = _RANDOM.integers(0, 2**32, PERMUTATIONS, dtype=np.uint32)


def copy_key(text: str) -> str:
    """A short key (16 hexadecimal digits) that is equal for copies of one text; empty where nothing is left to compare.

    Links, addressed accounts, `RT`, case, accents' composition, punctuation and emoji do not matter.
    """
    words = compared(text)
    if not words:
        return ""
    # surrogatepass: half an emoji, cut by somebody before us, is still text.
    return blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def compared(text: str) -> str:
    """What of a text is compared: its words in lower case with single spaces."""
    plain = text[:LONGEST_COMPARED]
    if plain.isascii():
        plain = plain.lower()
        if _may_be_noisy(plain):
            plain = _NOISE.sub(" ", plain)
        return " ".join(plain.translate(_ASCII_WORDS).split())
    plain = unicodedata.normalize("NFKC", plain).casefold()
    if _may_be_noisy(plain):
        plain = _NOISE.sub(" ", plain)
    return " ".join(_WORD.findall(plain))


def _may_be_noisy(plain: str) -> bool:
    """Nearly all texts have no noise, and this finds it out faster than the pattern does."""
    return (
        "@" in plain or "http" in plain or "www." in plain or plain.lstrip()[:2] == "rt" or plain.rstrip()[-3:] == "via"
    )


def is_repost(text: str) -> bool:
    """An old-style repost, `RT @somebody: …`, which is somebody else's text and says so."""
    # Most texts do not begin so, and two letters are sooner looked at than a pattern.
    return text.lstrip()[:2].lower() == "rt" and _REPOST.match(text) is not None


def signatures(texts: Sequence[str]) -> list[NDArray[np.uint16] | None]:
    """The `PERMUTATIONS` values of each text; None for one that is too short for nearness to mean anything.

    Constant work for a text of bounded length. `h_i(x) = a_i·x + b_i mod 2³²`, of which the smallest over all shingles is kept, mixed.
    """
    found: list[NDArray[np.uint16] | None] = [None] * len(texts)
    words = [compared(text) for text in texts]
    long = [index for index, item in enumerate(words) if len(item) >= SHORTEST]
    # Many at once, because a call costs as much as the arithmetic of a text; not too many, so that it stays in the cache.
    for start in range(0, len(long), 32):
        part = long[start : start + 32]
        letters = np.frombuffer(
            "".join(words[index] for index in part).encode("utf-32-le", "surrogatepass"), dtype="<u4"
        )
        shingles = np.zeros(len(letters) - _SHINGLE + 1, dtype=np.uint64)
        for place in range(_SHINGLE):
            shingles = shingles * _BASE + letters[place : place + len(shingles)]
        stirred = ((shingles ^ (shingles >> np.uint64(29))) * _STIRRED >> np.uint64(32)).astype(np.uint32)
        ends = np.cumsum([len(words[index]) for index in part])
        begins = ends - [len(words[index]) for index in part]
        # Shingles that reach into the next text belong to none.
        kept = np.concatenate([np.arange(low, high - _SHINGLE + 1) for low, high in zip(begins, ends, strict=True)])
        first = begins - np.arange(len(part)) * (_SHINGLE - 1)
        hashes = stirred[kept][:, None] * _FACTORS
        hashes += _OFFSETS
        least = np.minimum.reduceat(hashes, first, axis=0)
        mixed = ((least ^ (least >> np.uint32(16))) & np.uint32(0xFFFF)).astype(np.uint16)
        for row, index in zip(mixed, part, strict=True):
            found[index] = row
    return found


def equal_values(one: NDArray[np.uint16], others: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """How many values a signature shares with each of others (one a column). `resemblance` of them is `PERMUTATIONS` times less."""
    # A column each, so that whole rows are added at once; as bytes, which are added without being converted.
    return np.asarray(np.add.reduce((others == one[:, None]).view(np.uint8), axis=0, dtype=np.uint8))


def resemblance(one: NDArray[np.uint16], others: NDArray[np.uint16]) -> NDArray[np.float64]:
    """The estimated Jaccard similarity of a signature with each of others (one a column), 0–1; its error is about 0.06."""
    return np.asarray(equal_values(one, others) / PERMUTATIONS, dtype=np.float64)
