"""How searches are planned: SQLite is told in which order to join."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Join
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


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
