"""The rules that docs/architecture.md states, each kept by a test."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE_ROOMS = (
    "services/alert/detection",
    "services/alert/protocol",
    "services/alert/room",
    "services/classify/batching.py",
)
PURE_MAY_IMPORT = {"numpy", "scipy", "pydantic", "tocsin.contracts"}
SERVICES = ("ingest", "classify", "alert", "api")
LONGEST_FILE = 400


def python_files(*places: str) -> Iterator[Path]:
    for place in places:
        path = ROOT / place
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def told(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_what_the_services_share_imports_no_service_but_for_the_command_line() -> None:
    offenders = [
        f"{told(path)} imports {module}"
        for path in python_files("tocsin")
        if (ROOT / "tocsin" / "cli") not in path.parents
        for module in imports(path)
        if within(module, "services")
    ]
    assert offenders == []


def test_a_service_imports_no_other_service_but_the_api_the_pure_protocol_and_room() -> None:
    offenders = [
        f"{told(path)} imports {module}"
        for service in SERVICES
        for path in python_files(f"services/{service}")
        for module in imports(path)
        if module.startswith("services.")
        and not within(module, f"services.{service}")
        and not (service == "api" and module == "services.alert")
        and not (service == "api" and any(within(module, f"services.alert.{pure}") for pure in ("protocol", "room")))
    ]
    assert offenders == []


def test_pure_rooms_import_no_server_no_clock_and_no_configuration() -> None:
    offenders = [
        f"{told(path)} imports {module}"
        for path in python_files(*PURE_ROOMS)
        for module in imports(path)
        if module.split(".")[0] not in sys.stdlib_module_names
        and not any(within(module, allowed) for allowed in PURE_MAY_IMPORT)
        and not any(within(module, room.removesuffix(".py").replace("/", ".")) for room in PURE_ROOMS)
        and module != "tocsin"
    ]
    assert offenders == []


def test_pure_rooms_never_ask_what_time_it_is() -> None:
    forbidden = {"now", "today", "utcnow", "monotonic", "perf_counter"}
    offenders = [
        f"{told(path)}:{node.lineno} calls {node.func.attr}()"
        for path in python_files(*PURE_ROOMS)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in forbidden
    ]
    assert offenders == []


def test_only_one_room_knows_kafka_python() -> None:
    users = {
        told(path)
        for path in python_files("tocsin", "services", "models")
        for module in imports(path)
        if within(module, "kafka") and ROOT / "tocsin" / "bus" / "kafka" not in path.parents
    }
    assert users == set()


def test_no_room_is_a_junk_drawer() -> None:
    names = {
        part
        for path in python_files("tocsin", "services", "models", "tests")
        for part in path.relative_to(ROOT).with_suffix("").parts
    }
    assert names.isdisjoint({"utils", "util", "common", "helpers", "helper", "misc"})


@pytest.mark.parametrize("place", ["tocsin", "services", "models"])
def test_files_are_short_enough_to_read_in_one_go(place: str) -> None:
    long = {
        told(path): count
        for path in python_files(place)
        if (count := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_importing_a_module_opens_no_connection_writes_no_file_and_starts_nothing() -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in python_files("tocsin", "services")
        if "migrations" not in path.parts and path.name != "__main__.py"
    ]
    script = f"""
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.bind", "subprocess.Popen", "os.system", "sqlite3.connect"):
        raise RuntimeError(f"import did {{event}} {{arguments}}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        raise RuntimeError(f"import opened {{arguments[0]}} for writing")
sys.dont_write_bytecode = True
sys.path.insert(0, {str(ROOT)!r})
import numpy, sqlalchemy  # what a library does at import is its own affair
try:
    import torch, transformers
except ImportError:
    pass
sys.addaudithook(watch)
import importlib
for module in {modules!r}:
    importlib.import_module(module)
"""
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert outcome.returncode == 0, outcome.stderr


def tracked_text_files() -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is no git checkout")
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file() and path.suffix not in {".onnx", ".png"} and path != Path(__file__):
            yield path


def test_nothing_but_ci_names_what_stands_beside_the_project() -> None:
    beside = "../" + "shared"
    assert {told(path) for path in tracked_text_files() if beside in path.read_text("utf-8", "replace")} <= {".ci/run"}


@pytest.mark.parametrize("host", ["pypi.org", "files.pythonhosted.org", "deb.debian.org", "registry.npmjs.org"])
def test_no_registry_host_is_named(host: str) -> None:
    assert [told(path) for path in tracked_text_files() if host in path.read_text("utf-8", "replace")] == []
