"""How searches are planned: SQLite is told in which order to join, PostgreSQL to look at the words themselves."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Join, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler


def plan_anew(session: Session) -> None:
    """Until the transaction ends: on PostgreSQL a plan for any word and any month is a bad one for each (4.8 s instead of 6 ms)."""
    if session.get_bind().dialect.name != "sqlite":
        session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))


class CrossJoin(Join):
    """An inner join whose left side SQLite visits first; elsewhere like any other."""

    inherit_cache = True


@compiles(CrossJoin)
def _any_order(join: CrossJoin, compiler: SQLCompiler, **options: Any) -> str:
    return str(compiler.visit_join(join, **options))  # type: ignore[no-untyped-call]


@compiles(CrossJoin, "sqlite")
def _left_first(join: CrossJoin, compiler: SQLCompiler, **options: Any) -> str:
    parts: list[Any] = [join.left, join.right, join.onclause]
    left, right, condition = (compiler.process(part, **options) for part in parts)
    return f"{left} CROSS JOIN {right} ON {condition}"
