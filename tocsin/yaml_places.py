"""Where in a YAML text something stands, so that whoever is to mend it finds it: by a validator's path, or by names and ids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

_NAME = re.compile(r"[^.\[\]]+")
"""A part of `policies.night.steps[1]`: a key, the id of an item, or its number from 0."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column, both from 1, and the path of what stands there as a reader of the file would say it."""

    line: int
    column: int
    path: str = ""

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


def by_location(root: yaml.Node | None, location: tuple[int | str, ...]) -> Place | None:
    """The place nearest to a field, by keys and indexes (as Pydantic names them)."""
    node, path = root, ""
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node, path = node.value[part], f"{path}[{part}]"
        elif isinstance(node, yaml.MappingNode):
            # The key itself is where the eye should go; its value is where the search goes on.
            found = next(((key, value) for key, value in node.value if key.value == part), None)
            if found is not None:
                key, value = found
                node = key if part == location[-1] else value
            elif part != location[-1] or _is_kind(node, part):
                continue  # the kind by which a source or channel was told apart is no key of the file
            path = f"{path}.{part}".lstrip(".")
    return _place(node, path)


def key_within(root: yaml.Node | None, location: tuple[int | str, ...], name: str) -> Place | None:
    """The place of a key of what stands at a location, or None where it has no such key."""
    node = root
    for part in location:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
        elif not _is_kind(node, part):
            node = _value(node, str(part))
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next((_place(key, name) for key, _ in pairs if key.value == name), None)


def by_names(root: yaml.Node | None, names: str) -> Place | None:
    """The place nearest to `policies.night.red.steps[1]`: keys, and in lists the item with that number or id (the last of two)."""
    node, shown = root, root
    for name in _NAME.findall(names):
        if isinstance(node, yaml.SequenceNode):
            numbered = node.value[int(name)] if name.isdigit() and int(name) < len(node.value) else None
            item = next((item for item in reversed(node.value) if _identifier(item) == name), numbered)
            if item is not None:
                node = shown = item
                continue
            # Names of layers or steps have no id; what they speak of is in one of the items.
            inside = next((found for found in node.value if _value(found, name)), None)
            node = inside if inside is not None else node
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == name), None)
            if pair is not None:
                shown, node = pair
    return _place(shown, names)


def repeated_keys(root: yaml.Node | None) -> Iterator[tuple[str, Place]]:
    """Keys that a mapping has twice, each with the place of the second: YAML itself silently takes the last one."""
    for node in _nodes(root):
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen:
                    yield key.value, Place(key.start_mark.line + 1, key.start_mark.column + 1)
                seen.add(key.value)


def unfolded_size(root: yaml.Node | None, most: int) -> int:
    """How many values a text stands for once its aliases (`*name`) are written out; over `most` it is no more counted exactly.

    An alias that stands inside what it is an alias of has no end, and counts as over `most`.
    """
    sizes: dict[int, int] = {}
    waiting: list[tuple[yaml.Node, bool]] = [(root, False)] if root is not None else []
    while waiting:
        node, inside_is_known = waiting.pop()
        inside = _inside(node)
        if inside_is_known:
            sizes[id(node)] = min(1 + sum(sizes[id(item)] for item in inside), most + 1)
        elif id(node) not in sizes:
            sizes[id(node)] = most + 1  # until it is known: whoever meets it before has met a loop
            waiting.append((node, True))
            waiting.extend((item, False) for item in inside if id(item) not in sizes)
    return sizes[id(root)] if root is not None else 0


def _inside(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode):
        return [item for pair in node.value for item in pair]
    return []


def _is_kind(node: yaml.Node | None, part: int | str) -> bool:
    kind = _value(node, "kind")
    return isinstance(kind, yaml.ScalarNode) and kind.value == part


def no_dates(root: yaml.Node | None) -> Iterator[tuple[str, Place]]:
    """What looks like a date and is none, such as 2026-13-05; reading it would fail without saying where."""
    for node in _nodes(root):
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:timestamp":
            try:
                yaml.SafeLoader("").construct_yaml_timestamp(node)
            except ValueError:
                yield node.value, Place(node.start_mark.line + 1, node.start_mark.column + 1)


def texts_with(root: yaml.Node | None, form: re.Pattern[str]) -> Iterator[tuple[str, Place]]:
    """What in the texts of a file has a form, each with the place of its text."""
    for node in _nodes(root):
        if isinstance(node, yaml.ScalarNode):
            for found in form.finditer(node.value):
                yield found[0], Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _nodes(root: yaml.Node | None) -> Iterator[yaml.Node]:
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            waiting.extend(value for _, value in node.value)


def _identifier(node: yaml.Node) -> str | None:
    for name in ("id", "brand"):
        value = _value(node, name)
        if value is not None:
            return value.value if isinstance(value, yaml.ScalarNode) else None
    return None


def _value(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _place(node: yaml.Node | None, path: str) -> Place | None:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1, path) if node is not None else None
