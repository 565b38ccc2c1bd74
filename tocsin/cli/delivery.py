"""`tocsin drill` and `tocsin notifications`: does the bell reach people, and what did not come through."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated
from uuid import UUID

import typer

from tocsin.cli.failure import WRONG_CALL, CommandFailed
from tocsin.cli.surroundings import ConfigurationFile, clock_of, load_configuration, open_ready_database
from tocsin.config import Configuration, Environment
from tocsin.contracts.incidents import Level
from tocsin.storage import audit, drills, notifications

notification_commands = typer.Typer(help="Messages that did not come through.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add `tocsin drill` and `tocsin notifications`."""
    app.command("drill")(drill)
    app.add_typer(notification_commands, name="notifications")


def drill(  # noqa: PLR0917 - typer names them
    person: Annotated[list[str] | None, typer.Option(help="Ring this person; may be given several times.")] = None,
    everyone: Annotated[bool, typer.Option("--everyone", help="Ring each person, each by themselves.")] = False,
    policy: Annotated[str | None, typer.Option(help="Walk through this policy; default: the first one.")] = None,
    brand: Annotated[str | None, typer.Option(help="The brand that the messages name; default: the first one.")] = None,
    level: Annotated[str, typer.Option(help="orange or red.")] = "orange",
    show: Annotated[bool, typer.Option("--show", help="Only show who answered an exercise last, and when.")] = False,
    config: ConfigurationFile = None,
) -> None:
    """Ring the real chain as an exercise; every message says so. A running alert process does the ringing."""
    from services.alert.drills import ring_by_hand

    configuration, environment = load_configuration(config), Environment.read()
    people = tuple(known.id for known in configuration.people) if everyone else tuple(person or ())
    if not show:
        _check(configuration, people, policy, brand, level)
    with closing(open_ready_database(configuration, environment)) as database:
        if show:
            with database.read() as session:
                answered = drills.last_answered(session)
            for known in configuration.people:
                last = answered.get(f"person:{known.id}")
                print(f"{known.name} ({known.id}): {f'{last.at:%Y-%m-%d %H:%M} UTC' if last else 'never'}")
            return
        wanted = policy if people else policy or configuration.policies[0].id
        rung = ring_by_hand(
            database,
            clock_of(environment),
            configuration,
            people=people,
            policy=wanted,
            brand=brand,
            level=Level(level),
        )
    for identifier in rung:
        print(f"Exercise {identifier} is ringing.")
    print("See who answers: tocsin drill --show")


@notification_commands.command("list")
def list_given_up(config: ConfigurationFile = None) -> None:
    """Show the messages that were given up, the newest first: to whom, on which channel, and why."""
    with (
        closing(open_ready_database(load_configuration(config), Environment.read())) as database,
        database.read() as session,
    ):
        given_up = notifications.given_up(session)
    for status in given_up:
        told = status.notification
        outcome = status.outcome.value if status.outcome else "waiting"
        print(
            f"{told.id}  {told.created_at:%Y-%m-%d %H:%M} UTC  {told.kind} {told.level} {told.content.brand}  "
            f"{told.target} on {told.channel}  {outcome} after {status.attempts}: {status.detail or '-'}"
        )
    print(f"{len(given_up)} messages were given up." if given_up else "Every message came through.")


@notification_commands.command("send-again")
def send_again(
    notification: Annotated[UUID, typer.Argument(help="Its id, as `notifications list` shows it.")],
    config: ConfigurationFile = None,
) -> None:
    """Try a message that was given up once more, now; where its page is not wanted any more, it is not sent after all."""
    environment = Environment.read()
    with (
        closing(open_ready_database(load_configuration(config), environment)) as database,
        database.unit_of_work() as session,
    ):
        now = clock_of(environment).now()
        found = notifications.send_again(session, notification, now)
        if found:
            audit.record(
                session,
                at=now,
                actor=audit.COMMAND_LINE,
                action="notification.sent_again",
                target=str(notification),
            )
    if not found:
        raise CommandFailed(f"no message {notification} was given up; see: tocsin notifications list")
    print(f"{notification} will be tried again.")


def _check(
    configuration: Configuration, people: tuple[str, ...], policy: str | None, brand: str | None, level: str
) -> None:
    known_people = {known.id for known in configuration.people}
    known_policies = {known.id for known in configuration.policies}
    known_brands = {known.id for known in configuration.brands}
    for what, given, known in (
        ("person", people, known_people),
        ("policy", (policy,) if policy else (), known_policies),
        ("brand", (brand,) if brand else (), known_brands),
        ("level", (level,), {"orange", "red"}),
    ):
        for name in given:
            if name not in known:
                raise CommandFailed(
                    f"there is no {what} {name!r}; known are {', '.join(sorted(known)) or 'none'}", WRONG_CALL
                )
    if not known_brands or not (people or known_policies):
        raise CommandFailed("a drill needs a brand, and a policy or people; write them into tocsin.yaml", WRONG_CALL)
