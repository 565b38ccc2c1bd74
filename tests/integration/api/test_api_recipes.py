"""What docs/api.md tells people to ask is answered."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from tests.newsroom import KeyMaker, Newsroom
from tocsin.storage.database import Database

RECIPES = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8").split("## Recipes")[1]
ADDRESS = "http://127.0.0.1:8080"


def asked() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every address of the recipes, with its parameters, also those that curl takes from `-d`."""
    commands = re.findall(r"^curl (?:.|\\\n)*?$(?<!\\)", RECIPES, re.MULTILINE)
    found = []
    for command in commands:
        words = shlex.split(command.replace("\\\n", " "))
        (address,) = [word for word in words if word.startswith(ADDRESS)]
        given = [words[place + 1] for place, word in enumerate(words) if word in ("-d", "--data-urlencode")]
        found.append((address, [tuple(item.split("=", 1)) for item in given]))
    others = re.findall(rf'(?<!curl ){ADDRESS}/[^\s"]*\?[^\s"\']*', RECIPES)
    instants = {"${__from:date:iso}": "2026-03-10T10:00:00.000Z", "${__to:date:iso}": "2026-03-10T20:00:00.000Z"}
    for address in others:
        for name, instant in instants.items():
            address = address.replace(name, instant)  # noqa: PLW2901
        found.append((address, []))
    return [
        (urlsplit(address).path.replace("nordlys", "acme"), [
            (name, value.replace("nordlys", "acme")) for name, value in [*parse_qsl(urlsplit(address).query), *parameters]
        ])
        for address, parameters in found
    ]  # fmt: skip


def test_every_address_of_the_recipes_answers(client: TestClient, key: KeyMaker, newsroom: Newsroom) -> None:
    newsroom.say("one", text="glass shards")
    reader = key("read")
    recipes = asked()
    assert len(recipes) >= 6
    for path, parameters in recipes:
        answer = client.get(path, params=parameters, headers=reader)
        assert answer.status_code == 200, (path, parameters, answer.text)


def test_grafana_reads_the_hours_that_were_counted(database: Database, newsroom: Newsroom) -> None:
    if not database.is_postgresql:
        pytest.skip("Grafana's PostgreSQL source reads PostgreSQL")
    newsroom.say("one")
    newsroom.count()
    (query,) = re.findall(r"```sql\n(SELECT .*?);", RECIPES, re.DOTALL)
    with database.read() as session:
        rows = session.execute(text(query.replace("nordlys", "acme").replace("$__timeFilter(hour)", "true"))).all()
    assert [(row.mentions, row.negative) for row in rows] == [(1, 1)]
