"""Identities of mentions in a narrow table; contents and labels by month of publication on PostgreSQL.

The wide tables are copied, so the database needs as much room again while it runs.

Revision ID: 0017_months
Revises: 0016_run_time_settings
"""

# ruff: noqa: S608 - what stands in the statements are names of this file

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from tocsin.storage import text_index
from tocsin.storage.base import Json, UtcDateTime, Word

revision = "0017_months"
down_revision = "0016_run_time_settings"
branch_labels = None
depends_on = None

_REMOVAL = ("removed_revision", "removed_why", "removed_at")
_FIRST, _LAST = "2006-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00"
_EMPTY = sa.text("published_at IS NULL AND state <> 'erased'")
_CORRECTED = sa.text("correction IS NOT NULL")
_TOMBSTONE = sa.text("revision IS NULL AND state <> 'erased'")
_INDEXES = {
    "mentions": ("ix_mentions_published_at", "ix_mentions_tombstones"),
    "mention_brands": (
        "ix_mention_brands_brand_published_at", "ix_mention_brands_tokens", "ix_mention_brands_corrected",
        "uq_mention_brands_search_number",
    ),
    "mention_campaigns": ("ix_mention_campaigns_published_at",),
}  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "mention_identities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        *_removal(),
        sa.CheckConstraint(
            "state <> 'live' OR published_at IS NOT NULL", name=op.f("ck_mention_identities_live_has_content")
        ),
        sa.CheckConstraint(
            "state <> 'erased' OR published_at IS NULL", name=op.f("ck_mention_identities_erased_is_empty")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mention_identities")),
    )
    names = "id, state, published_at, " + ", ".join(_REMOVAL)
    op.execute(f"INSERT INTO mention_identities ({names}) SELECT {names} FROM mentions")
    op.create_index("ix_mention_identities_published_at", "mention_identities", ["published_at"])
    op.create_index(
        "ix_mention_identities_tombstones",
        "mention_identities",
        ["removed_at"],
        postgresql_where=_EMPTY,
        sqlite_where=_EMPTY,
    )
    _put_aside()
    by_month: dict[str, Any] = {"postgresql_partition_by": "RANGE (published_at)"}
    op.create_table(
        "mentions",
        *_content(always=True),
        sa.PrimaryKeyConstraint("id", "published_at", name=op.f("pk_mentions")),
        **by_month,
    )
    op.create_table(
        "mention_brands",
        *_labels(),
        sa.PrimaryKeyConstraint("mention_id", "brand", "published_at", name=op.f("pk_mention_brands")),
        **by_month,
    )
    _create_campaigns("mention_identities")
    if op.get_bind().dialect.name == "postgresql":
        _create_partitions()
    content = [column.name for column in _content(always=True)]
    _fill_from_aside({"mentions": content}, where="revision IS NOT NULL")


def downgrade() -> None:
    _put_aside()
    op.create_table(
        "mentions",
        *_content(always=False),
        *_removal(),
        sa.CheckConstraint("state <> 'erased' OR revision IS NULL", name=op.f("ck_mentions_erased_is_empty")),
        sa.CheckConstraint("state <> 'live' OR revision IS NOT NULL", name=op.f("ck_mentions_live_has_content")),
        sa.CheckConstraint("(revision IS NULL) = (published_at IS NULL)", name=op.f("ck_mentions_content_is_whole")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mentions")),
    )
    op.create_table(
        "mention_brands",
        *_labels(),
        sa.ForeignKeyConstraint(
            ["mention_id"], ["mentions.id"], name=op.f("fk_mention_brands_mention_id_mentions"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("mention_id", "brand", name=op.f("pk_mention_brands")),
    )
    _create_campaigns("mentions")
    no, empty = ("0", "'[]'") if op.get_bind().dialect.name == "sqlite" else ("false", "'[]'::jsonb")
    names = "id, state, " + ", ".join(_REMOVAL)
    op.execute(
        f"INSERT INTO mentions ({names}, wakes, brands, copy_key, crisis_words) "
        f"SELECT {names}, {no}, {empty}, '', '' FROM mention_identities WHERE published_at IS NULL"
    )
    kept = [column.name for column in _content(always=False)]
    chosen = ", ".join(f"content.{name}" for name in kept)
    removal = ", ".join(f"identity.{name}" for name in _REMOVAL)
    op.execute(
        f"INSERT INTO mentions ({', '.join((*kept, *_REMOVAL))}) SELECT {chosen}, {removal} "
        "FROM aside_mentions AS content JOIN mention_identities AS identity ON identity.id = content.id"
    )
    _fill_from_aside({}, where="true")
    op.drop_table("mention_identities")
    op.create_index("ix_mentions_published_at", "mentions", ["published_at"])
    op.create_index(
        "ix_mentions_tombstones",
        "mentions",
        ["removed_at"],
        postgresql_where=_TOMBSTONE,
        sqlite_where=_TOMBSTONE,
    )


def _put_aside() -> None:
    """The three tables under other names, without what has a name of its own, so that new ones can be made."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    existing = {index["name"] for table in _INDEXES for index in sa.inspect(op.get_bind()).get_indexes(table)}
    if sqlite:
        # The table that it indexes keeps its rows' numbers, so it need not be filled again.
        for event in ("inserted", "deleted", "updated"):
            op.execute(f"DROP TRIGGER mention_tokens_{event}")
    for table, indexes in _INDEXES.items():
        for index in indexes:
            if index in existing:
                op.drop_index(index, table)
        if not sqlite:
            op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT pk_{table} TO pk_aside_{table}")
    for table in ("mention_campaigns", "mention_brands", "mentions"):
        _copy_aside(table) if sqlite else op.rename_table(table, f"aside_{table}")


def _copy_aside(table: str) -> None:
    # Renamed, it would take along what refers to it, the full-text index too; dropped, it would empty what does: the referring first.
    op.execute(f"CREATE TABLE aside_{table} AS SELECT * FROM {table}")
    op.execute(f"DROP TABLE {table}")


def _fill_from_aside(columns: dict[str, list[str]], *, where: str) -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    columns = {
        **columns,
        "mention_brands": [column.name for column in _labels()],
        "mention_campaigns": [column.name for column in _campaign()],
    }
    for table, names in columns.items():
        chosen = ", ".join(names)
        condition = where if table == "mentions" else "true"
        op.execute(f"INSERT INTO {table} ({chosen}) SELECT {chosen} FROM aside_{table} WHERE {condition}")
    # The referring first.
    for table in ("mention_campaigns", "mention_brands", "mentions"):
        op.drop_table(f"aside_{table}")
    op.create_index("ix_mention_brands_brand_published_at", "mention_brands", ["brand", "published_at"])
    op.create_index(
        "ix_mention_brands_corrected",
        "mention_brands",
        ["brand", "published_at"],
        postgresql_where=_CORRECTED,
        sqlite_where=_CORRECTED,
    )
    op.create_index("ix_mention_campaigns_published_at", "mention_campaigns", ["published_at"])
    if sqlite:
        op.create_index("uq_mention_brands_search_number", "mention_brands", ["search_number"], unique=True)
        _create_triggers()
    else:
        op.create_index("ix_mention_brands_tokens", "mention_brands", ["tokens"], postgresql_using="gin")


def _create_partitions() -> None:
    """One for each month that there are mentions of, and the two at the ends."""
    months = op.get_bind().scalars(
        sa.text(
            "SELECT DISTINCT date_trunc('month', published_at, 'UTC') FROM mention_identities "
            f"WHERE published_at >= '{_FIRST}' AND published_at < '{_LAST}' ORDER BY 1"
        )
    )
    spans = [("before_2006", "MINVALUE", f"'{_FIRST}'"), ("from_2100", f"'{_LAST}'", "MAXVALUE")]
    for month in months.all():
        after: datetime = month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
        spans.append((f"{month:%Y_%m}", f"'{month.isoformat()}'", f"'{after.isoformat()}'"))
    for table in ("mention_brands", "mentions"):
        for name, first, end in spans:
            op.execute(f"CREATE TABLE {table}_{name} PARTITION OF {table} FOR VALUES FROM ({first}) TO ({end})")


def _create_campaigns(referred: str) -> None:
    op.create_table(
        "mention_campaigns",
        *_campaign(),
        sa.ForeignKeyConstraint(
            ["mention_id"],
            [f"{referred}.id"],
            name=op.f(f"fk_mention_campaigns_mention_id_{referred}"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("mention_id", "campaign", "source", "medium", name=op.f("pk_mention_campaigns")),
    )


def _create_triggers() -> None:
    """As in 0007: they went with the table."""
    add = "INSERT INTO mention_tokens(rowid, tokens) VALUES (new.search_number, new.tokens);"
    take = "INSERT INTO mention_tokens(mention_tokens, rowid, tokens) VALUES ('delete', old.search_number, old.tokens);"
    changed = "old.tokens IS NOT new.tokens OR old.search_number IS NOT new.search_number"
    op.execute(
        "CREATE TRIGGER mention_tokens_inserted AFTER INSERT ON mention_brands "
        f"WHEN new.search_number IS NOT NULL BEGIN {add} END"
    )
    op.execute(
        "CREATE TRIGGER mention_tokens_deleted AFTER DELETE ON mention_brands "
        f"WHEN old.search_number IS NOT NULL BEGIN {take} END"
    )
    op.execute(
        "CREATE TRIGGER mention_tokens_updated AFTER UPDATE OF tokens, search_number ON mention_brands "
        f"WHEN new.search_number IS NOT NULL AND ({changed}) BEGIN "
        "INSERT INTO mention_tokens(mention_tokens, rowid, tokens) "
        "SELECT 'delete', old.search_number, old.tokens WHERE old.search_number IS NOT NULL; "
        f"{add} END"
    )


def _removal() -> list[sa.Column[Any]]:
    return [
        sa.Column("removed_revision", sa.BigInteger(), nullable=True),
        sa.Column("removed_why", Word, nullable=True),
        sa.Column("removed_at", UtcDateTime(), nullable=True),
    ]


def _content(*, always: bool) -> list[sa.Column[Any]]:
    texts = (
        "native_id", "text", "url", "in_reply_to", "quote_of", "repost_of", "conversation_id", "outlet", "author_id",
        "author_name", "author_name_hidden",
    )  # fmt: skip
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=not always),
        sa.Column("state", Word, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=not always),
        *(sa.Column(name, Word, nullable=True) for name in ("source", "source_kind")),
        sa.Column("first_received_at", UtcDateTime(), nullable=True),
        sa.Column("wakes", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("language", "country")),
        sa.Column("brands", Json, nullable=False),
        sa.Column("author_key", sa.Text(), nullable=True),
        sa.Column("author_followers", sa.BigInteger(), nullable=True),
        sa.Column("author_role", Word, nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("copy_key", "crisis_words")),
        *(sa.Column(name, sa.Float(), nullable=True) for name in ("rating_value", "rating_best")),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("likes", "reposts", "replies", "views")),
        sa.Column("engagement_at", UtcDateTime(), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=True) for name in texts),
        sa.Column("media", Json, nullable=True),
    ]


def _labels() -> list[sa.Column[Any]]:
    scores = ("negative", "neutral", "positive", "risk", "toxicity")
    return [
        sa.Column("mention_id", sa.Uuid(), nullable=False),
        sa.Column("brand", Word, nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("in_counts", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("labels", Word, nullable=False),
        sa.Column("relevance", sa.Float(), nullable=False),
        sa.Column("sentiment", Word, nullable=True),
        *(sa.Column(name, sa.Float(), nullable=True) for name in scores),
        sa.Column("risk_kinds", Json, nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("model_name", "model_revision")),
        sa.Column("tokens", text_index.Tokens(), nullable=True),
        sa.Column("search_number", sa.BigInteger(), nullable=True),
        sa.Column("explanation", Json, nullable=True),
        sa.Column("correction", Json, nullable=True),
    ]


def _campaign() -> list[sa.Column[Any]]:
    return [
        sa.Column("mention_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("campaign", "source", "medium")),
        sa.Column("published_at", UtcDateTime(), nullable=False),
    ]
