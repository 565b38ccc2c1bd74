"""Databases for tests: every test that asks for `database` runs on SQLite and on PostgreSQL, each time on a fresh or emptied copy.

Migrations run once a session, into a template that is copied for each test. PostgreSQL is the server of `DATABASE_URL` (its
user must be allowed to create databases), else one that is started here from the binaries on this machine, else the
test is skipped with a reason.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from tests.requirements import missing
from tests.spare_databases import SpareDatabases
from tocsin.storage.database import Database

_DRIVER = "postgresql+psycopg"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database of its own for this test, with all tables, empty."""
    found = Database(request.getfixturevalue(f"{request.param}_database_url"))
    yield found
    found.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of its own for this test, without a single table."""
    if request.param == "sqlite":
        found = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
        yield found
        found.close()
        return
    with _postgresql_database(request.getfixturevalue("postgres_url"), template="template0") as url:
        found = Database(url)
        yield found
        found.close()


@pytest.fixture
def sqlite_database_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a SQLite file with all tables."""
    copy = tmp_path / "tocsin.sqlite"
    shutil.copy(_sqlite_template, copy)
    return f"sqlite:///{copy}"


@pytest.fixture
def postgresql_database_url(_postgresql_databases: SpareDatabases) -> Iterator[str]:
    """The URL of a PostgreSQL database with all tables, nobody else's; fit for `DATABASE_URL` of other processes."""
    with _postgresql_databases.lent() as url:
        yield url


@pytest.fixture(scope="session")
def _postgresql_databases(postgres_url: str, _postgresql_template: str) -> Iterator[SpareDatabases]:
    databases = SpareDatabases(lambda: _postgresql_database(postgres_url, template=_postgresql_template), _DRIVER)
    yield databases
    databases.close()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server where databases may be created, or a skip."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgres"):
        yield given
        return
    binaries = _binaries()
    if binaries is None:
        missing("postgres", "DATABASE_URL names no PostgreSQL, and initdb is not installed (Debian: postgresql)")
    with _Server(Path(str(binaries))) as url:
        yield url


@contextmanager
def postgresql_for_benchmarks() -> Iterator[str | None]:
    """The URL of an empty database of its own on a server as tests have it; None where there is none."""
    given = os.environ.get("DATABASE_URL", "")
    if given.startswith("postgres"):
        with _postgresql_database(given, template="template0") as url:
            yield url
        return
    binaries = _binaries()
    if binaries is None:
        yield None
        return
    with _Server(binaries) as server, _postgresql_database(server, template="template0") as url:
        yield url


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "tocsin.sqlite"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _postgresql_template(postgres_url: str) -> Iterator[str]:
    with _postgresql_database(postgres_url, template="template0") as url:
        _migrate(url)
        yield str(sqlalchemy.make_url(url).database)


def _migrate(url: str) -> None:
    database = Database(url)
    database.upgrade()
    database.close()


@contextmanager
def _postgresql_database(url: str, *, template: str) -> Iterator[str]:
    """Create a database on the server of `url` from a template; drop it at the end."""
    server = sqlalchemy.make_url(url).set(drivername=_DRIVER)
    name = f"tocsin_test_{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sqlalchemy.NullPool)

    def execute(statement: str) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    finally:
        # Processes and threads of the test may still be connected.
        execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class _Server:
    """A PostgreSQL server of our own: on a free port, in a temporary folder, without fsync, gone afterwards."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._folder = Path(tempfile.mkdtemp(prefix="tocsin-postgres-"))
        # PostgreSQL refuses to run as root; then it runs as a user that is on every machine.
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = _somebody_else()
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def __enter__(self) -> str:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        data = self._folder / "data"
        self._run("initdb", "-D", data, "-U", "tocsin", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        settings = (
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c full_page_writes=off"
        )
        self._run("pg_ctl", "-D", data, "-w", "-t", "60", "-l", self._folder / "log", "-o", settings, "start")
        return f"postgresql://tocsin@127.0.0.1:{port}/postgres"

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *arguments: object) -> None:
        # Output goes to a file, not a pipe: the server inherits it and would keep a pipe open for as long as it lives.
        with tempfile.TemporaryFile() as output:
            command = [str(self._binaries / program), *map(str, arguments)]
            done = subprocess.run(command, stdout=output, stderr=output, cwd=self._folder, check=False, **self._as_user)
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} failed:\n{output.read().decode(errors='replace')}")


def _somebody_else() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("PostgreSQL cannot run as root, and there is no user 'postgres' or 'nobody' here")


def _binaries() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda found: float(found.parts[-3]))
    return installed[-1].parent if installed else None
