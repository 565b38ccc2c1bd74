"""`tocsin db`, `dlq`, `keys`, `people` and `sign-in`: what whoever runs Tocsin needs now and then."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Annotated

import typer

from tocsin.access import commands as access
from tocsin.access.passwords import Passwords, UnusablePassword
from tocsin.access.principals import Scope
from tocsin.access.sessions import PERSON_SCOPES
from tocsin.bus.dead_letters import list_dead_letters, replay_dead_letters
from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.cli.surroundings import (
    ConfigurationFile,
    load_configuration,
    open_configured_bus,
    open_database,
    open_ready_database,
)
from tocsin.clock import SystemClock
from tocsin.config import Configuration, Environment
from tocsin.contracts.settings.base import parse_duration
from tocsin.contracts.settings.protocol import PersonSettings
from tocsin.contracts.topics import FLOW
from tocsin.storage import access as stored_access
from tocsin.storage.audit import COMMAND_LINE

database_commands = typer.Typer(help="The database's tables.", no_args_is_help=True)
dead_letter_commands = typer.Typer(help="Records that nobody could read.", no_args_is_help=True)
key_commands = typer.Typer(help="Keys for the API.", no_args_is_help=True)
people_commands = typer.Typer(help="Who signs in to the page, and how.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add `tocsin db`, `dlq`, `keys`, `people` and `sign-in`."""
    app.add_typer(database_commands, name="db")
    app.add_typer(dead_letter_commands, name="dlq")
    app.add_typer(key_commands, name="keys")
    app.add_typer(people_commands, name="people")
    app.command("sign-in")(sign_in)


@database_commands.command("upgrade")
def upgrade(config: ConfigurationFile = None) -> None:
    """Bring the tables to what this version needs; doing it twice changes nothing."""
    with closing(open_database(load_configuration(config), Environment.read())) as database:
        database.upgrade()
    print("The database is up to date.")


@dead_letter_commands.command("list")
def list_letters(config: ConfigurationFile = None) -> None:
    """Show the dead letters: where from, when, and what was wrong; never what somebody wrote."""
    with closing(open_configured_bus(load_configuration(config), Environment.read(), SystemClock())) as bus:
        letters = list_dead_letters(bus, FLOW)
    for letter in letters:
        print(f"{letter.time}  {letter.origin}  {letter.place}: {letter.error}")
    print(f"{len(letters)} dead letters" if letters else "No dead letters.")


@dead_letter_commands.command("replay")
def replay_letters(
    topic: Annotated[str, typer.Argument(help="mentions, removals, classified or incidents.")],
    config: ConfigurationFile = None,
) -> None:
    """Put a topic's dead letters back on it, once what was wrong is mended."""
    if topic not in FLOW:
        raise CommandFailed(f"{topic!r} is no topic; choose among {', '.join(FLOW)}", WRONG_CALL)
    with closing(open_configured_bus(load_configuration(config), Environment.read(), SystemClock())) as bus:
        count = replay_dead_letters(bus, topic)
    print(f"{count} dead letters put back on {topic}.")


@key_commands.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="What the key is for, so that it is known later.")],
    scope: Annotated[list[str], typer.Option(help="send, read, act or admin; may be given several times.")],
    brand: Annotated[list[str] | None, typer.Option(help="Only for this brand; may be given several times.")] = None,
    expires: Annotated[str | None, typer.Option(help="How long it works, such as '90 d'; for ever without.")] = None,
    config: ConfigurationFile = None,
) -> None:
    """Make a key and show it, this once."""
    configuration = load_configuration(config)
    with closing(open_ready_database(configuration, Environment.read())) as database:
        try:
            lifetime = parse_duration(expires) if expires is not None else None
            made = access.create_key(
                database,
                SystemClock(),
                configuration,
                name=name,
                scopes=scope,
                brands=brand or (),
                lifetime=lifetime,  # type: ignore[arg-type]  # a string always becomes a timedelta
            )
        except ValueError as error:
            raise CommandFailed(str(error), WRONG_CALL) from error
    print(made.text)


@key_commands.command("list")
def list_keys(config: ConfigurationFile = None) -> None:
    """Show every key, never its secret."""
    with closing(open_ready_database(load_configuration(config), Environment.read())) as database:
        keys = access.list_keys(database)
    for key in keys:
        state = "revoked" if key.revoked_at else "active"
        until = f", until {key.expires_at:%Y-%m-%d}" if key.expires_at else ""
        print(f"{key.prefix}  {state}{until}  {','.join(sorted(key.scopes))}  {key.name}")
    if not keys:
        print("No keys. Make the first with: tocsin keys create --name NAME --scope read")


@key_commands.command("revoke")
def revoke_key(
    prefix: Annotated[str, typer.Argument(help="Its prefix, as `keys list` shows it.")],
    config: ConfigurationFile = None,
) -> None:
    """Let a key work no more: at once here, within 30 s in other processes."""
    with closing(open_ready_database(load_configuration(config), Environment.read())) as database:
        try:
            access.revoke_key(database, SystemClock(), prefix)
        except access.WrongRequest as error:
            raise CommandFailed(str(error)) from error
    print(f"Revoked {prefix}.")


@people_commands.command("list")
def list_people(config: ConfigurationFile = None) -> None:
    """Show the people of tocsin.yaml, what each may do, and who has a password."""
    configuration = load_configuration(config)
    with closing(open_ready_database(configuration, Environment.read())) as database, database.read() as session:
        with_password = stored_access.people_with_password(session)
    for person in configuration.people:
        password = "password" if person.id in with_password else "link only"
        print(
            f"{person.id}  {','.join(person.access)}  {','.join(person.brands) or 'all brands'}  {password}  {person.name}"
        )
    for gone in sorted(with_password - {person.id for person in configuration.people}):
        print(f"{gone}  has a password but is nobody in tocsin.yaml, and cannot sign in: tocsin people remove-password")


@people_commands.command("set-password")
def set_password(
    person: Annotated[str, typer.Option(help="Whose, by the id in tocsin.yaml.")], config: ConfigurationFile = None
) -> None:
    """Ask for a person's new password (or read a line from standard input), and end their sessions."""
    configuration = load_configuration(config)
    _known(configuration, person)
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    with closing(open_ready_database(configuration, Environment.read())) as database:
        try:
            Passwords(database, SystemClock()).set(person, password, actor=COMMAND_LINE)
        except UnusablePassword as error:
            raise CommandFailed(str(error), WRONG_CALL) from error
    print(f"{person} can sign in with this password from now on.")


@people_commands.command("remove-password")
def remove_password(person: Annotated[str, typer.Option(help="Whose.")], config: ConfigurationFile = None) -> None:
    """Let a person sign in by links or the identity provider only."""
    with closing(open_ready_database(load_configuration(config), Environment.read())) as database:
        if not Passwords(database, SystemClock()).remove(person, actor=COMMAND_LINE):
            raise CommandFailed(f"{person!r} has no password; `tocsin people list` shows who has")
    print(f"{person} has no password any more.")


def sign_in(
    person: Annotated[str, typer.Option(help="Who signs in, by the id in tocsin.yaml.")],
    config: ConfigurationFile = None,
) -> None:
    """Print a link that signs a person in to the page, once."""
    configuration = load_configuration(config)
    known = _known(configuration, person) if configuration.people else None
    base = configuration.api.public_url or f"http://{configuration.api.host}:{configuration.api.port}"
    with closing(open_ready_database(configuration, Environment.read())) as database:
        try:
            print(
                access.sign_in_link(
                    database,
                    SystemClock(),
                    base_url=base,
                    person=person,
                    scopes=frozenset(Scope(name) for name in known.access) if known else PERSON_SCOPES,
                    brands=frozenset(known.brands) or None if known else None,
                )
            )
        except access.WrongRequest as error:
            raise CommandFailed(str(error), WRONG_CALL) from error


def _known(configuration: Configuration, person: str) -> PersonSettings:
    found = next((known for known in configuration.people if known.id == person), None)
    if found is None:
        known_ids = ", ".join(sorted(known.id for known in configuration.people)) or "nobody"
        raise CommandFailed(f"nobody in tocsin.yaml is called {person!r}; known are {known_ids}", WRONG_CALL)
    return found
