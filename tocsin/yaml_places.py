"""Where in a YAML text something stands, so that whoever is to mend it finds it: by a validator's path, or by names and ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml


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


def by_names(root: yaml.Node | None, names: str) -> Place | None:
    """The place nearest to `policies.night.red`: keys, and in lists the item with that id (the last, where there are two)."""
    node, shown = root, root
    for name in names.split("."):
        if isinstance(node, yaml.SequenceNode):
            item = next((item for item in reversed(node.value) if _identifier(item) == name), None)
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


def _is_kind(node: yaml.Node, part: int | str) -> bool:
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


def _value(node: yaml.Node, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if key.value == name), None)


def _place(node: yaml.Node | None, path: str) -> Place | None:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1, path) if node is not None else None
