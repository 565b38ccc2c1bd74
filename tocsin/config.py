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

CONFIGURATION_FILE = "tocsin.yaml"
CONTACTS = {"sms": "phone", "call": "phone", "mail": "mail", "slack": "slack"}
"""What a person who is rung on a channel of that kind must have."""
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


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
            *_repeated("brands", (brand.id for brand in self.brands)),
            *_repeated("sources", (source.id for source in self.sources)),
            *_repeated("people", (person.id for person in self.people)),
            *_repeated("schedules", (schedule.id for schedule in self.schedules)),
            *_repeated("policies", (policy.id for policy in self.policies)),
            *_repeated("drills", (drill.id for drill in self.drills)),
            *_repeated("channels", (channel.id for channel in self.channels)),
            *_repeated("roles", (role.id for role in self.roles)),
            *_repeated("playbooks", (playbook.id for playbook in self.playbooks)),
            *_repeated("statements", (statement.id for statement in self.statements)),
            *_repeated("answers", (answer.id for answer in self.answers)),
            *_repeated("boards", (board.id for board in self.boards)),
            *_repeated("digests", (digest.brand for digest in self.digests)),
            *_repeated("detection.watch", (rule.id for rule in self.detection.watch)),
            *self._missing_references(),
            *self._missing_in_the_room(),
            *self._missing_contacts(),
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

    def _missing_references(self) -> Iterable[str]:
        brands = {brand.id for brand in self.brands}
        people = {person.id for person in self.people}
        channels = {channel.id for channel in self.channels}
        policies = {policy.id for policy in self.policies}
        known = (
            {f"person:{person}" for person in people}
            | {f"channel:{channel}" for channel in channels}
            | {f"schedule:{schedule.id}" for schedule in self.schedules}
        )
        for brand in self.brands:
            yield from _unknown(f"brands.{brand.id}.policy", [brand.policy] if brand.policy else [], policies)
        for rule in self.detection.watch:
            yield from _unknown(f"detection.watch.{rule.id}.brands", rule.brands, brands)
        for planned in self.detection.planned:
            yield from _unknown(f"detection.planned.{planned.name}.brands", planned.brands, brands)
        for source in self.sources:
            yield from _unknown(f"sources.{source.id}.brands", source.brands, brands)
        for person in self.people:
            yield from _unknown(f"people.{person.id}.channels", person.every_channel, channels)
            yield from _unknown(f"people.{person.id}.brands", person.brands, brands)
        for drill in self.drills:
            yield from _unknown(f"drills.{drill.id}.people", drill.people, people)
            yield from _unknown(f"drills.{drill.id}.policy", [drill.policy] if drill.policy else [], policies)
            yield from _unknown(f"drills.{drill.id}.brand", [drill.brand] if drill.brand else [], brands)
            if not brands:
                yield f"drills.{drill.id}: the messages name a brand; write one into 'brands'"
        for schedule in self.schedules:
            for layer in schedule.layers:
                yield from _unknown(f"schedules.{schedule.id}.layers.people", layer.people, people)
        for policy in self.policies:
            for level in (policy.orange, policy.red):
                for step in level.steps if level else ():
                    yield from _unknown(f"policies.{policy.id}.steps.notify", step.notify, known)
            yield from _unknown(f"policies.{policy.id}.fallback", [policy.fallback] if policy.fallback else [], known)

    def _missing_in_the_room(self) -> Iterable[str]:
        """What the crisis room's sections name and is not there."""
        brands = {brand.id for brand in self.brands}
        people = {person.id for person in self.people}
        roles = {role.id for role in self.roles}
        kinds = {channel.id: channel.kind for channel in self.channels}
        known = (
            {f"person:{person}" for person in people}
            | {f"channel:{channel}" for channel in kinds}
            | {f"schedule:{schedule.id}" for schedule in self.schedules}
        )
        for role in self.roles:
            held = [reference for reference in (role.holder, role.deputy) if reference]
            yield from _unknown(f"roles.{role.id}", held, known)
        for playbook in self.playbooks:
            place = f"playbooks.{playbook.id}"
            yield from _unknown(f"{place}.brands", playbook.brands, brands)
            yield from _unknown(f"{place}: role", dict.fromkeys(playbook.roles), roles)
            yield from _unknown(f"{place}.stakeholders", playbook.stakeholders, known)
        for statement in self.statements:
            yield from _unknown(f"statements.{statement.id}.brands", statement.brands, brands)
            yield from _unknown(f"statements.{statement.id}.role", [statement.role], roles)
        for answer in self.answers:
            yield from _unknown(f"answers.{answer.id}.brands", answer.brands, brands)
            yield from _unknown(f"answers.{answer.id}.owner", [answer.owner], people)
        for board in self.boards:
            yield from _unknown(f"boards.{board.id}.brands", board.brands, brands)
        for digest in self.digests:
            yield from _unknown("digests.brand", [digest.brand], brands)
            yield from _unknown(f"digests.{digest.brand}.to", digest.to, people)
            for person in self.people:
                if person.id in digest.to and "mail" not in {kinds.get(name) for name in person.every_channel}:
                    yield f"digests.{digest.brand}.to: {person.id!r} has no channel of kind 'mail'; give them one"

    def _missing_contacts(self) -> Iterable[str]:
        """People who are rung on a channel that does not know where."""
        kinds = {channel.id: channel.kind for channel in self.channels}
        for person in self.people:
            for channel in person.every_channel:
                contact = CONTACTS.get(kinds.get(channel, ""))
                if contact is not None and getattr(person, contact) is None:
                    yield f"people.{person.id}: is rung on {channel!r}, so add '{contact}: …'"

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
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path}: there is no such file; write one, or name it with --config") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    return parse(text, name=str(path), variables=variables)


def parse(text: str, *, name: str = CONFIGURATION_FILE, variables: Mapping[str, str] | None = None) -> Configuration:
    """Check the text of a `tocsin.yaml`; see `load`."""
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
    missing: list[str] = []
    resolved = _fill_in(raw, variables, missing)
    twice += [
        f"{name}:{_where(text, item)}: set {item} in the environment; the file asks for it"
        for item in dict.fromkeys(missing)
    ]
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
        wrong = [
            f"{name}:{place}: {written} is no date; write it like 2026-01-05"
            for written, place in yaml_places.no_dates(root)
        ]
        if wrong:
            raise ConfigurationError("\n".join(wrong))
        yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        problem = getattr(error, "problem", None) or error
        raise ConfigurationError(
            f"{place}: this is not YAML: {problem}; look at the indentation (spaces, no tabs), colons and quotes there"
        ) from error
    return root


def _where(text: str, variable: str) -> str:
    for number, line in enumerate(text.splitlines(), start=1):
        column = line.find(f"${{{variable}}}")
        if column >= 0 and not line.lstrip().startswith("#"):
            return f"{number}:{column + 1}"
    return "1:1"


def _fill_in(value: Any, variables: Mapping[str, str], missing: list[str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill_in(item, variables, missing) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill_in(item, variables, missing) for item in value]
    if not isinstance(value, str):
        return value
    missing.extend(found for found in _VARIABLE.findall(value) if found not in variables)
    return _VARIABLE.sub(lambda found: variables.get(found[1], ""), value)


def _findings(error: ValidationError, root: yaml.Node | None, name: str) -> Iterable[str]:
    found = error.errors(include_url=False, include_input=False)
    for item in found:
        if item["type"] == "too_short" and any(
            item["loc"] == other["loc"][: len(item["loc"])] for other in found if other is not item
        ):
            continue  # only because what stands there is wrong itself
        if not item["loc"]:
            # What does not fit together; each line begins with the names of where it is.
            for line in in_words(item).splitlines():
                at = yaml_places.by_names(root, line.partition(": ")[0])
                yield f"{name}:{at or '1:1'}: {line}"
            continue
        place = yaml_places.by_location(root, item["loc"])
        yield f"{name}:{place or '1:1'}: {place.path + ': ' if place and place.path else ''}{in_words(item)}"


def _repeated(section: str, identifiers: Iterable[str]) -> Iterable[str]:
    seen: set[str] = set()
    for identifier in identifiers:
        if identifier in seen:
            yield f"{section}.{identifier}: the id {identifier!r} is there twice; give each its own"
        seen.add(identifier)


def _unknown(place: str, references: Iterable[str], known: set[str]) -> Iterable[str]:
    for reference in references:
        if reference not in known:
            yield f"{place}: {reference!r} is not there; known are {', '.join(sorted(known)) or 'none'}"
