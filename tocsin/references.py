"""What sections of `tocsin.yaml` name, and whether it is there: a sentence for each that is not, and how to mend it.

Each sentence begins with where the name stands (`policies.night.red.steps[1].notify[0]`), so that the reader is led to that very line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.config import Configuration

CONTACTS = {"sms": "phone", "call": "phone", "mail": "mail", "slack": "slack"}
"""What a person who is rung on a channel of that kind must have."""


def missing_references(configuration: Configuration) -> Iterator[str]:
    """What the protocol, the watch rules and the sources name and is not there."""
    brands = {brand.id for brand in configuration.brands}
    people = {person.id for person in configuration.people}
    channels = {channel.id for channel in configuration.channels}
    policies = {policy.id for policy in configuration.policies}
    targets = _targets(configuration)
    for brand in configuration.brands:
        yield from _unknown(f"brands.{brand.id}.policy", brand.policy, policies)
    for rule in configuration.detection.watch:
        yield from _unknown_of_many(f"detection.watch.{rule.id}.brands", rule.brands, brands)
    for planned in configuration.detection.planned:
        yield from _unknown_of_many(f"detection.planned.{planned.name}.brands", planned.brands, brands)
    for source in configuration.sources:
        yield from _unknown_of_many(f"sources.{source.id}.brands", source.brands, brands)
    for person in configuration.people:
        place = f"people.{person.id}"
        yield from _unknown_of_many(f"{place}.channels", person.channels, channels)
        for number, link in enumerate(person.chain):
            yield from _unknown(f"{place}.chain[{number}].channel", link.channel, channels)
        yield from _unknown_of_many(f"{place}.brands", person.brands, brands)
    yield from _missing_in_drills(configuration)
    for schedule in configuration.schedules:
        for number, layer in enumerate(schedule.layers):
            yield from _unknown_of_many(f"schedules.{schedule.id}.layers[{number}].people", layer.people, people)
    for team in configuration.teams:
        yield from _unknown_of_many(f"teams.{team.id}.members", team.members, targets)
    for policy in configuration.policies:
        place = f"policies.{policy.id}"
        for name, level in (("orange", policy.orange), ("red", policy.red)):
            for number, step in enumerate(level.steps if level else ()):
                yield from _unknown_of_many(f"{place}.{name}.steps[{number}].notify", step.notify, targets)
        yield from _unknown(f"{place}.fallback", policy.fallback, targets)


def _missing_in_drills(configuration: Configuration) -> Iterator[str]:
    brands = {brand.id for brand in configuration.brands}
    people = {person.id for person in configuration.people}
    policies = {policy.id for policy in configuration.policies}
    for drill in configuration.drills:
        place = f"drills.{drill.id}"
        yield from _unknown_of_many(f"{place}.people", drill.people, people)
        yield from _unknown(f"{place}.policy", drill.policy, policies)
        yield from _unknown(f"{place}.brand", drill.brand, brands)
        if not brands:
            yield f"{place}: the messages name a brand; write one into 'brands'"


def missing_in_the_room(configuration: Configuration) -> Iterator[str]:
    """What the crisis room's sections name and is not there."""
    brands = {brand.id for brand in configuration.brands}
    people = {person.id for person in configuration.people}
    roles = {role.id for role in configuration.roles}
    kinds = {channel.id: channel.kind for channel in configuration.channels}
    targets = _targets(configuration)
    for role in configuration.roles:
        yield from _unknown(f"roles.{role.id}.holder", role.holder, targets)
        yield from _unknown(f"roles.{role.id}.deputy", role.deputy, targets)
    for playbook in configuration.playbooks:
        place = f"playbooks.{playbook.id}"
        yield from _unknown_of_many(f"{place}.brands", playbook.brands, brands)
        for name, level in (("orange", playbook.orange), ("red", playbook.red)):
            for step in level.steps:
                yield from _unknown(f"{place}.{name}.steps.{step.id}.role", step.role, roles)
            approving = getattr(playbook.approvals, name)
            yield from _unknown_of_many(f"{place}.approvals.{name}", approving, roles)
        yield from _unknown(f"{place}.updates_by", playbook.updates_by, roles)
        yield from _unknown_of_many(f"{place}.stakeholders", playbook.stakeholders, targets)
    for statement in configuration.statements:
        yield from _unknown_of_many(f"statements.{statement.id}.brands", statement.brands, brands)
        yield from _unknown(f"statements.{statement.id}.role", statement.role, roles)
    for answer in configuration.answers:
        yield from _unknown_of_many(f"answers.{answer.id}.brands", answer.brands, brands)
        yield from _unknown(f"answers.{answer.id}.owner", answer.owner, people)
    for board in configuration.boards:
        yield from _unknown_of_many(f"boards.{board.id}.brands", board.brands, brands)
    for digest in configuration.digests:
        yield from _unknown(f"digests.{digest.brand}.brand", digest.brand, brands)
        yield from _unknown_of_many(f"digests.{digest.brand}.to", digest.to, people)
        for person in configuration.people:
            if person.id in digest.to and "mail" not in {kinds.get(name) for name in person.every_channel}:
                yield f"digests.{digest.brand}.to: {person.id!r} has no channel of kind 'mail'; give them one"


def missing_contacts(configuration: Configuration) -> Iterator[str]:
    """People who are rung on a channel that does not know where."""
    kinds = {channel.id: channel.kind for channel in configuration.channels}
    for person in configuration.people:
        for channel in person.every_channel:
            contact = CONTACTS.get(kinds.get(channel, ""))
            if contact is not None and getattr(person, contact) is None:
                yield f"people.{person.id}: is rung on {channel!r}, so add '{contact}: …'"


def repeated(section: str, identifiers: Iterable[str]) -> Iterator[str]:
    """Ids that a section has twice."""
    seen: set[str] = set()
    for identifier in identifiers:
        if identifier in seen:
            yield f"{section}.{identifier}: the id {identifier!r} is there twice; give each its own"
        seen.add(identifier)


def what_is_known(wrong: str, known: Collection[str]) -> str:
    """How to mend a name that is not there: the one that was probably meant, and all that there are."""
    # Of people, schedules and channels only those that could stand in its place.
    kind, colon, identifier = wrong.rpartition(":")
    alike = sorted(name for name in known if name.startswith(kind + colon))
    if not alike:
        return "none is written down yet; add it, or mend the spelling"
    close = get_close_matches(identifier, [name.removeprefix(kind + colon) for name in alike], n=1)
    meant = f"did you mean '{kind}{colon}{close[0]}'? " if close else ""
    return f"{meant}known {'is' if len(alike) == 1 else 'are'} {', '.join(alike)}"


def _targets(configuration: Configuration) -> set[str]:
    """Everything that a step can ring."""
    return (
        {f"person:{person.id}" for person in configuration.people}
        | {f"channel:{channel.id}" for channel in configuration.channels}
        | {f"schedule:{schedule.id}" for schedule in configuration.schedules}
        | {f"team:{team.id}" for team in configuration.teams}
    )


def _unknown(place: str, reference: str | None, known: Collection[str]) -> Iterator[str]:
    if reference and reference not in known:
        yield f"{place}: {reference!r} is not there; {what_is_known(reference, known)}"


def _unknown_of_many(place: str, references: Iterable[str], known: Collection[str]) -> Iterator[str]:
    for number, reference in enumerate(references):
        yield from _unknown(f"{place}[{number}]", reference, known)
