"""What is wrong with a value in `tocsin.yaml`, and how to mend it, in the words of somebody who writes such a file.

Pydantic speaks of tuples and instances of classes, which nobody wrote.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic_core import ErrorDetails

from tocsin.contracts.settings.base import IDENTIFIER_PATTERN
from tocsin.contracts.settings.channels import (
    ACCOUNT_PATTERN,
    APPLICATION_PATTERN,
    MAIL_PATTERN,
    PHONE_PATTERN,
    SLACK_PATTERN,
)
from tocsin.contracts.settings.protocol import (
    COUNTRY_PATTERN,
    MEMBER_PATTERN,
    PAGERDUTY_USER_PATTERN,
    SLACK_MEMBER_PATTERN,
    TARGET_PATTERN,
)

_FORMS = {
    TARGET_PATTERN: "write whom to ring as 'person:…', 'schedule:…', 'team:…' or 'channel:…', with an id that is there",
    MEMBER_PATTERN: "write who is in it as 'person:…' or 'schedule:…', with an id that is there",
    PHONE_PATTERN: "is no telephone number; write it with its country and without spaces, such as '+33612345678'",
    MAIL_PATTERN: "is no mail address; write one alone, without a name, such as 'lea@lunea.example'",
    ACCOUNT_PATTERN: "is no account of Twilio; copy the 'Account SID' from its console, 'AC' and 32 digits or letters",
    APPLICATION_PATTERN: "is no application of Vonage; copy the 'Application ID' from its dashboard",
    SLACK_PATTERN: "is no id of Slack; copy 'C…' of a channel or 'U…' of a person, which Slack shows under their details",
    SLACK_MEMBER_PATTERN: "is no member id of Slack; copy 'U…' from the person's profile ('Copy member ID')",
    PAGERDUTY_USER_PATTERN: "is no user id of PagerDuty; copy 'P…' from the address of the person's profile",
    COUNTRY_PATTERN: "is no country; give its ISO 3166 code in capitals, such as 'FR', 'US' or 'IN'",
    IDENTIFIER_PATTERN: "is no id; use lower-case letters, digits, '-' and '_', and begin with a letter or a digit",
}
"""What is said where a text has not the form that a pattern asks for."""
_KEYS = "must hold keys with values, such as {id: one, name: One}"
_LIST = "must be a list; write it as [one, two], or with '- ' before each item"
_NOT_YES_OR_NO = "must be a text, and YAML reads on, off, yes and no as true and false; put it in quotes"
_TEXT = "must be a text; put it in quotes"
_WHOLE = "must be a whole number, such as 3"
_NUMBER = "must be a number, such as 0.5"
_YES_OR_NO = "must be true or false"
_DATE = "is no date; write it like 2026-01-05"
_WORDS = {
    "missing": "is required; add it",
    "invalid_key": "is no key; every key is a text",
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


def in_words(mistake: ErrorDetails, schema: Callable[[], Mapping[str, Any]]) -> str:
    """One of a `ValidationError`'s `errors()` as a sentence without its place; our own sentences as they are.

    `schema` makes the JSON Schema of the whole file; it is asked only where somebody wrote a key that is none.
    """
    kind, message = mistake["type"], mistake["msg"].removeprefix("Value error, ")
    details: Mapping[str, Any] = mistake.get("ctx", {})
    if kind.endswith("_type") and mistake["input"] is None:
        return "has no value; write one, or take the key out"
    if kind in {"string_type", "literal_error"} and isinstance(mistake["input"], bool):
        return _NOT_YES_OR_NO
    if kind in _WORDS:
        return _WORDS[kind]
    if kind.endswith(("too_short", "too_long")):
        return _of_length(kind, details)
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return words.format(details[name])
    match kind:
        case "extra_forbidden":
            message = f"unknown key; {_key_that_was_meant(mistake['loc'], schema())}"
        case "literal_error":
            message = f"{message.removeprefix('Input should be ')} is what may stand here; mend the spelling"
        case "union_tag_invalid":
            section = str(mistake["loc"][0]).removesuffix("s")
            message = f"{details['tag']!r} is no kind of {section}; known are {details['expected_tags']}"
        case "string_pattern_mismatch":
            message = _FORMS.get(details["pattern"], f"has not the form that is asked for: {details['pattern']}")
    return message


def _of_length(kind: str, details: Mapping[str, Any]) -> str:
    """A text, a secret or a list that is too short or too long."""
    short = kind.endswith("short")
    length = details["min_length" if short else "max_length"]
    if kind.startswith("string") or details.get("field_type") == "Value":  # a secret is no more than a value
        if short and length == 1:
            return "is empty; write it"
        return f"is too {'short' if short else 'long'}; write at {'least' if short else 'most'} {length} characters"
    if short and length == 1:
        return "is empty; name at least one, or take the key out"
    return f"names {details['actual_length']}; name at {'least' if short else 'most'} {length}"


def _key_that_was_meant(location: tuple[int | str, ...], schema: Mapping[str, Any]) -> str:
    known = sorted(_keys_at(location[:-1], schema))
    close = get_close_matches(str(location[-1]), known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    if not known:
        return "mend the spelling or take it out"
    return f"mend the spelling or take it out; known here are {', '.join(known)}"


def _keys_at(location: tuple[int | str, ...], schema: Mapping[str, Any]) -> set[str]:
    """The keys that a mapping at a location may have, as the JSON Schema says."""
    definitions = schema.get("$defs", {})

    def forms(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """What may stand there, references followed."""
        if "$ref" in node:
            yield from forms(definitions[node["$ref"].rpartition("/")[2]])
            return
        yield node
        for choice in (*node.get("anyOf", ()), *node.get("oneOf", ())):
            yield from forms(choice)

    here = [schema]
    for part in location:
        found = [form for node in here for form in forms(node)]
        if isinstance(part, int):
            here = [form["items"] for form in found if isinstance(form.get("items"), Mapping)]
            continue
        inside = [form["properties"][part] for form in found if part in form.get("properties", {})]
        # The kind by which a source or channel was told apart is no key; it chooses among the forms.
        of_kind = [form for form in found if form.get("properties", {}).get("kind", {}).get("const") == part]
        here = inside or of_kind
    return {key for node in here for form in forms(node) for key in form.get("properties", {})}
