"""What a `tocsin.yaml` may say and probably does not mean: `tocsin check` warns of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tocsin.config import Configuration
from tocsin.contracts.settings.base import format_duration

SHORTEST_ROUND = timedelta(seconds=30)
LONGEST_PUBLIC_URL = 48
"""Of the 160 characters of a text message the link takes this and 46 of its own."""

Doubt = tuple[str, str]
"""Where (`policies.night`), and what."""


def doubts(configuration: Configuration) -> list[Doubt]:
    """All of them."""
    return [
        *_about_brands(configuration),
        *_about_links(configuration),
        *_about_whom_nobody_rings(configuration),
        *_about_policies(configuration),
    ]


def _about_brands(configuration: Configuration) -> Iterator[Doubt]:
    if not configuration.brands:
        yield "brands", "there is none, so only sources that name a brand themselves are heard"
    for brand in configuration.brands:
        if not brand.names and not brand.query:
            yield f"brands.{brand.id}", "has neither names nor a query; no mention is found by its text"


def _about_links(configuration: Configuration) -> Iterator[Doubt]:
    if not configuration.policies:
        return
    url, answered = configuration.api.public_url, {"call": "by key", "slack": "by button", "pagerduty": "at PagerDuty"}
    if url is None:
        ways = sorted({answered[channel.kind] for channel in configuration.channels if channel.kind in answered})
        lost = f", and nobody can acknowledge {' or '.join(ways)}" if ways else ""
        yield (
            "api.public_url",
            f"is not set, so messages carry no link to the incident{lost}; write where the page is reached",
        )
    elif len(url) > LONGEST_PUBLIC_URL:
        yield (
            "api.public_url",
            f"has {len(url)} characters, which leave a text message hardly any room to say why it rings; give a name of "
            f"{LONGEST_PUBLIC_URL} at most",
        )


def _about_whom_nobody_rings(configuration: Configuration) -> Iterator[Doubt]:
    rung = {
        target
        for policy in configuration.policies
        for level in (policy.orange, policy.red)
        for step in (level.steps if level else ())
        for target in step.notify
    }
    rung |= {policy.fallback for policy in configuration.policies if policy.fallback}
    rung |= {member for team in configuration.teams if f"team:{team.id}" in rung for member in team.members}
    rung |= {reference for role in configuration.roles for reference in (role.holder, role.deputy) if reference}
    for schedule in configuration.schedules:
        if f"schedule:{schedule.id}" not in rung:
            yield f"schedules.{schedule.id}", "is rung by no policy and holds no role; nobody on it is called"
    for team in configuration.teams:
        if f"team:{team.id}" not in rung:
            yield f"teams.{team.id}", "is rung by no policy; nobody in it is called together"


def _about_policies(configuration: Configuration) -> Iterator[Doubt]:
    # A brand that names none has the first.
    used = {brand.policy for brand in configuration.brands} | {drill.policy for drill in configuration.drills}
    for policy in configuration.policies:
        place = f"policies.{policy.id}"
        if policy is not configuration.policies[0] and policy.id not in used:
            yield place, "is no brand's; write 'policy: …' into the brand that it is for"
        if policy.fallback is None and policy.escalation == "tocsin":
            yield place, "has no fallback: after the last round nobody is called; add 'fallback: person:…'"
        for name, level in (("orange", policy.orange), ("red", policy.red)):
            if level is not None and level.repeat and level.repeat_after < SHORTEST_ROUND:
                yield (
                    f"{place}.{name}.repeat_after",
                    f"is shorter than {format_duration(SHORTEST_ROUND)}, so the next round rings before anybody could answer",
                )
