"""What is new at an evaluation and worth telling those who have an incident in hand."""

from __future__ import annotations

from services.alert.detection.engagement import Growth
from services.alert.detection.findings import Findings
from services.alert.detection.phrases import count, french_count, french_moment, french_number, moment, number, several
from services.alert.detection.silence import Watched
from services.alert.detection.state import BrandState, News, NewsKind, Reason, SilentSource
from services.alert.detection.voices import Quotes, shorten


def news_of(findings: Findings, watched: Watched, state: BrandState, quotes: Quotes) -> tuple[News, ...]:
    """Sources that fell silent or came back, and posts that took off."""
    silent = {item.source: item for item in state.silent}
    return (
        *(
            News(NewsKind.SILENT_SOURCE, f"{source}/{silent[source].since.isoformat()}", silent_reason(silent[source]))
            for source in watched.newly_silent
        ),
        *(
            News(
                NewsKind.SOURCE_BACK,
                source,
                Reason(fr=f"La source {source} parle de nouveau.", en=f"The source {source} speaks again."),
            )
            for source in watched.back
        ),
        *(
            News(
                NewsKind.ENGAGEMENT, f"{item.mention_id}/{item.reactions}", grown_reason(item, quotes), item.mention_id
            )
            for item in findings.growth
        ),
    )


def silent_reason(item: SilentSource) -> Reason:
    """Since when a source says nothing."""
    usual = item.expected
    habit_fr, habit_en = ", contre son habitude", ", against its habit"
    if usual is not None:
        one_fr = several(usual, "mention était attendue", "mentions étaient attendues")
        habit_fr = f" ; {french_number(usual)} {one_fr} depuis"
        habit_en = f"; {number(usual)} {'mention was' if usual == 1 else 'mentions were'} to be expected since then"
    return Reason(
        fr=f"La source {item.source} ne dit plus rien depuis le {french_moment(item.since)}{habit_fr}.",
        en=f"The source {item.source} has said nothing since {moment(item.since)}{habit_en}.",
    )


def grown_reason(item: Growth, quotes: Quotes) -> Reason:
    """Which post takes off."""
    said = quotes([item.mention_id]).get(item.mention_id)
    text = f" : « {shorten(said.text)} »" if said and said.text else ""
    english = f": “{shorten(said.text)}”" if said and said.text else ""
    by_fr = f" signé {said.author}" if said and said.author else ""
    by_en = f" by {said.author}" if said and said.author else ""
    reactions, limit = item.reactions, round(item.limit)
    return Reason(
        fr=f"Un message nuisible{by_fr} s'envole, avec {french_count(reactions)} réactions (seuil : {french_count(limit)}){text}.",
        en=f"A harmful post{by_en} takes off, with {count(reactions)} reactions (the limit is {count(limit)}){english}.",
    )
