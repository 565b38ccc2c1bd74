"""`tocsin.yaml` and the environment, read once at the start of a process, checked, and unsafe values refused.

A wrong value is told with its file, line and column and how to mend it; several are told at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import SecretStr, ValidationError, model_validator
from yaml.reader import ReaderError

from tocsin import yaml_places
from tocsin.contracts.settings.base import Settings
from tocsin.contracts.settings.brands import BrandSettings
from tocsin.contracts.settings.bus import BusSettings
from tocsin.contracts.settings.channels import ChannelSettings
from tocsin.contracts.settings.detection import DetectionSettings
from tocsin.contracts.settings.escalating import two_who_escalate
from tocsin.contracts.settings.privacy import PrivacySettings
from tocsin.contracts.settings.protocol import (  # fmt: skip
    DrillSettings,
    PersonSettings,
    PolicySettings,
    ScheduleSettings,
    TeamSettings,
)
from tocsin.contracts.settings.room import (
    AnswerSettings,
    BoardSettings,
    DigestSettings,
    HoldingStatementSettings,
    PlaybookSettings,
    RoleSettings,
)
from tocsin.contracts.settings.services import (
    ApiSettings,
    ClassifierSettings,
    HeartbeatSettings,
    RetentionSettings,
    StorageSettings,
)
from tocsin.contracts.settings.sources import SourceSettings
from tocsin.holiday_calendars import unknown_holidays
from tocsin.mistakes import in_words
from tocsin.references import missing_contacts, missing_in_the_room, missing_references, repeated

CONFIGURATION_FILE = "tocsin.yaml"
MOST_VALUES = 100_000
"""Values that a file may hold, aliases written out: a few lines of aliases of aliases would else never be read to an end."""
_LINE_END = "\n"
_STAND_INS = {
    "secret": f"whsec_{'A' * 43}=",
    "routing_key": "0" * 32,
    "signature_secret": "0" * 32,
    "private_key": "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
    "url": "https://stand-in.example",
}
"""By the key where a variable is asked for that is not set: a value of its form, for a look at the rest of the file."""
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
_LIKE_A_VARIABLE = re.compile(r"\$\{(?![A-Z][A-Z0-9_]*\})[^{}]*\}")


class ConfigurationError(ValueError):
    """The configuration cannot be used; the message says where and how to mend it, a line a finding."""


class Configuration(Settings):
    """Everything that a team wrote down, with defaults for the rest."""

    brands: tuple[BrandSettings, ...] = ()
    sources: tuple[SourceSettings, ...] = ()
    classifier: ClassifierSettings = ClassifierSettings()
    detection: DetectionSettings = DetectionSettings()
    people: tuple[PersonSettings, ...] = ()
    schedules: tuple[ScheduleSettings, ...] = ()
    teams: tuple[TeamSettings, ...] = ()
    policies: tuple[PolicySettings, ...] = ()
    channels: tuple[ChannelSettings, ...] = ()
    drills: tuple[DrillSettings, ...] = ()
    roles: tuple[RoleSettings, ...] = ()
    playbooks: tuple[PlaybookSettings, ...] = ()
    statements: tuple[HoldingStatementSettings, ...] = ()
    answers: tuple[AnswerSettings, ...] = ()
    boards: tuple[BoardSettings, ...] = ()
    digests: tuple[DigestSettings, ...] = ()
    storage: StorageSettings = StorageSettings()
    bus: BusSettings = BusSettings()
    api: ApiSettings = ApiSettings()
    heartbeat: HeartbeatSettings | None = None
    retention: RetentionSettings = RetentionSettings()
    privacy: PrivacySettings = PrivacySettings()

    @model_validator(mode="after")
    def _references_exist(self) -> Self:
        findings = [
            *repeated("brands", (brand.id for brand in self.brands)),
            *repeated("sources", (source.id for source in self.sources)),
            *repeated("people", (person.id for person in self.people)),
            *repeated("schedules", (schedule.id for schedule in self.schedules)),
            *repeated("teams", (team.id for team in self.teams)),
            *repeated("policies", (policy.id for policy in self.policies)),
            *repeated("drills", (drill.id for drill in self.drills)),
            *repeated("channels", (channel.id for channel in self.channels)),
            *repeated("roles", (role.id for role in self.roles)),
            *repeated("playbooks", (playbook.id for playbook in self.playbooks)),
            *repeated("statements", (statement.id for statement in self.statements)),
            *repeated("answers", (answer.id for answer in self.answers)),
            *repeated("boards", (board.id for board in self.boards)),
            *repeated("digests", (digest.brand for digest in self.digests)),
            *repeated("detection.watch", (rule.id for rule in self.detection.watch)),
            *missing_references(self),
            *missing_in_the_room(self),
            *missing_contacts(self),
            *two_who_escalate(self.policies, self.people, self.channels),
            *self._unknown_holidays(),
        ]
        if findings:
            raise ValueError("\n".join(findings))
        return self

    def brand(self, brand_id: str) -> BrandSettings | None:
        """The settings of a brand, or None where the configuration does not know it."""
        return next((brand for brand in self.brands if brand.id == brand_id), None)

    def policy_of(self, brand_id: str) -> PolicySettings | None:
        """The escalation policy of a brand: its own, else the first that is written down."""
        brand = self.brand(brand_id)
        wanted = brand.policy if brand else None
        if wanted is not None:
            return next(policy for policy in self.policies if policy.id == wanted)
        return self.policies[0] if self.policies else None

    def _unknown_holidays(self) -> Iterable[str]:
        """Schedules whose holidays nobody knows."""
        for schedule in self.schedules:
            if schedule.holidays is not None and schedule.holidays.country is not None:
                wrong = unknown_holidays(schedule.holidays.country, schedule.holidays.subdivision)
                if wrong is not None:
                    yield f"schedules.{schedule.id}.holidays: {wrong}"


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says: where the data folder is, and what must not stand in a file."""

    home: Path
    database_url: SecretStr | None
    kafka_bootstrap_servers: str | None
    rehearsal: tuple[datetime, float] | None = None
    """Origin and speed of a rehearsal's clock; None: the machine's own time."""

    @classmethod
    def read(cls, variables: Mapping[str, str] | None = None) -> Environment:
        """From `TOCSIN_HOME` (default `.tocsin`), `DATABASE_URL`, `KAFKA_BOOTSTRAP_SERVERS` and `TOCSIN_REHEARSAL`.

        `TOCSIN_REHEARSAL=60@2026-03-14T20:00:00+01:00` lets time run sixty times as fast since that instant. Raises
        ConfigurationError.
        """
        variables = os.environ if variables is None else variables
        url = variables.get("DATABASE_URL")
        return cls(
            home=Path(variables.get("TOCSIN_HOME") or ".tocsin"),
            database_url=SecretStr(url) if url else None,
            kafka_bootstrap_servers=variables.get("KAFKA_BOOTSTRAP_SERVERS") or None,
            rehearsal=_rehearsal(variables.get("TOCSIN_REHEARSAL")),
        )


def _rehearsal(written: str | None) -> tuple[datetime, float] | None:
    if not written:
        return None
    speed, _, origin = written.partition("@")
    try:
        at = datetime.fromisoformat(origin)
        if at.tzinfo is None or not float(speed) > 0:
            raise ValueError
        return at, float(speed)
    except ValueError as error:
        raise ConfigurationError(
            f"TOCSIN_REHEARSAL={written}: write speed@origin, such as 60@2026-03-14T20:00:00+01:00, or unset it"
        ) from error


def load(path: Path, variables: Mapping[str, str] | None = None) -> Configuration:
    """Read and check a `tocsin.yaml`; `${NAME}` takes a value from the environment.

    Raises `ConfigurationError`, each finding on a line of its own with file, line and column.
    """
    return parse(_text_of(path), name=str(path), variables=variables)


def look_at(path: Path, variables: Mapping[str, str] | None = None) -> tuple[Configuration, list[str]]:
    """Read a `tocsin.yaml` where its secrets may not be, to check the rest of it: values of no use stand in for them.

    The second part has a line for each variable that the file asks for and the environment lacks. Raises `ConfigurationError`
    as `load` does.
    """
    missing: list[str] = []
    try:
        return parse(_text_of(path), name=str(path), variables=variables, missing=missing), missing
    except ConfigurationError:
        if missing:
            # What else is wrong may only come from what stood in.
            raise ConfigurationError("\n".join(missing)) from None
        raise


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: there is no such file; write one, or name it with --config") from error
    except UnicodeDecodeError as error:
        place = _end_of(error.object[: error.start].decode())
        raise ConfigurationError(f"{path}:{place}: is not written in UTF-8; save the file as UTF-8") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); name a file that can be") from error


def parse(
    text: str,
    *,
    name: str = CONFIGURATION_FILE,
    variables: Mapping[str, str] | None = None,
    missing: list[str] | None = None,
) -> Configuration:
    """Check the text of a `tocsin.yaml`; see `load`, and `look_at` for what goes into `missing` where it is given."""
    variables = os.environ if variables is None else variables
    root = compose(text, name)
    raw = yaml.safe_load(text)
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{name}:1:1: the file must hold sections such as 'brands:' and 'policies:'")
    twice = [
        f"{name}:{place}: {key}: stands there twice, and only the last would count; take one out or join them"
        for key, place in yaml_places.repeated_keys(root)
    ]
    absent: list[str] = []
    resolved = _fill_in(raw, variables, absent)
    twice += [
        f"{name}:{place}: {written} names no variable of the environment; write capitals, digits and '_', such as ${{SMS_TOKEN}}"
        for written, place in yaml_places.texts_with(root, _LIKE_A_VARIABLE)
    ]
    wanted = [
        f"{name}:{_where(text, item)}: set {item} in the environment; the file asks for it"
        for item in dict.fromkeys(absent)
    ]
    if missing is not None:
        missing += wanted
    else:
        twice += wanted
    if twice:
        raise ConfigurationError("\n".join(twice))
    try:
        return Configuration.model_validate(resolved)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_findings(error, root, name))) from error


def compose(text: str, name: str = CONFIGURATION_FILE) -> yaml.Node | None:
    """The text as YAML nodes with their places. Raises ConfigurationError where it is no YAML."""
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
        if yaml_places.unfolded_size(root, MOST_VALUES) > MOST_VALUES:
            raise ConfigurationError(
                f"{name}:1:1: aliases ('*name') unfold to more than {MOST_VALUES:,} values, or into themselves; "
                "write out what they stand for"
            )
        wrong = [
            f"{name}:{place}: {written} is no date; write it like 2026-01-05"
            for written, place in yaml_places.no_dates(root)
        ]
        if wrong:
            raise ConfigurationError("\n".join(wrong))
        yaml.safe_load(text)
    except ReaderError as error:
        place = f"{name}:{_end_of(text[: error.position])}"
        raise ConfigurationError(f"{place}: U+{error.character:04X} may not stand in YAML; take it out") from error
    except RecursionError as error:
        raise ConfigurationError(f"{name}:1:1: is nested too deeply; write it flatter") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        problem = getattr(error, "problem", None) or error
        raise ConfigurationError(
            f"{place}: this is not YAML: {problem}; look at the indentation (spaces, no tabs), colons and quotes there"
        ) from error
    return root


def _end_of(before: str) -> str:
    """The line and column behind a text."""
    return f"{before.count(_LINE_END) + 1}:{len(before) - before.rfind(_LINE_END)}"


def _where(text: str, variable: str) -> str:
    for number, line in enumerate(text.splitlines(), start=1):
        column = line.find(f"${{{variable}}}")
        if column >= 0 and not line.lstrip().startswith("#"):
            return f"{number}:{column + 1}"
    return "1:1"


def _fill_in(value: Any, variables: Mapping[str, str], absent: list[str], key: str = "") -> Any:
    if isinstance(value, dict):
        return {name: _fill_in(item, variables, absent, str(name)) for name, item in value.items()}
    if isinstance(value, list):
        return [_fill_in(item, variables, absent, key) for item in value]
    if not isinstance(value, str):
        return value
    # What is set to nothing is as good as not set: an empty secret would let anybody in.
    absent.extend(found for found in _VARIABLE.findall(value) if not variables.get(found))
    return _VARIABLE.sub(lambda found: variables.get(found[1]) or _STAND_INS.get(key, "stand-in"), value)


def _findings(error: ValidationError, root: yaml.Node | None, name: str) -> Iterable[str]:
    found = error.errors(include_url=False)
    for item in found:
        if item["type"] == "too_short" and any(
            item["loc"] == other["loc"][: len(item["loc"])] for other in found if other is not item
        ):
            continue  # only because what stands there is wrong itself
        if not item["loc"]:
            # What does not fit together; each line begins with the names of where it is.
            for line in in_words(item, Configuration.model_json_schema).splitlines():
                at = yaml_places.by_names(root, line.partition(": ")[0])
                yield f"{name}:{at or '1:1'}: {line}"
            continue
        words = in_words(item, Configuration.model_json_schema)
        place = yaml_places.by_location(root, item["loc"])
        # What does not fit together in a section begins with the key that is to be mended.
        key = words.partition(" ")[0].rstrip(":")
        at = yaml_places.key_within(root, item["loc"], key) or place
        path = place.path if place else ""
        if path.rpartition(".")[2] == key:
            words = words.removeprefix(key).lstrip(": ")
        yield f"{name}:{at or '1:1'}: {path + ': ' if path else ''}{words}"
