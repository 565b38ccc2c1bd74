"""What is new at an evaluation and worth telling those who have an incident in hand."""

from __future__ import annotations

from services.alert.detection.engagement import Growth
from services.alert.detection.findings import Findings
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
    return Reason(
        fr=f"La source {item.source} ne dit plus rien depuis {item.since:%d.%m. %H:%M} UTC, contre son habitude.",
        en=f"The source {item.source} has said nothing since {item.since:%d.%m. %H:%M} UTC, against its habit.",
    )


def grown_reason(item: Growth, quotes: Quotes) -> Reason:
    """Which post takes off."""
    said = quotes([item.mention_id]).get(item.mention_id)
    text = f"« {shorten(said.text)} »" if said else ""
    english = f"“{shorten(said.text)}”" if said else ""
    by_fr = f" de {said.author}" if said and said.author else ""
    by_en = f" by {said.author}" if said and said.author else ""
    return Reason(
        fr=f"Un message nuisible{by_fr} s'envole : {item.reactions} réactions, seuil {item.limit:.0f} {text}".rstrip()
        + ".",
        en=f"A harmful post{by_en} takes off: {item.reactions} reactions, the limit is {item.limit:.0f} {english}".rstrip()
        + ".",
    )
