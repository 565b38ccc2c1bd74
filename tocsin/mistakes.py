"""What is wrong with a value in `tocsin.yaml`, and how to mend it, in the words of somebody who writes such a file.

Pydantic speaks of tuples and instances of classes, which nobody wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from tocsin.contracts.settings.base import IDENTIFIER_PATTERN
from tocsin.contracts.settings.channels import PHONE_PATTERN
from tocsin.contracts.settings.protocol import TARGET_PATTERN

_FORMS = {
    TARGET_PATTERN: "write whom to ring as 'person:…', 'schedule:…' or 'channel:…', with an id that is there",
    PHONE_PATTERN: "is no telephone number; write it with its country and without spaces, such as '+33612345678'",
    IDENTIFIER_PATTERN: "is no id; use lower-case letters, digits, '-' and '_', and begin with a letter or a digit",
}
"""What is said where a text has not the form that a pattern asks for."""
_KEYS = "must hold keys with values, such as {id: one, name: One}"
_LIST = "must be a list; write it as [one, two], or with '- ' before each item"
_TEXT = "must be a text; put it in quotes"
_WHOLE = "must be a whole number, such as 3"
_NUMBER = "must be a number, such as 0.5"
_YES_OR_NO = "must be true or false"
_DATE = "is no date; write it like 2026-01-05"
_WORDS = {
    "extra_forbidden": "unknown key; mend the spelling or take it out",
    "missing": "is required; add it",
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), _KEYS),
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), _LIST),
    "string_type": _TEXT,
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), _WHOLE),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), _YES_OR_NO),
    **dict.fromkeys(("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"), _DATE),
    "union_tag_not_found": "says no kind; add 'kind: …'",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be at least {}"),
    "greater_than": ("gt", "must be more than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "less_than": ("lt", "must be less than {}"),
}


def in_words(mistake: ErrorDetails) -> str:
    """One of a `ValidationError`'s `errors()` as a sentence without its place; our own sentences as they are."""
    kind, message = mistake["type"], mistake["msg"].removeprefix("Value error, ")
    details: Mapping[str, Any] = mistake.get("ctx", {})
    if kind in _WORDS:
        return _WORDS[kind]
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return words.format(details[name])
    match kind:
        case "literal_error":
            message = f"{message.removeprefix('Input should be ')} is what may stand here; mend the spelling"
        case "too_short" if details["min_length"] == 1:
            message = "is empty; name at least one, or take the key out"
        case "too_short":
            message = f"names {details['actual_length']}; name at least {details['min_length']}"
        case "union_tag_invalid":
            section = str(mistake["loc"][0]).removesuffix("s")
            message = f"{details['tag']!r} is no kind of {section}; known are {details['expected_tags']}"
        case "string_pattern_mismatch":
            message = _FORMS.get(details["pattern"], message)
    return message
