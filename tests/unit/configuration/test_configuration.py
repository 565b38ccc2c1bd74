"""`tocsin.yaml`: good files load; a bad one is refused with file, line, column and how to mend it.

Each bad file begins with what must be said of it (`# expect: …`).
"""

from __future__ import annotations

import base64
from datetime import timedelta
from pathlib import Path

import pytest

from tocsin.config import Configuration, ConfigurationError, Environment, load, parse
from tocsin.contracts.settings.base import format_duration, parse_duration

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[2] / "deploy" / "tocsin.example.yaml"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"not a secret, thirty-two bytes..").decode()
SECRETS = {"RING_SECRET": WEBHOOK_SECRET, "TOCSIN_WEBHOOK_SECRET": WEBHOOK_SECRET}


@pytest.mark.parametrize("path", sorted((HERE / "good").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_good_file_loads(path: Path) -> None:
    assert isinstance(load(path, SECRETS), Configuration)


@pytest.mark.parametrize("path", sorted((HERE / "bad").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_bad_file_is_refused_with_its_place_and_how_to_mend_it(path: Path) -> None:
    expected = [
        line.removeprefix("# expect: ") for line in path.read_text("utf-8").splitlines() if "# expect: " in line
    ]
    assert expected
    with pytest.raises(ConfigurationError) as raised:
        load(path, {})
    for words in expected:
        assert words in str(raised.value)
    assert str(raised.value).startswith(str(path))


def test_the_example_loads_and_its_references_lead_somewhere() -> None:
    configuration = load(EXAMPLE, SECRETS)
    policy = configuration.policy_of("lunea")
    assert policy is not None
    assert policy.id == "evenings-and-weekends"


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="name it with --config"):
        load(tmp_path / "tocsin.yaml")


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
