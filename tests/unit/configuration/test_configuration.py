"""`tocsin.yaml`: good files load; a bad one is refused with file, line, column and how to mend it.

Each bad file begins with what must be said of it (`# expect: …`).
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema_rs
import pytest
import yaml

from tocsin.cli.check import findings, json_schema
from tocsin.config import Configuration, ConfigurationError, Environment, load, look_at, parse
from tocsin.contracts.settings.base import format_duration, parse_duration

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[2] / "deploy" / "tocsin.example.yaml"
EXEMPLE = HERE.parents[2] / "deploy" / "tocsin.exemple.yaml"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"not a secret, thirty-two bytes..").decode()
PLACE = re.compile(r":\d+:\d+: .+")
SPRING = datetime(2026, 3, 20, 12, tzinfo=UTC)
SECRETS = {"RING_SECRET": WEBHOOK_SECRET, "TOCSIN_WEBHOOK_SECRET": WEBHOOK_SECRET, "TWILIO_TOKEN": "twilio"}


@pytest.mark.parametrize("path", sorted((HERE / "good").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_good_file_loads(path: Path) -> None:
    assert isinstance(load(path, SECRETS), Configuration)


@pytest.mark.parametrize("path", sorted((HERE / "bad").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_bad_file_is_refused_with_its_place_and_how_to_mend_it(path: Path) -> None:
    expected = [
        line.removeprefix("# expect: ")
        for line in path.read_text("utf-8", "replace").splitlines()
        if "# expect: " in line
    ]
    assert expected
    told = what_is_said_of(path)
    for words in expected:
        assert words in told
    assert all(PLACE.match(line.removeprefix(str(path))) for line in told.splitlines()), told


def what_is_said_of(path: Path) -> str:
    """As `tocsin check` says it in the spring of 2026; what only warns would not be refused."""
    try:
        configuration = load(path, {})
    except ConfigurationError as error:
        return str(error)
    found = findings(configuration, path, SPRING)
    assert "error" in {item.severity for item in found}
    return "\n".join(item.text for item in found)


def test_at_least_twenty_five_kinds_of_mistakes_are_explained() -> None:
    first_words = {
        re.sub(r"'[^']*'|[0-9]+", "…", line.partition("# expect: ")[2].split(": ", 2)[-1])
        for path in (HERE / "bad").glob("*.yaml")
        for line in path.read_text("utf-8", "replace").splitlines()[:1]
    }
    assert len(first_words) >= 25


@pytest.mark.parametrize("path", [EXAMPLE, EXEMPLE], ids=["english", "french"])
def test_the_example_holds_together_and_wakes_somebody_at_every_minute(path: Path) -> None:
    configuration = load(path, SECRETS)
    assert findings(configuration, path, SPRING) == []
    policy = configuration.policy_of("lunea")
    assert policy is not None
    assert policy.red is not None
    assert policy.fallback == "person:dominique"
    assert path.read_text("utf-8").startswith("# yaml-language-server: $schema=")


def test_the_two_examples_say_the_same() -> None:
    english, french = (load(path, SECRETS) for path in (EXAMPLE, EXEMPLE))
    for section in (
        "brands",
        "people",
        "schedules",
        "teams",
        "policies",
        "roles",
        "playbooks",
        "channels",
        "digests",
        "drills",
    ):
        assert len(getattr(english, section)) == len(getattr(french, section))
    for one, other in zip(english.policies, french.policies, strict=True):
        assert [step.wait for step in one.orange.steps] == [step.wait for step in other.orange.steps]


@pytest.mark.parametrize(
    "path", [EXAMPLE, EXEMPLE, *sorted((HERE / "good").glob("*.yaml"))], ids=lambda path: path.stem
)
def test_the_schema_for_editors_accepts_what_is_right(path: Path) -> None:
    assert [error.message for error in schema_errors(path)] == []


@pytest.mark.parametrize(
    "name",
    ["unknown_key", "unknown_section", "weekday_misspelt", "duration_without_unit", "steps_that_ring_nobody", "bad_id"],
)
def test_the_schema_for_editors_finds_what_an_editor_can_find(name: str) -> None:
    assert schema_errors(HERE / "bad" / f"{name}.yaml")


def test_the_published_schema_is_the_present_one() -> None:
    published = json.loads((EXAMPLE.parent / "tocsin.schema.json").read_text("utf-8"))
    assert published == json_schema(), "tocsin check --schema > deploy/tocsin.schema.json"


def schema_errors(path: Path) -> list[jsonschema_rs.ValidationError]:
    # JSON has no dates; an editor sees what is written.
    written = json.loads(json.dumps(yaml.safe_load(path.read_text("utf-8")) or {}, default=str))
    return list(jsonschema_rs.Draft202012Validator(json_schema()).iter_errors(written))


def test_every_section_and_key_of_the_schema_says_what_it_means() -> None:
    described = json_schema()
    assert described["$schema"].endswith("2020-12/schema")
    rotation = described["$defs"]["RotationSettings"]["properties"]
    assert "whole number make a day" in rotation["length"]["description"]
    assert described["$defs"]["LevelPolicy"]["properties"]["repeat_after"]["pattern"]


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="name it with --config"):
        load(tmp_path / "tocsin.yaml")


def test_where_secrets_are_missing_the_rest_is_checked_all_the_same() -> None:
    configuration, missing = look_at(EXAMPLE, {"TWILIO_TOKEN": ""})
    assert [line.rpartition(": set ")[2] for line in missing] == [
        "TOCSIN_WEBHOOK_SECRET in the environment; the file asks for it",
        "TWILIO_TOKEN in the environment; the file asks for it",
    ]
    assert findings(configuration, EXAMPLE, SPRING) == []
    with pytest.raises(ConfigurationError, match="set TWILIO_TOKEN"):
        load(EXAMPLE, {**SECRETS, "TWILIO_TOKEN": ""})


def test_what_is_allowed_and_probably_not_meant_is_worth_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "tocsin.yaml"
    path.write_text(
        """
brands: [{id: lunea, names: [Lunéa]}]
api: {public_url: https://a-very-long-name.of-a-department.of-a-company.example}
people: [{id: lea, name: Léa, channels: [phone]}]
channels: [{kind: terminal, id: phone, wakes: true}]
teams: [{id: cell, members: ["person:lea"]}]
policies:
  - {id: first, orange: {steps: [{notify: ["person:lea"]}], repeat_after: 1 s}, fallback: person:lea}
  - {id: second, orange: {steps: [{notify: ["person:lea"]}]}, fallback: person:lea}
""",
        encoding="utf-8",
    )
    told = [item.text.removeprefix(f"{path}:") for item in findings(load(path, {}), path, SPRING)]
    assert told == [
        "3:7: warning: api.public_url: has 61 characters, which leave a text message hardly any room to say why it rings; "
        "give a name of 48 at most",
        "6:9: warning: teams.cell: is rung by no policy; nobody in it is called together",
        "8:61: warning: policies.first.orange.repeat_after: is shorter than 30 s, so the next round rings before anybody could "
        "answer",
        "9:5: warning: policies.second: is no brand's; write 'policy: …' into the brand that it is for",
    ]


def test_all_findings_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse("brands:\n  - {id: A}\n  - {id: b, colour: red}\n")
    assert len(str(raised.value).splitlines()) == 2


def test_a_secret_never_shows_when_the_configuration_is_printed() -> None:
    text = (HERE / "good" / "secret_from_environment.yaml").read_text("utf-8")
    assert WEBHOOK_SECRET not in repr(parse(text, variables=SECRETS))


def test_a_brand_without_a_policy_of_its_own_has_the_first() -> None:
    assert Configuration().policy_of("lunea") is None
    assert load(EXAMPLE, SECRETS).policy_of("a-brand-that-nobody-wrote-down") is not None


def test_the_environment_says_where_data_lies_and_hides_the_database_password() -> None:
    environment = Environment.read({"TOCSIN_HOME": "/srv/tocsin", "DATABASE_URL": "postgresql://t:hunter2@db/t"})
    assert environment.home == Path("/srv/tocsin")
    assert "hunter2" not in repr(environment)
    assert Environment.read({}).home == Path(".tocsin")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90 s", 90), ("15 min", 900), ("1h 30min", 5400), ("4 d", 345_600), ("250 ms", 0.25), ("1.5 h", 5400)],
)
def test_durations_are_written_with_their_unit(written: str, seconds: float) -> None:
    assert parse_duration(written) == timedelta(seconds=seconds)
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize("written", ["soon", "5 parsecs", "", "min", "5 min or so"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(written)
