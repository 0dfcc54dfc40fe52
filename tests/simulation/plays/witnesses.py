"""Which scenario ends otherwise without a right of manifests/rbac/, as docs/rights.md has it.

`python -m tests.simulation.plays --rights` tries each of them, and writes that table.
"""

from __future__ import annotations

import functools
import re
import typing as t
from contextlib import closing

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import FIELD_MANAGER

from ... import admission
from ..run import Running, uncollected
from ..scheduler import sender_of
from ..world import NAMESPACE
from . import ROOT
from .outcomes import Outcome, differences, outcome_now
from .rights import DEPLOY, GUARD, LOOK, SIGN, Right, granted, left_out
from .scenarios import SCENARIOS, Scenario

if t.TYPE_CHECKING:
    from ..control_plane import News
    from ..world import World

ELSEWHERE: t.Mapping[tuple[str, str], str] = dict.fromkeys(
    (("get", "pods/proxy"), ("get", "secrets")),
    "test_kubernetes_rights.py",
) | {(verb, "configmaps"): "test_manifests.py" for verb in ("sign", "guard")}
"""Of rights that no play needs, the test that fails without them."""
MAIN = {DEPLOY: "deploy", GUARD: "guard back", SIGN: "sign", LOOK: "followed"}
"""The play that is tried first, by role."""
PAGE = ROOT / "docs" / "rights.md"
TABLE = re.compile(r"(?<=<!-- roles -->\n).*(?=<!-- /roles -->)", re.DOTALL)


def asked_by(scenario: Scenario) -> set[Right]:
    """What its runs asked for and were allowed. Raises RuntimeError where the admission policies refuse a write."""
    with uncollected(), closing(Running(scenario.plan_of(goes_on=False))) as running:
        world = running.world
        refused: list[str] = []
        world.plane.listeners.append(lambda news: refused.extend(_refused(world, news)))
        running.go()
        if refused:
            raise RuntimeError(f"{scenario.name}: {refused}")
        return {(by.rpartition(":")[2], w.verb, w.resource, w.name) for by, w in world.asked}


def _refused(world: World, news: News) -> t.Iterator[str]:
    """By the policies, of what a playbook has just written."""
    caller = world.callers.get(sender_of(world.scheduler.process))
    if caller is None:
        return
    leases = world.store.list("leases", NAMESPACE)
    role = caller.name.rpartition(":")[2]

    def may(verb: str, name: str) -> bool:
        return bool(
            {(role, verb, "configmaps", ""), (role, verb, "configmaps", name)} & {*granted()}
        )

    for plural in ("deployments", "configmaps"):
        for event in news[plural]:
            request = {
                "resource": {"resource": plural},
                "operation": "UPDATE" if event.previous else "CREATE",
                "options": {"fieldManager": FIELD_MANAGER},
            }
            before = event.previous.body if event.previous else None
            lock = leases[0] if leases else None
            yield from admission.denied(request, before, event.record.body, lock, may)


def is_used(right: Right, asked: t.Container[Right] | set[Right]) -> bool:
    """`asked` names each object."""
    *of, name = right
    return any([*each[:3]] == of and name in ("", each[3]) for each in asked)


def table() -> tuple[str, list[str]]:
    """Each right with what ends otherwise without it, and those that nothing needs."""
    asked = {scenario.name: asked_by(scenario) for scenario in SCENARIOS.values()}
    cells: dict[tuple[str, str], dict[str, list[str]]] = {}
    idle = []
    for right in granted():
        role, verb, resource, name = right
        witness = ELSEWHERE.get((verb, resource)) or _needed_by(right, asked)
        if not witness:
            idle.append(f"{role} {verb} {resource} {name} is needed by nothing")
        text = verb if witness == MAIN[role] else f"{verb} ({witness})"
        cells.setdefault((resource, role), {}).setdefault(name, []).append(text)
    lines = [
        f"| resource | {' | '.join(f'{role[7:]}: {play}' for role, play in MAIN.items())} |",
        "|---" * (len(MAIN) + 1) + "|",
    ]
    for resource in sorted({resource for resource, _role in cells}):
        row = [
            "; ".join(
                f"{name and f'`{name}`: '}{', '.join(texts)}"
                for name, texts in cells.get((resource, role), {}).items()
            )
            for role in MAIN
        ]
        lines.append(f"| `{resource}` | {' | '.join(row)} |")
    return "\n".join(lines) + "\n", idle


def _needed_by(right: Right, asked: t.Mapping[str, set[Right]]) -> str:
    names = (MAIN[right[0]], *asked)
    name = next((name for name in names if is_used(right, asked[name])), "")
    if not name:
        return ""
    before = _with_all_rights(name)
    left_out.add(right)
    try:
        return name if differences(before, outcome_now(SCENARIOS[name])) else ""
    finally:
        left_out.clear()


@functools.cache
def _with_all_rights(name: str) -> Outcome:
    return outcome_now(SCENARIOS[name])


def written() -> list[str]:
    """Write the table. The rights that nothing needs, and whether it was another."""
    lines, idle = table()
    before = PAGE.read_text("utf-8")
    after = TABLE.sub(lambda _found: lines, before)
    PAGE.write_text(after, "utf-8")
    return idle + ([f"{PAGE.name} was another, and is written anew"] if after != before else [])
