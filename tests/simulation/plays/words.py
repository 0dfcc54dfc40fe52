"""What a release has not, no text of its channels names: of one of services alone, and of one of databases alone."""

from __future__ import annotations

import re
import typing as t
from contextlib import closing

from ..plan import Actor, Plan
from ..run import Running
from .playing import REPORT, folder
from .scenarios import BY, ILL, SERVICES, WHOLE, Arguments

DRY = ("--check",)
COMMANDS: tuple[tuple[str, Arguments], ...] = (
    ("status", ()), ("readiness", ()), ("deploy", (*DRY, "--diff")), ("deploy", ()), ("status", ()),
    ("diagnose", ()), ("rollback", (*BY, *DRY)), ("rollback", BY), ("status", ()),
)  # fmt: skip
BEGINS = 3
"""What comes before the deployment says the same of one that fails."""
FEATURE = r"flags?|ramps?|guards?|features?|kill.?switch|percentage|(?:edge.)?functions?|runbook"
ABSENT = {
    "microservices": rf"{FEATURE}|databases?|migrations?|backups?|restored?",
    "database": rf"{FEATURE}|(?:micro)?services?",
}
"""By the one phase that changes something, the words of the others."""
WAIVED = {
    "microservices": ["rollout"],
    "database": [f"certificate_{name}" for name in WHOLE["stores"]],
}
WORLDS = {"microservices": {}, "database": {**WHOLE, "functions": {}}}
MARKUP = re.compile(r"(?s)<(style|script)\b.*?</\1>|<[^>]*>|(?<!\w)/[\w./-]+")
"""Of a page, and paths."""


def absent() -> list[str]:
    """Lines with a word of what their release has not."""
    return [
        f"{phase}, {where}: {line.strip()[:200]}"
        for phase, words in ABSENT.items()
        for wrong in (False, True)
        for where, text in told(phase, wrong=wrong)
        for line in MARKUP.sub(" ", text).splitlines()
        if re.search(rf"(?i)(?<![-\w])(?:{words})(?![-\w])", line.replace("_", " "))
    ]


def told(phase: str, *, wrong: bool) -> set[tuple[str, str]]:
    """Every text of those runs, with where it stands. `wrong`: of a release that fails."""
    names = ("preflight", phase, "smoke_tests", "sign_off")
    waivers = {name: {"by": "Jane Doe", "reason": "none is here"} for name in WAIVED[phase]}
    variables = {
        "release_plan": [{"name": name, "minutes": 5} for name in names],
        "release_waivers": waivers,
        **{f"release_{name}": "" for name in ("percentage_flag", "feature_flag")},
        **{f"release_{name}": [] for name in ("flags_consumers", "ramp")},
        "release_flags": {},
        **({"release_expected_tables": ["nowhere"]} if wrong else {}),
    }
    actors = [
        Actor(f"{n}", playbook, n * 900.0, "laptop-1",
              {"playbook": playbook, "arguments": arguments, "variables": variables, "fails": wrong})
        for n, (playbook, arguments) in enumerate(COMMANDS[BEGINS * wrong :])
    ]  # fmt: skip
    world = {**WORLDS[phase], **(ILL if wrong else {})}
    texts: set[tuple[str, str]] = set()
    with closing(Running(Plan(0, SERVICES, tuple(actors), (), **world))) as running:
        running.world.play_ended = lambda _by: texts.update(_files())
        running.world.observers.append(lambda _request: texts.update(_files("report.html")))
        running.go()
        if violations := running.outcome().violations:
            raise RuntimeError(f"{phase}: {violations}")
        receivers = running.world.receivers
        texts |= {(name, "\n".join(lines)) for name, lines in running.world.screens.items()}
        sent = (*receivers.posts, *receivers.pages, *receivers.updates, str(receivers.banner))
        return texts | {("a message", text) for text in sent}


def _files(pattern: str = "*") -> t.Iterator[tuple[str, str]]:
    """JSON is for programs."""
    for path in (folder() / REPORT).rglob(pattern):
        if path.is_file() and path.suffix != ".json":
            yield path.name, path.read_text("utf-8")
