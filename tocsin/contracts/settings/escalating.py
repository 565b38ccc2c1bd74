"""Who escalates, by a policy: Tocsin or PagerDuty, never both and never neither."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tocsin.contracts.settings.channels import ChannelSettings
from tocsin.contracts.settings.protocol import PersonSettings, PolicySettings, ScheduleSettings


def two_who_escalate(
    policies: Sequence[PolicySettings],
    people: Sequence[PersonSettings],
    schedules: Sequence[ScheduleSettings],
    channels: Sequence[ChannelSettings],
) -> Iterable[str]:
    """A sentence for each policy in which both would call one person after the other, or neither; it says how to mend it."""
    pagers = {f"channel:{channel.id}" for channel in channels if channel.kind == "pagerduty"}
    paged = {person.id for person in people if {f"channel:{name}" for name in person.every_channel} & pagers}
    on_duty = {
        f"schedule:{schedule.id}"
        for schedule in schedules
        if any(paged & set(layer.people) for layer in schedule.layers)
    }
    reaching = pagers | on_duty | {f"person:{person}" for person in paged}
    for policy in policies:
        levels = [level for level in (policy.orange, policy.red) if level]
        rung = {target for level in levels for step in level.steps for target in step.notify}
        rung |= {policy.fallback} if policy.fallback else set()
        if policy.escalation == "tocsin" and rung & reaching:
            yield (
                f"policies.{policy.id}: rings PagerDuty ({', '.join(sorted(rung & reaching))}), which calls one person "
                "after the other by itself; write 'escalation: pagerduty' with that one step, or ring people here"
            )
        alone = all(len(level.steps) == 1 and level.repeat == 0 for level in levels) and policy.fallback is None
        if policy.escalation == "pagerduty" and not (alone and len(rung) == 1 and rung <= pagers):
            yield (
                f"policies.{policy.id}: PagerDuty escalates, so each level has one step that rings its channel "
                "('channel:…'), 'repeat: 0' and no fallback; or write 'escalation: tocsin'"
            )
