"""Who escalates, by a policy: Tocsin or PagerDuty, never both and never neither."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tocsin.contracts.settings.channels import ChannelSettings
from tocsin.contracts.settings.protocol import PersonSettings, PolicySettings


def two_who_escalate(
    policies: Sequence[PolicySettings], people: Sequence[PersonSettings], channels: Sequence[ChannelSettings]
) -> Iterable[str]:
    """A sentence for each policy or person by which both would call one person after the other, or neither; it says how to mend it.

    PagerDuty is no channel of a person, so that nothing that rings people (a policy, a task, an exchanged shift) rings it, too.
    """
    pagers = {f"channel:{channel.id}" for channel in channels if channel.kind == "pagerduty"}
    for person in people:
        for name in person.every_channel:
            if f"channel:{name}" in pagers:
                yield (
                    f"people.{person.id}: {name!r} is PagerDuty, which calls one person after the other by itself; leave it "
                    f"out here, and let a policy with 'escalation: pagerduty' ring 'channel:{name}'"
                )
    for policy in policies:
        levels = [level for level in (policy.orange, policy.red) if level]
        rung = {target for level in levels for step in level.steps for target in step.notify}
        rung |= {policy.fallback} if policy.fallback else set()
        if policy.escalation == "tocsin" and rung & pagers:
            yield (
                f"policies.{policy.id}: rings PagerDuty ({', '.join(sorted(rung & pagers))}), which calls one person "
                "after the other by itself; write 'escalation: pagerduty' with that one step, or ring people here"
            )
        alone = all(len(level.steps) == 1 and level.repeat == 0 for level in levels) and policy.fallback is None
        if policy.escalation == "pagerduty" and not (alone and len(rung) == 1 and rung <= pagers):
            yield (
                f"policies.{policy.id}: PagerDuty escalates, so each level has one step that rings its channel "
                "('channel:…'), 'repeat: 0' and no fallback; or write 'escalation: tocsin'"
            )
