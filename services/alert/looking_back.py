"""From rows of the past to what a replay and the watch rules are given."""

from __future__ import annotations

from services.alert.detection.lateness import wakes
from services.alert.detection.observations import Observation
from services.alert.detection.replaying import Heard
from tocsin.contracts.events import AuthorRole, RiskKind, SentimentLabel, SourceKind
from tocsin.contracts.settings.detection import LatenessSettings
from tocsin.storage.past import PastRow

_KINDS = frozenset(RiskKind)


def heard_of(row: PastRow, brand: str, lateness: LatenessSettings, *, live_only: bool = False) -> Heard:
    """A row as it came then. `lateness` is the present setting: what came in time by it and yet woke nobody was imported.

    With `live_only` that teaches here too and wakes nobody; else it is judged as though it had come live.
    """
    imported = not row.wakes and wakes(row.at, row.received_at, row.source, lateness)
    return Heard(
        brand=brand,
        observation=observed(row),
        received=row.received_at,
        outlet=row.outlet,
        author=author_of(row),
        teaches_only=live_only and imported,
    )


def author_of(row: PastRow) -> str | None:
    """The author as watch rules name one; None where the id is not kept."""
    return None if row.author_id is None else f"{row.source}:{row.author_id}"


def observed(row: PastRow) -> Observation:
    """A row as detection sees it. Without labels it counts as calm: nothing is known against it."""
    return Observation(
        mention_id=row.mention_id,
        at=row.at,
        author=row.author_key,
        negative=row.sentiment == SentimentLabel.NEGATIVE,
        risk=row.risk or 0.0,
        # A newer classify may have known kinds that this program does not.
        kinds=tuple(RiskKind(kind) for kind in row.risk_kinds if kind in _KINDS),
        toxicity=row.toxicity or 0.0,
        relevance=row.relevance,
        language=row.language,
        followers=row.followers,
        author_name=row.author_name or row.author_id,
        role=AuthorRole(row.role),
        source=row.source,
        source_kind=SourceKind(row.source_kind),
        text=row.text,
        copy_key=row.copy_key,
        embedding=row.embedding,
        repost=row.repost,
        engagement=row.engagement,
        counted=row.role != AuthorRole.OWN,
    )
