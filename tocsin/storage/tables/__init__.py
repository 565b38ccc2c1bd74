"""The tables, one file a room. `all_tables` knows every file here, so that a new one needs no registration."""

from __future__ import annotations

import importlib
import pkgutil

from sqlalchemy import MetaData

from tocsin.storage.base import Base


def all_tables() -> MetaData:
    """The metadata with the tables of every file in this folder."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return Base.metadata
