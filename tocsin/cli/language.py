"""The language that a command speaks to the person in front of it."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer


class Language(StrEnum):
    """Both are first languages here."""

    FRENCH = "fr"
    ENGLISH = "en"


SpokenLanguage = Annotated[
    Language | None,
    typer.Option(
        "--language", help="fr or en; default: that of the terminal (LC_ALL, LC_MESSAGES, LANG).", show_default=False
    ),
]


def spoken(given: Language | None) -> Language:
    """The language that was asked for, else that of the terminal, else English."""
    if given is not None:
        return given
    # As gettext does: the first that is set counts.
    locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
    return Language.FRENCH if locale.lower().startswith("fr") else Language.ENGLISH
