"""The full-text index: tokens of each mention and brand, a GIN index on PostgreSQL, an FTS5 table on SQLite."""

from __future__ import annotations

import json
import uuid
from typing import Any

import sqlalchemy as sa
from alembic import op

from tocsin.storage import text_index
from tocsin.storage.base import UtcDateTime

revision = "0007_search"
down_revision = "0006_accounts"
branch_labels = None
depends_on = None

_AT_ONCE = 2000


def upgrade() -> None:
    op.add_column("mention_brands", sa.Column("tokens", text_index.Tokens(), nullable=True))
    op.add_column("mention_brands", sa.Column("search_number", sa.BigInteger(), nullable=True))
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:
        op.create_index("uq_mention_brands_search_number", "mention_brands", ["search_number"], unique=True)
        _make_fts5_table()
    _index_what_is_there(sqlite=sqlite)
    if not sqlite:
        op.create_index("ix_mention_brands_tokens", "mention_brands", ["tokens"], postgresql_using="gin")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for event in ("inserted", "deleted", "updated"):
            op.execute(f"DROP TRIGGER mention_tokens_{event}")
        op.execute("DROP TABLE mention_tokens")
        op.drop_index("uq_mention_brands_search_number", "mention_brands")
    else:
        op.drop_index("ix_mention_brands_tokens", "mention_brands")
    op.drop_column("mention_brands", "search_number")
    op.drop_column("mention_brands", "tokens")


def _make_fts5_table() -> None:
    op.execute(
        "CREATE VIRTUAL TABLE mention_tokens USING fts5("
        f"tokens, content='mention_brands', content_rowid='search_number', tokenize=\"{text_index.FTS5_TOKENIZER}\")"
    )
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
    # A row gets its number once and for good, so what is updated was there, but for the first time below.
    op.execute(
        "CREATE TRIGGER mention_tokens_updated AFTER UPDATE OF tokens, search_number ON mention_brands "
        f"WHEN new.search_number IS NOT NULL AND ({changed}) BEGIN "
        "INSERT INTO mention_tokens(mention_tokens, rowid, tokens) "
        "SELECT 'delete', old.search_number, old.tokens WHERE old.search_number IS NOT NULL; "
        f"{add} END"
    )


def _index_what_is_there(*, sqlite: bool) -> None:
    connection = op.get_bind()
    links, mentions = _tables()
    mention, link = mentions.c, links.c
    change = (
        sa.update(links)
        .where(link.mention_id == sa.bindparam("of_mention"), link.brand == sa.bindparam("of_brand"))
        .values(tokens=sa.bindparam("new_tokens"), search_number=sa.bindparam("new_number"))
    )
    taken: set[int] = set()
    last: tuple[uuid.UUID, str] | None = None
    while True:
        chosen = (
            sa.select(
                link.mention_id, link.brand, link.published_at, link.risk_kinds, mention.text, mention.source,
                mention.source_kind, mention.language, mention.author_key, mention.author_name,
            )
            .join_from(links, mentions, mention.id == link.mention_id)
            .order_by(link.mention_id, link.brand)
            .limit(_AT_ONCE)
        )  # fmt: skip
        if last is not None:
            chosen = chosen.where(
                sa.or_(link.mention_id > last[0], sa.and_(link.mention_id == last[0], link.brand > last[1]))
            )
        rows = connection.execute(chosen).all()
        if not rows:
            return
        connection.execute(change, [_indexed(row, taken, sqlite=sqlite) for row in rows])
        last = (rows[-1].mention_id, rows[-1].brand)


def _indexed(row: Any, taken: set[int], *, sqlite: bool) -> dict[str, Any]:
    kinds = json.loads(row.risk_kinds) if isinstance(row.risk_kinds, str) else row.risk_kinds
    number = None
    if sqlite:
        number = text_index.numbered(row.published_at, row.mention_id, row.brand)
        while number in taken:
            number += 1
        taken.add(number)
    return {
        "of_mention": row.mention_id,
        "of_brand": row.brand,
        "new_number": number,
        "new_tokens": text_index.tokens(
            brand=row.brand,
            text=row.text,
            source=row.source,
            source_kind=row.source_kind,
            language=row.language,
            author_key=row.author_key,
            author_name=row.author_name,
            risk_kinds=[kind["kind"] for kind in kinds],
        ),
    }


def _tables() -> tuple[sa.TableClause, sa.TableClause]:
    """The two tables as they are at this revision, whatever the code's become."""
    links = sa.table(
        "mention_brands",
        sa.column("mention_id", sa.Uuid()),
        sa.column("brand", sa.Text()),
        sa.column("published_at", UtcDateTime()),
        sa.column("risk_kinds", sa.JSON()),
        sa.column("tokens", text_index.Tokens()),
        sa.column("search_number", sa.BigInteger()),
    )
    names = ("text", "source", "source_kind", "language", "author_key", "author_name")
    mentions = sa.table("mentions", sa.column("id", sa.Uuid()), *(sa.column(name, sa.Text()) for name in names))
    return links, mentions
