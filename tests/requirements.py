"""What a test may need beside Python, and what happens where it is missing.

`require("kafka")` skips with a reason on a machine without it. Where `TOCSIN_REQUIRE` lists the name (CI does), a missing
requirement is a failure instead, so that a green run cannot hide that nothing was tested.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest


def missing(name: str, reason: str) -> None:
    """Skip the running test because `name` is missing; fail it where `TOCSIN_REQUIRE` lists `name`."""
    if name in {item.strip() for item in os.environ.get("TOCSIN_REQUIRE", "").split(",")}:
        pytest.fail(f"{name} is required here (TOCSIN_REQUIRE) but missing: {reason}", pytrace=False)
    pytest.skip(f"needs {name}: {reason}", allow_module_level=True)


def data_folder() -> Path:
    """The folder of real data for tests, or a skip."""
    folder = os.environ.get("TOCSIN_TEST_DATA", "")
    if not folder or not Path(folder).is_dir():
        missing("data", "TOCSIN_TEST_DATA names no folder of test data")
    return Path(folder)


def require_torch() -> None:
    """Skip where torch and transformers (an extra) are not installed."""
    if find_spec("torch") is None or find_spec("transformers") is None:
        missing("torch", "pip install 'tocsin[torch]'")


def require_training() -> None:
    """Skip where the extra `train` is not installed; may be called before a module imports what it needs."""
    if any(find_spec(module) is None for module in ("torch", "transformers", "onnx", "sklearn")):
        missing("train", "pip install 'tocsin[train]'")
