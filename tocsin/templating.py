"""Templates that a team writes into `tocsin.yaml`: names are filled in, and nothing else can happen.

Jinja's sandbox alone bounds neither work nor memory (nested loops, `'x' * 10**9`). So what a template may consist of is a short
list: text, names, `if`, comparisons, and filters that only change letters. There is no loop, no call, no arithmetic and no
assignment in it, so the work grows with the template's own length, which is bounded, and the output is cut off at its bound.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST_TEMPLATE = 10_000
LONGEST_OUTPUT = 20_000
"""Characters."""
_FILTERS = ("capitalize", "default", "lower", "trim", "upper")
_ALLOWED = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
    nodes.Filter,
)


class TemplateRefused(ValueError):
    """A template that is not filled in; the message says why and what works."""


def check_template(source: str) -> None:
    """Refuse a template that asks for more than names, `if` and letters. Raises TemplateRefused."""
    if len(source) > LONGEST_TEMPLATE:
        raise TemplateRefused(f"the template has {len(source)} characters; {LONGEST_TEMPLATE} are allowed")
    try:
        parsed = _environment().parse(source)
    except (TemplateError, RecursionError) as error:
        raise TemplateRefused(f"this is no template: {error}") from error
    for node in parsed.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            raise TemplateRefused(
                f"line {node.lineno}: {type(node).__name__.lower()} is not allowed; use {{{{ names }}}}, "
                f"{{% if %}} and the filters {', '.join(_FILTERS)}"
            )
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            raise TemplateRefused(f"line {node.lineno}: there is no filter {node.name!r}; use {', '.join(_FILTERS)}")


def fill_in(source: str, values: Mapping[str, str]) -> str:
    """The text with its names filled in. Raises TemplateRefused, also for a name that is not among `values`."""
    check_template(source)
    pieces: list[str] = []
    length = 0
    try:
        for piece in _environment().from_string(source).generate(dict(values)):
            length += len(piece)
            if length > LONGEST_OUTPUT:
                raise TemplateRefused(f"the text grows beyond {LONGEST_OUTPUT} characters; shorten it")
            pieces.append(piece)
    except TemplateRefused:
        raise
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        known = ", ".join(sorted(values))
        raise TemplateRefused(f"the template fails: {error}; the names are {known}") from error
    return "".join(pieces)


@functools.cache
def _environment() -> ImmutableSandboxedEnvironment:
    # The text is shown as text and escaped where it is shown, so it is not escaped here.
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, optimized=False)
    environment.globals.clear()
    return environment
