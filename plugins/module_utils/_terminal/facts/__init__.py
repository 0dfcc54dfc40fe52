# SPDX-License-Identifier: GPL-3.0-or-later
"""What the results of a task say, by its module. Nothing is told that a result does not prove."""

from __future__ import annotations

import typing as t

from ..layout import bare, one_line
from ..models import Fact, Group
from . import checks, databases, messages, platform

Teller = t.Callable[[Group], list[Fact]]
OURS = "easymo.deploy."


def nothing(group: Group) -> list[Fact]:  # noqa: ARG001 - as all tellers
    return []


def sentence(group: Group) -> list[Fact]:
    """As the module put it. That of a failure is the cause in the last block."""
    found = (
        one_line(str(item.result.get("sentence") or "")) for item in group.items if not item.failed
    )
    tone: t.Literal["calm", "good"] = "calm" if group.would else "good"
    return [Fact("", text, tone) for text in dict.fromkeys(found) if text]


def switch(group: Group) -> list[Fact]:
    """What a run did by itself needs no reason: its end tells that."""
    facts = []
    for item in group.items:
        held = item.result.get("kill_switch") or {}
        if not (held.get("automatic") and item.changed):
            return sentence(group)
        told = ", ".join(f"{name}={value}" for name, value in (held.get("flags") or {}).items())
        if group.would:
            facts.append(Fact("would", f"switch it off by the kill switch: {told}", "calm"))
            continue
        tone: t.Literal["bad", "warn"] = "bad" if item.failed else "warn"
        facts.append(Fact("switched", f"off by the kill switch, which holds {told}", tone))
    return facts


TABLE: t.Mapping[str, Teller] = {
    "easymo.deploy.announce": messages.announced,
    "easymo.deploy.availability": platform.measured,
    "easymo.deploy.calendar_event": messages.invited,
    "easymo.deploy.deploy_lock": messages.locked,
    "easymo.deploy.deploy_lock_info": nothing,
    "easymo.deploy.diagnosis": nothing,
    "easymo.deploy.edge_functions": platform.functions,
    "easymo.deploy.edge_functions_probe": checks.called,
    "easymo.deploy.feature_flags": platform.flags,
    "easymo.deploy.feature_ramp_info": nothing,
    "easymo.deploy.health_check": checks.health,
    "easymo.deploy.image_info": platform.images,
    "easymo.deploy.junit_report": nothing,
    "easymo.deploy.kill_switch": switch,
    "easymo.deploy.metrics_gate": checks.gate,
    "easymo.deploy.person_check": checks.people,
    "easymo.deploy.pg_backup": databases.backups,
    "easymo.deploy.pg_restore": databases.restores,
    "easymo.deploy.pod_flags": platform.in_pods,
    "easymo.deploy.preflight_check": checks.preflight,
    "easymo.deploy.prisma_migrations": databases.migrations,
    "easymo.deploy.release": nothing,
    "easymo.deploy.release_info": nothing,
    "easymo.deploy.release_page": messages.page,
    "easymo.deploy.release_report": nothing,
    "easymo.deploy.release_rollback": platform.returned,
    "easymo.deploy.release_sign_off": nothing,
    "easymo.deploy.release_variables": nothing,
    "easymo.deploy.rollout": platform.restarted,
    "easymo.deploy.rollout_info": nothing,
    "easymo.deploy.rollout_wave": nothing,
    "easymo.deploy.smoke_tests": checks.smoke,
    "easymo.deploy.sql_migrations": databases.migrations,
    "easymo.deploy.stop": nothing,
    "easymo.deploy.supabase_migrations": databases.migrations,
    "easymo.deploy.wave_result": platform.wave,
    "easymo.deploy.webhook_check": checks.webhook,
}


def facts_of(action: str, group: Group) -> list[Fact]:
    """Of a module of this collection without a line in the table: its sentence, or that it changed something."""
    if not action.startswith(OURS):
        return []
    teller = TABLE.get(action)
    if teller:
        return teller(group)
    found = sentence(group)
    if found or not any(item.changed and not item.failed for item in group.items):
        return found
    verb = "would change: " if group.would else ""
    return [Fact("", f"{verb}{bare(group.name)}", "calm" if group.would else "good")]
