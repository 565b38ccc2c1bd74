"""What the links and hashtags of a mention say by themselves; pure, and nothing is ever fetched.

Campaigns are told by the UTM parameters of a link, under the names that Google Analytics gives them: `utm_campaign` is the
campaign, `utm_source` its source, `utm_medium` its medium.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from tocsin.folding import Folded

MOST = 20
"""Links, and hashtags, of one mention that are looked at."""
LONGEST_VALUE = 200
LONGEST_LINK = 2000
_MOST_PARAMETERS = 50

_LINK = re.compile(r"https?://[^\s<>\"'«»“”]+", re.IGNORECASE)
_TRAILING = ".,;:!?)]}…'\""
_HASHTAG = re.compile(r"(?<!\w)[#＃](\w[\w\u200d]*)")
_NUMBER = re.compile(r"[\d_]+")
_CLICK_IDS = frozenset(
    {"fbclid", "gclid", "gbraid", "wbraid", "msclkid", "twclid", "ttclid", "igshid", "mc_cid", "mc_eid"}
)


class CampaignTag(NamedTuple):
    """What the UTM parameters of one link say; empty where they say nothing of it."""

    campaign: str
    source: str
    medium: str


def links_of(text: str | None, url: str | None = None) -> list[str]:
    """The links in a text, and that of the mention itself, each once; what is no link of the web is left out."""
    found = [item.rstrip(_TRAILING) for item in _LINK.findall(text or "")[:MOST]]
    if url is not None and _LINK.fullmatch(url):
        found.append(url)
    return list(dict.fromkeys(item for item in found if len(item) <= LONGEST_LINK and _host(item)))


def without(text: str, links: Iterable[str]) -> str:
    """A text without its links, whose parts are no words."""
    for link in links:
        text = text.replace(link, " ")
    return text


def plain(link: str) -> str:
    """A link without what says only where somebody clicked: UTM parameters, click ids, the fragment, `www.`, a last slash."""
    if not _host(link):
        return link
    parts = urlsplit(link)
    kept = [
        part
        for part in parts.query.split("&")
        if part and not part.lower().startswith("utm_") and part.split("=", 1)[0].lower() not in _CLICK_IDS
    ]
    return urlunsplit(("https", _host(link).removeprefix("www."), parts.path.rstrip("/"), "&".join(kept), ""))


def campaign_tags(text: str | None, url: str | None) -> list[CampaignTag]:
    """The campaigns that the links of a mention belong to, each once."""
    tags = []
    for link in links_of(text, url):
        if "utm_" not in link.lower() or link.count("&") >= _MOST_PARAMETERS:
            continue
        values = {name.lower(): value.strip() for name, value in parse_qsl(urlsplit(link).query)}
        tag = CampaignTag(*(_value(values.get(f"utm_{name}", "")) for name in CampaignTag._fields))
        if any(tag):
            tags.append(tag)
    return list(dict.fromkeys(tags))


def hashtags_of(text: str | None) -> list[str]:
    """The hashtags of a text, folded and without their sign, each once; `#1` is none."""
    found = (Folded.of(item).text for item in _HASHTAG.findall(text or ""))
    return list(dict.fromkeys(item for item in found if item and not _NUMBER.fullmatch(item)))[:MOST]


def _value(text: str) -> str:
    # A database that keeps no NUL must not stumble over a link.
    return text.replace("\x00", "")[:LONGEST_VALUE]


def _host(link: str) -> str:
    try:
        return (urlsplit(link).netloc.rpartition("@")[2]).lower()
    except ValueError:
        return ""
