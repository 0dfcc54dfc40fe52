"""What each scenario's run changes, and of a few what it shows and tells, as it was written down once and looked at.

`python -m tests.simulation.plays --record` writes it anew. Times and names by chance are left out: a slower product is
the same one.
"""

from __future__ import annotations

import functools
import json
import re
import typing as t
from contextlib import closing
from itertools import chain
from pathlib import Path

from ..platform import FLAGS, VERSION
from ..run import Running, uncollected
from . import ROOT
from .playing import REPORT, folder
from .scenarios import BEGINS, SCENARIOS, TARGET, Scenario

if t.TYPE_CHECKING:
    from ..functions import Project
    from ..invariants.history import History

FILE = Path(__file__).parent / "outcomes.json"
LEASE = "easymo-deploy"
SHOWN = (
    "deploy", "whole", "undone", "closes", "rollback", "restore", "switch", "ramp", "guard back", "status", "diagnose",
    "readiness",
)  # fmt: skip
"""Scenarios whose words are recorded too, one for each kind of screen. Of the others the words are judged by
`invariants`, and what layout they have by the recorded screens of `_terminal/console`.
"""
WORDS = ("screen", "posts", "pages", "status page", "banner")
Outcome = dict[str, list[str]]
"""Lines by where they stand."""
_ITEM = re.compile(r"\n +(?=[✓✗!·❌✅⏭⏸] ?\S)|\n(?=\S)|\n(?=  \S)")
_PROGRESS = re.compile(r"… [^✓✗!]*?(?=\n|$)")
_BY_CHANCE = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?|\d+:\d\d(?::\d\d)?|"
    r"\d+(?:\.\d+)? (?:s|min|ms|kB|MB|B)\b|(?<=failure-)\d+|(?<=guard_)[0-9a-f]{12}|"
    r"\d{8}_\d{6}_[0-9a-f]{6}|-[a-z0-9]{8,10}-[a-z0-9]{5}\b|\b[0-9a-f]{12,64}\b|\b\d{8}T\d{6}\w*"
)


@functools.cache
def recorded() -> dict[str, Outcome]:
    return t.cast("dict[str, Outcome]", json.loads(FILE.read_text("utf-8")))


def outcomes_of(names: t.Iterable[str], *, record: bool) -> list[str]:
    """What is not as it is recorded; with `record` it is from now on."""
    now = {name: kept(name, outcome_now(SCENARIOS[name])) for name in names}
    if record:
        known = {**(recorded() if FILE.exists() else {}), **now}
        outcomes = {name: known[name] for name in SCENARIOS if name in known}
        FILE.write_text(_written(outcomes), "utf-8")
        return []
    return [
        f"{name}: {text}"
        for name, outcome in now.items()
        for text in differences(recorded().get(name, {}), outcome)
    ]


def kept(name: str, outcome: Outcome) -> Outcome:
    """What of it is recorded."""
    return {where: outcome[where] for where in outcome if name in SHOWN or where not in WORDS}


def _written(outcomes: t.Mapping[str, Outcome]) -> str:
    """A line a scenario."""
    lines = [
        f"{json.dumps(name)}: {json.dumps(outcome, ensure_ascii=False)}"
        for name, outcome in outcomes.items()
    ]
    return "{" + ",\n".join(lines) + "}\n"


def shown_by(history: History) -> Outcome:
    world = history.world
    lines = map(steady, items("\n".join(world.screens[TARGET])))
    return {"exit": [str(world.codes[TARGET])], "screen": [*lines]}


def left_by(history: History) -> Outcome:
    """What is recorded, told and there as that run ends."""
    world, record = history.world, history.record(VERSION)
    receivers, flags = world.receivers, (history.find("configmaps", FLAGS) or {})["data"]
    holder = ((history.find("leases", LEASE) or {}).get("spec") or {}).get("holderIdentity")
    left = {
        **written_in(record, history.pins(VERSION), flags),
        "denied": sorted(world.denied),
        "lock": [str(holder)] if holder else [],
        "images": [_image(history, name) for name in world.plan.services],
        "functions": _functions(world.project) if world.project else [],
        "migrations": [
            f"{name} {len(world.stores.applied(name))}"
            for name in world.plan.stores
            if world.stores
        ],
    }
    if receivers:
        left |= {
            "posts": [" / ".join(post.splitlines()) for post in receivers.posts],
            "pages": receivers.pages,
            "paged": sorted(receivers.paged),
            "status page": receivers.updates,
            "files": [
                str(path.relative_to(folder() / REPORT))
                for path in sorted((folder() / REPORT).rglob("*.*"))
            ],
            "banner": [json.dumps(receivers.banner)] if receivers.banner else [],
        }
    return {where: [*map(steady, lines)] for where, lines in left.items()}


def written_in(
    record: t.Mapping[str, t.Any], pins: t.Mapping[str, t.Any], flags: t.Mapping[str, str]
) -> Outcome:
    """Of a release's record, its pins and the flags."""
    return {
        "release": [str(record.get("status")), *record.get("notes", ())],
        "phases": [
            f"{name} {phase['status']}: {' '.join(sorted(phase['evidence']))}"
            for name, phase in record.get("phases", {}).items()
        ],
        "facts": names_of(record.get("facts", {})),
        "pins": names_of(pins),
        "announced": sorted(record.get("announcements", {})),
        "backups": sorted(record.get("backups", {})),
        "flags": [f"{name}={value}" for name, value in sorted(flags.items())],
    }


def changed(before: Outcome, now: Outcome) -> Outcome:
    """What is new, and what is there no longer."""
    outcome: Outcome = {}
    for where, lines in now.items():
        known = before.get(where, [])
        gone = [f"no longer {line}" for line in known if line not in lines]
        news = [line for line in lines if line not in known] + gone
        outcome |= {where: news} if news else {}
    return outcome


def items(screen: str) -> list[str]:
    items = (" ".join(item.split()) for item in _ITEM.split(_PROGRESS.sub("", screen)))
    # Ansible shows a warning once a process.
    return [item for item in items if item and not item.startswith("[WARNING]")]


def names_of(facts: t.Mapping[str, t.Any]) -> list[str]:
    """Those of a dictionary with its own name before them."""
    return sorted(
        chain.from_iterable(
            [f"{name}.{key}" for key in fact] if isinstance(fact, dict) else [name]
            for name, fact in facts.items()
        )
    )


def _image(history: History, name: str) -> str:
    template = (history.find("deployments", name) or {})["spec"]["template"]
    return str(template["spec"]["containers"][0]["image"])


def _functions(project: Project) -> list[str]:
    functions = project.store.functions
    return [
        f"{slug} {'new' if project.is_new(functions.get(slug), slug) else 'not new'}"
        for slug in project.wanted
    ] + [f"secret {name}" for name in project.store.secrets]


def steady(line: str) -> str:
    return _BY_CHANCE.sub("#", line.replace(str(folder()), "").replace(str(ROOT), ""))


@uncollected()
def outcome_now(scenario: Scenario) -> Outcome:
    with closing(Running(scenario.plan_of(goes_on=False))) as running:
        watch = Watch(running)
        running.go()
        return watch.outcome


class Watch:
    """Of the run that a scenario is about. `outcome`: what it changed, once it has ended."""

    def __init__(self, running: Running) -> None:
        self._history, world = running.history, running.world
        self._before: Outcome = {}
        self.outcome: Outcome = {}
        world.scheduler.at(world.began + BEGINS - 1.0, self._look)
        world.play_ended = self._ended

    def _look(self) -> None:
        self._before = left_by(self._history)

    def _ended(self, by: str) -> None:
        if by == TARGET:
            left = changed(self._before, left_by(self._history))
            self.outcome = {**shown_by(self._history), **left}


def differences(before: Outcome, now: Outcome) -> list[str]:
    """What is missing, and what is new."""
    lines = []
    for where in {**before, **now}:
        old, new = before.get(where, []), now.get(where, [])
        lines += [f"{where} lacks {line!r}" for line in old if line not in new]
        lines += [f"{where} has {line!r}" for line in new if line not in old]
        if not lines and old != new:
            lines.append(f"{where} has another order")
    return lines
