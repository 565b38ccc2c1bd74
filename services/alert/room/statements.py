"""Statements: draft → submitted → approved → published → withdrawn, and holding statements that were approved beforehand.

An approval is of one version, by a person in a role that is theirs, and one person answers for one role only; so at red two
different people stand by every word. Whatever was decided on an older version than the present one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.alert.room import calling
from services.alert.room.commands import (
    ApproveStatement,
    DraftStatement,
    PublishStatement,
    RefuseStatement,
    ReviseStatement,
    SubmitStatement,
    WithdrawStatement,
)
from services.alert.room.draft import RoomDraft, find
from tocsin.contracts.incidents import IncidentEventType, Level
from tocsin.contracts.room import Approval, AskKind, RoomDecision, Statement, StatementState, TextVersion
from tocsin.contracts.settings.room import ApprovalSettings

MOST_STATEMENTS = 200
MOST_VERSIONS = 100


@dataclass(frozen=True, slots=True)
class HoldingText:
    """A holding statement as it may be released: its words filled in, and who approved them until when."""

    id: str
    language: str
    channel: str
    text: str
    fingerprint: str
    approved_by: str
    role: str
    approved_at: datetime
    expires_at: datetime


def write(draft: RoomDraft, command: DraftStatement, actor: str) -> RoomDecision:
    """The first version; a draft that its author sends again, word for word, is the same one."""
    if any(_same_draft(statement, command, actor) for statement in draft.room.statements):
        return draft.decision()
    number = len(draft.room.statements) + 1
    if number > MOST_STATEMENTS:
        return draft.illegal(f"this room has {MOST_STATEMENTS} statements; revise one of them")
    draft.put(
        "statements",
        Statement(
            number=number,
            language=command.language,
            channel=command.channel,
            state=StatementState.DRAFT,
            versions=(TextVersion(version=1, text=command.text, by=actor, at=draft.now),),
        ),
    )
    draft.record(
        IncidentEventType.STATEMENT_DRAFTED, actor, statement=number, version=1, channel=command.channel,
        language=command.language, text=command.text,
    )  # fmt: skip
    return draft.decision()


def _same_draft(statement: Statement, command: DraftStatement, actor: str) -> bool:
    """A form that was submitted twice, or a request whose answer was lost."""
    first = statement.versions[0]
    return (
        statement.state is StatementState.DRAFT
        and len(statement.versions) == 1
        and (statement.language, statement.channel) == (command.language, command.channel)
        and (first.text, first.by) == (command.text, actor)
    )


def revise(draft: RoomDraft, command: ReviseStatement, actor: str) -> RoomDecision:
    """Another version; nobody has approved that one yet."""
    statement = find(draft.room.statements, command.statement)
    if (refused := _unfit(draft, statement, command.statement, command.version)) is not None or statement is None:
        return refused or _no_statement(draft, command.statement)
    if statement.state in (StatementState.PUBLISHED, StatementState.WITHDRAWN):
        return draft.illegal(f"the statement is {statement.state}; withdraw it and draft another")
    if command.text == statement.text:
        return draft.decision()
    if len(statement.versions) >= MOST_VERSIONS:
        return draft.illegal(f"it has {MOST_VERSIONS} versions; draft another statement")
    version = TextVersion(version=statement.version + 1, text=command.text, by=actor, at=draft.now)
    draft.put(
        "statements",
        statement,
        versions=(*statement.versions, version),
        state=StatementState.DRAFT,
        roles=(),
        approvals=(),
        refused=None,
        refused_by=None,
    )
    draft.stop_asking(AskKind.APPROVAL, statement.number)
    draft.record(
        IncidentEventType.STATEMENT_REVISED, actor, statement=statement.number, version=version.version,
        text=command.text, approvals_taken_back=[approval.by for approval in statement.approvals] or None,
    )  # fmt: skip
    return draft.decision()


def submit(draft: RoomDraft, command: SubmitStatement, actor: str) -> RoomDecision:
    """Ask for approval: each role's holder at once, by a message with a link; its deputy after the deadline."""
    statement = find(draft.room.statements, command.statement)
    if (refused := _unfit(draft, statement, command.statement, command.version)) is not None or statement is None:
        return refused or _no_statement(draft, command.statement)
    if statement.state is StatementState.SUBMITTED:
        return draft.decision()
    if statement.state is not StatementState.DRAFT:
        return draft.illegal(f"the statement is {statement.state} already")
    asked = _approvals(draft)
    if asked is None:
        return draft.illegal(
            "no playbook says who approves a statement; begin one, or write 'approvals' into tocsin.yaml"
        )
    roles = asked.red if draft.incident.level is Level.RED else asked.orange
    draft.put("statements", statement, state=StatementState.SUBMITTED, roles=roles, refused=None, refused_by=None)
    draft.record(
        IncidentEventType.STATEMENT_SUBMITTED,
        actor,
        statement=statement.number,
        version=statement.version,
        roles=list(roles),
        deadline=(draft.now + asked.deadline).isoformat(),
    )
    for role in roles:
        _ask_for(draft, statement, role, asked)
    return draft.decision()


def level_rose(draft: RoomDraft) -> None:
    """What was submitted or approved at orange needs red's roles, too, once it is red and not out yet."""
    asked = _approvals(draft)
    if asked is None or draft.incident.level is not Level.RED:
        return
    for statement in draft.room.statements:
        waiting = statement.state in (StatementState.SUBMITTED, StatementState.APPROVED) and not statement.holding
        missing = [role for role in asked.red if role not in statement.roles]
        if waiting and missing:
            roles = (*statement.roles, *missing)
            changed = draft.put("statements", statement, roles=roles, state=StatementState.SUBMITTED)
            for role in missing:
                _ask_for(draft, changed, role, asked)


def _ask_for(draft: RoomDraft, statement: Statement, role: str, asked: ApprovalSettings) -> None:
    by = draft.now + asked.deadline
    ask = draft.ask(AskKind.APPROVAL, statement.number, by=by, ring_at=draft.now, role=role, version=statement.version)
    calling.ring(draft, ask)


def approve(draft: RoomDraft, command: ApproveStatement, actor: str) -> RoomDecision:
    """One person in one role stands by the present version; with the last one missing it is approved."""
    statement = find(draft.room.statements, command.statement)
    if (refused := _unfit(draft, statement, command.statement, command.version)) is not None or statement is None:
        return refused or _no_statement(draft, command.statement)
    if statement.state not in (StatementState.SUBMITTED, StatementState.APPROVED):
        return draft.illegal(f"the statement is {statement.state}; it is approved once it was submitted")
    role, refused = _role_to_approve_in(draft, statement, command, actor)
    if refused is not None:
        return refused
    if role is None:
        return draft.decision()  # the same again
    approval = Approval(role=role, by=actor, at=draft.now, version=statement.version)
    approvals = (*statement.approvals, approval)
    complete = {given.role for given in approvals} >= set(statement.roles)
    state = StatementState.APPROVED if complete else StatementState.SUBMITTED
    draft.put("statements", statement, approvals=approvals, state=state)
    draft.stop_asking(AskKind.APPROVAL, statement.number, role=role)
    draft.record(
        IncidentEventType.STATEMENT_APPROVED, actor, statement=statement.number, version=statement.version,
        role=role, complete=complete,
    )  # fmt: skip
    return draft.decision()


def _role_to_approve_in(
    draft: RoomDraft, statement: Statement, command: ApproveStatement, actor: str
) -> tuple[str | None, RoomDecision | None]:
    """The role; or None with a refusal, or None alone where this person has approved it in that role already."""
    if command.role is not None and command.role not in statement.roles:
        wanted = ", ".join(statement.roles)
        return None, draft.illegal(f"this statement asks for approval as {wanted}, not as {command.role!r}")
    given = {approval.role: approval.by for approval in statement.approvals}
    mine = [role for role in statement.roles if draft.team.plays(actor, role, draft.now)]
    wanted_roles = [command.role] if command.role is not None else mine
    if not mine or (command.role is not None and command.role not in mine):
        roles = ", ".join(wanted_roles or statement.roles)
        return None, draft.forbidden(
            f"only whoever plays the role {roles} may approve this; that is not you at the moment"
        )
    if actor in given.values():
        if any(given.get(role) == actor for role in wanted_roles):
            return None, None
        return None, draft.forbidden(
            "you approved it in another role already, and two different people must stand by it"
        )
    free = [role for role in wanted_roles if role not in given]
    if not free:
        return None, draft.illegal("somebody else has approved it in that role already; nothing is missing there")
    return free[0], None


def send_back(draft: RoomDraft, command: RefuseStatement, actor: str) -> RoomDecision:
    """Somebody who was asked says no; it is a draft again."""
    statement = find(draft.room.statements, command.statement)
    if (refused := _unfit(draft, statement, command.statement, command.version)) is not None or statement is None:
        return refused or _no_statement(draft, command.statement)
    if statement.state not in (StatementState.SUBMITTED, StatementState.APPROVED):
        return draft.illegal(f"the statement is {statement.state}; there is nothing to refuse")
    if not any(draft.team.plays(actor, role, draft.now) for role in statement.roles):
        return draft.forbidden(f"only whoever plays the role {', '.join(statement.roles)} may refuse this")
    draft.put(
        "statements", statement, state=StatementState.DRAFT, roles=(), approvals=(),
        refused=command.reason, refused_by=actor,
    )  # fmt: skip
    draft.stop_asking(AskKind.APPROVAL, statement.number)
    draft.record(
        IncidentEventType.STATEMENT_REFUSED, actor, statement=statement.number, version=statement.version,
        reason=command.reason,
    )  # fmt: skip
    return draft.decision()


def publish(draft: RoomDraft, command: PublishStatement, actor: str) -> RoomDecision:
    """A person has put it out into the world."""
    statement = find(draft.room.statements, command.statement)
    if (refused := _unfit(draft, statement, command.statement, command.version)) is not None or statement is None:
        return refused or _no_statement(draft, command.statement)
    if statement.state is StatementState.PUBLISHED:
        return draft.decision()
    if statement.state is not StatementState.APPROVED:
        given = {approval.role for approval in statement.approvals}
        missing = ", ".join(role for role in statement.roles if role not in given)
        said = f"approval as {missing} is missing" if missing else "submit it for approval first"
        return draft.illegal(f"the statement is {statement.state}: {said}")
    draft.put(
        "statements", statement, state=StatementState.PUBLISHED, published_at=draft.now, published_by=actor,
        address=command.address or None,
    )  # fmt: skip
    draft.record(
        IncidentEventType.STATEMENT_PUBLISHED, actor, statement=statement.number, version=statement.version,
        channel=statement.channel, language=statement.language, address=command.address or None,
    )  # fmt: skip
    return draft.decision()


def withdraw(draft: RoomDraft, command: WithdrawStatement, actor: str) -> RoomDecision:
    """It does not stand any more, in whatever state it was."""
    statement = find(draft.room.statements, command.statement)
    if statement is None:
        return _no_statement(draft, command.statement)
    if statement.state is StatementState.WITHDRAWN:
        return draft.decision()
    draft.put(
        "statements", statement, state=StatementState.WITHDRAWN, withdrawn_at=draft.now, withdrawn_by=actor,
        withdrawn_why=command.reason,
    )  # fmt: skip
    draft.stop_asking(AskKind.APPROVAL, statement.number)
    draft.record(
        IncidentEventType.STATEMENT_WITHDRAWN, actor, statement=statement.number, version=statement.version,
        reason=command.reason, was=statement.state.value,
    )  # fmt: skip
    return draft.decision()


def release(draft: RoomDraft, holding: HoldingText, address: str, actor: str) -> RoomDecision:
    """The person on call releases alone what was approved beforehand."""
    if not actor.startswith("person:") or not draft.team.is_on_call(actor, draft.incident, draft.now):
        return draft.forbidden(
            "only the person on call, or whoever has the incident in hand, releases a holding statement; "
            "take it in hand first, or ask them"
        )
    if holding.expires_at <= draft.now:
        return draft.illegal(
            f"its approval expired at {holding.expires_at.isoformat()}; have it approved again, or draft a statement"
        )
    number = len(draft.room.statements) + 1
    if number > MOST_STATEMENTS:
        return draft.illegal(f"this room has {MOST_STATEMENTS} statements already")
    approval = Approval(role=holding.role, by=holding.approved_by, at=holding.approved_at, version=1)
    draft.put(
        "statements",
        Statement(
            number=number,
            language=holding.language,
            channel=holding.channel,
            state=StatementState.PUBLISHED,
            versions=(TextVersion(version=1, text=holding.text, by=actor, at=draft.now),),
            roles=(holding.role,),
            approvals=(approval,),
            holding=holding.id,
            published_at=draft.now,
            published_by=actor,
            address=address or None,
        ),
    )
    draft.record(
        IncidentEventType.STATEMENT_PUBLISHED, actor, statement=number, version=1, holding=holding.id,
        channel=holding.channel, language=holding.language, approved_by=holding.approved_by,
        approved_at=holding.approved_at.isoformat(), address=address or None, text=holding.text,
    )  # fmt: skip
    return draft.decision()


def _approvals(draft: RoomDraft) -> ApprovalSettings | None:
    playbooks = (draft.team.playbook(begun) for begun in draft.room.playbooks)
    return next((playbook.approvals for playbook in playbooks if playbook is not None), None)


def _unfit(draft: RoomDraft, statement: Statement | None, number: int, version: int) -> RoomDecision | None:
    if statement is None:
        return _no_statement(draft, number)
    if version != statement.version:
        return draft.stale(f"statement {number}", version, statement.version)
    return None


def _no_statement(draft: RoomDraft, number: int) -> RoomDecision:
    return draft.illegal(f"there is no statement {number} in this room; it has {len(draft.room.statements)}")
