"""What people can ask of a room. Each is also a request of the API and a form of the page, so its fields are checked here once.

Lengths are in characters. `version` is the one that the person looked at: of a text that has changed since, nothing is decided.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000, pattern=r"\S")]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=r"\S")]
OptionalLine = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]
Number = Annotated[int, Field(ge=1, le=100_000)]
Language = Literal["fr", "en"]
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _a_day(value: Any) -> Any:
    # Of a number pydantic would make the day so many seconds after 1970.
    if not isinstance(value, str) or _DAY.fullmatch(value) is None:
        raise ValueError("write a day like 2026-03-17")
    return value


Day = Annotated[date, BeforeValidator(_a_day)]


def _names_itself(schema: dict[str, Any]) -> None:
    """Says in the description that `command` must be sent: it tells the commands apart, though each knows its own."""
    schema["required"] = ["command", *schema.get("required", ())]


class _Command(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_names_itself)


class BeginPlaybook(_Command):
    """Take over the steps of another playbook than the one that was chosen from the evidence."""

    command: Literal["begin_playbook"] = "begin_playbook"
    playbook: Line


class FinishStep(_Command):
    """A step is done."""

    command: Literal["finish_step"] = "finish_step"
    step: Number
    note: OptionalLine = ""


class ReopenStep(_Command):
    """A step was not done after all."""

    command: Literal["reopen_step"] = "reopen_step"
    step: Number


class SkipStep(_Command):
    """A step is not needed this time, and why; what is required before closing cannot be skipped."""

    command: Literal["skip_step"] = "skip_step"
    step: Number
    reason: Line


class DraftStatement(_Command):
    """Write the first version of a statement."""

    command: Literal["draft_statement"] = "draft_statement"
    language: Language
    channel: Line
    text: Text


class ReviseStatement(_Command):
    """Change the text; every approval and every question for one is taken back."""

    command: Literal["revise_statement"] = "revise_statement"
    statement: Number
    version: Number
    text: Text


class SubmitStatement(_Command):
    """Ask those for their approval whom the level asks for."""

    command: Literal["submit_statement"] = "submit_statement"
    statement: Number
    version: Number


class ApproveStatement(_Command):
    """Stand by a version, in a role that is yours."""

    command: Literal["approve_statement"] = "approve_statement"
    statement: Number
    version: Number
    role: Line | None = None
    """None: the one of the roles asked for that is yours."""


class RefuseStatement(_Command):
    """Send a version back to its author, and why."""

    command: Literal["refuse_statement"] = "refuse_statement"
    statement: Number
    version: Number
    reason: Line


class PublishStatement(_Command):
    """A person has published it, outside Tocsin, which never does."""

    command: Literal["publish_statement"] = "publish_statement"
    statement: Number
    version: Number
    address: OptionalLine = ""


class WithdrawStatement(_Command):
    """It does not stand any more; where it was published, a person takes it down."""

    command: Literal["withdraw_statement"] = "withdraw_statement"
    statement: Number
    reason: Line


class ReleaseHolding(_Command):
    """Release a holding statement that was approved beforehand; whoever is on call does it alone."""

    command: Literal["release_holding"] = "release_holding"
    holding: Line
    language: Language
    fingerprint: Line
    """Of the text that was shown: a changed one is refused."""
    address: OptionalLine = ""


class DraftUpdate(_Command):
    """Draft a situation update now, from the data, without waiting for its time."""

    command: Literal["draft_update"] = "draft_update"


class EditUpdate(_Command):
    """Change a drafted update; a language that is not given stays."""

    command: Literal["edit_update"] = "edit_update"
    update: Number
    version: Number
    fr: Text | None = None
    en: Text | None = None


class SendUpdate(_Command):
    """Send an update to the stakeholders."""

    command: Literal["send_update"] = "send_update"
    update: Number
    version: Number


class OfferHandOver(_Command):
    """Ask somebody to take the incident over."""

    command: Literal["offer_hand_over"] = "offer_hand_over"
    to: Line
    """The person's id."""
    note: OptionalLine = ""


class AcceptHandOver(_Command):
    """Take the incident over."""

    command: Literal["accept_hand_over"] = "accept_hand_over"
    hand_over: Number


class AddFollowUp(_Command):
    """Write down what is left to do."""

    command: Literal["add_follow_up"] = "add_follow_up"
    text: Line
    owner: Line
    due_on: Day | None = None


class FinishFollowUp(_Command):
    """It is done."""

    command: Literal["finish_follow_up"] = "finish_follow_up"
    follow_up: Number


RoomCommand = Annotated[
    BeginPlaybook
    | FinishStep
    | ReopenStep
    | SkipStep
    | DraftStatement
    | ReviseStatement
    | SubmitStatement
    | ApproveStatement
    | RefuseStatement
    | PublishStatement
    | WithdrawStatement
    | ReleaseHolding
    | DraftUpdate
    | EditUpdate
    | SendUpdate
    | OfferHandOver
    | AcceptHandOver
    | AddFollowUp
    | FinishFollowUp,
    Field(discriminator="command"),
]
"""All that people can ask of a room."""
