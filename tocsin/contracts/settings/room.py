"""`roles`, `playbooks`, `statements`, `answers`, `boards`, `digests`: what a team decides beforehand for the hours after the call."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from tocsin.contracts.events import RiskKind
from tocsin.contracts.settings.base import Duration, Identifier, Settings
from tocsin.contracts.settings.protocol import TargetReference, TimeOfDay

LANGUAGES = ("fr", "en")
LONGEST_TEXT = 10_000


def _in_each_language(value: object) -> object:
    return dict.fromkeys(LANGUAGES, value) if isinstance(value, str) else value


Language = Literal["fr", "en"]
Words = Annotated[
    dict[Language, Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]],
    BeforeValidator(_in_each_language),
    Field(min_length=1),
]
"""A text by language, `{fr: …, en: …}`; a plain text stands for each."""


def words_in(words: dict[Language, str], language: str) -> str:
    """The text in a language, or in whichever there is."""
    return words.get(language) or next(iter(words.values()))  # type: ignore[call-overload]


class RoleSettings(Settings):
    """A part that somebody plays in a crisis: `holder` is asked first, `deputy` is rung when no answer comes in time."""

    id: Identifier
    name: Words
    holder: TargetReference
    deputy: TargetReference | None = None

    @model_validator(mode="after")
    def _people(self) -> Self:
        if any(reference and reference.startswith(("channel:", "team:")) for reference in (self.holder, self.deputy)):
            raise ValueError("a role is held by a person ('person:lea') or whoever is on call ('schedule:nights')")
        return self


class PlaybookStep(Settings):
    """One thing to do: by whom, within how long from the start, and whether the incident may be closed without it."""

    id: Identifier
    title: Words
    detail: Words | None = None
    role: Identifier
    due: Duration
    required: bool = False


class PlaybookLevel(Settings):
    """What a level asks for."""

    steps: tuple[PlaybookStep, ...] = ()
    update_every: Duration | None = timedelta(minutes=30)
    """The cadence of situation updates; null: none are drafted."""


class ApprovalSettings(Settings):
    """In which roles people must approve a statement before it goes out, by level; one person answers for one role only."""

    orange: tuple[Identifier, ...] = Field(min_length=1)
    red: tuple[Identifier, ...] = Field(min_length=2)
    """Two different people at least."""
    deadline: Duration = timedelta(minutes=15)
    """After so long without an answer the role's deputy is rung."""

    @model_validator(mode="after")
    def _different(self) -> Self:
        if any(len(set(roles)) != len(roles) for roles in (self.orange, self.red)):
            raise ValueError("approvals: name each role once; red needs two different ones")
        return self


class PlaybookSettings(Settings):
    """What is to be done in a crisis of some kind. The steps of `red` come in addition to those of `orange`."""

    id: Identifier
    name: Words
    brands: tuple[Identifier, ...] = ()
    """None: every brand."""
    kinds: tuple[RiskKind, ...] = ()
    """The kinds of risk that the crisis is about; none: any. The first playbook that fits is taken, else the brand's first."""
    orange: PlaybookLevel
    red: PlaybookLevel = PlaybookLevel()
    approvals: ApprovalSettings
    updates_by: Identifier
    """The role that sends situation updates."""
    stakeholders: tuple[TargetReference, ...] = ()
    """Whom situation updates go to."""
    escalate_after: Duration = timedelta(minutes=5)
    """How long after an overdue step rang its role's holder the deputy is rung, and then the policy's fallback."""

    @model_validator(mode="after")
    def _steps_differ(self) -> Self:
        ids = [step.id for step in (*self.orange.steps, *self.red.steps)]
        if len(set(ids)) != len(ids):
            raise ValueError("steps: each needs an id of its own within the playbook; red only adds steps to orange's")
        return self

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role that it names."""
        steps = (*self.orange.steps, *self.red.steps)
        return (*(step.role for step in steps), *self.approvals.orange, *self.approvals.red, self.updates_by)


class HoldingStatementSettings(Settings):
    """A statement that is approved before anything happens, and that the person on call then releases alone.

    `{{ brand }}`, `{{ date }}` and `{{ time }}` are filled in. It is approved on the page, text by text; a text that is changed
    afterwards is not approved any more.
    """

    id: Identifier
    title: Words
    kinds: tuple[RiskKind, ...] = ()
    brands: tuple[Identifier, ...] = ()
    channel: str = Field(min_length=1, max_length=100)
    """Where it is meant for, in words: `press`, `Instagram`, `help page`."""
    texts: dict[Language, Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]] = Field(min_length=1)
    role: Identifier
    """Whose holder or deputy approves it."""
    valid_for: Duration = timedelta(days=90)
    """How long an approval holds."""


class AnswerSettings(Settings):
    """A prepared answer to what people write. Tocsin never posts it: a person copies it and says that they used it."""

    id: Identifier
    brands: tuple[Identifier, ...] = ()
    kinds: tuple[str, ...] = Field(min_length=1)
    """Kinds of request, in the team's words (`refund`, `thanks`), or kinds of risk as the network knows them (`product_safety`)."""
    words: tuple[str, ...] = ()
    """It is offered beside mentions that contain one of these, and those of its kinds of risk."""
    language: Language
    networks: tuple[str, ...] = ()
    """Sources it is meant for (`bluesky`, `reviews`); none: any."""
    text: str = Field(min_length=1, max_length=LONGEST_TEXT)
    """`{{ brand }}` and `{{ author }}` are filled in."""
    service: str | None = None
    """Who takes over, such as `@lunea_aide` or `after-sales, +33 1 …`."""
    owner: Identifier
    """The person who answers for it."""
    version: int = Field(default=1, ge=1)


class _Board(Settings):
    id: Identifier
    brands: tuple[Identifier, ...] = ()
    """None: every brand."""
    language: Language = "en"
    timeout: Duration = timedelta(seconds=10)
    url: str
    allow_private_address: bool = False
    """Allow an address on a private network or this machine, and plain http, which are else refused (request forgery)."""

    @model_validator(mode="after")
    def _url_is_safe(self) -> Self:
        if not self.url.startswith("https://") and not (self.allow_private_address and self.url.startswith("http://")):
            raise ValueError("url must begin with https://; plain http is for private addresses")
        return self


class TrelloBoard(_Board):
    """Playbook steps become cards of one list."""

    kind: Literal["trello"]
    key: SecretStr
    token: SecretStr
    list_id: str = Field(pattern=r"^[0-9a-f]{24}$")
    url: str = "https://api.trello.com"


class AsanaBoard(_Board):
    """Playbook steps become tasks of one project."""

    kind: Literal["asana"]
    token: SecretStr
    """A personal or service account's access token."""
    project: str = Field(pattern=r"^\d{1,20}$")
    url: str = "https://app.asana.com"


BoardSettings = Annotated[TrelloBoard | AsanaBoard, Field(discriminator="kind")]


class DigestSettings(Settings):
    """A mail each morning about one brand: the night, what almost rang and why it did not, who is on call today."""

    brand: Identifier
    at: TimeOfDay
    """On the clock of the brand."""
    to: tuple[Identifier, ...] = Field(min_length=1)
    """People; each gets it on their channels of kind `mail`."""
