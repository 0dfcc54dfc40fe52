# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a release in words, as mrkdwn. Names and errors come from outside and are escaped here."""

from __future__ import annotations

import itertools
import typing as t

from .._formats import counted, quantity, shortened, span, stopwatch
from .._gate.report import judged_as
from .._release.models import DONE, ROLLED_BACK, stopped_by
from .._release.record import NO_PHASE, Act, Phase, RecordedMetric
from .._story.plan import Planned
from .._time import epoch
from .mrkdwn import code, code_block, escape, mention, plain
from .release_status import SERVICES_PHASE, ReleaseStatus, RunStep, TaskFailure

LIMIT = 3_800
"""Slack folds what is longer."""
SHOWN_PROGRESS = 4
READINGS_A_LINE = 3
WATCH_PHASE = "monitoring"
INDENT = "\u2003\u2003"

OTHER_RUNS = {
    "rollback.yml": ("↩️", "Rollback"),
    "restore_databases.yml": ("↩️", "Restore of the databases"),
    "ramp.yml": ("📈", "Ramp"),
    "kill_switch.yml": ("🛑", "Kill switch"),
    "decide.yml": ("⚖️", "Decision"),
}
STATUS_SIGNS = {"good": "🟢", "between": "🟡", "breach": "🔴", "missing": "⚪"}


def render(status: ReleaseStatus, now: float) -> str:
    """The whole message, within LIMIT characters: the oldest plays of another run give way."""
    head = [title(status), context(status, now), "", *phase_lines(status, now)]
    links = [f"{plain(link.text)}: {escape(link.url)}" for link in status.release.links]
    tail = ["", *links] if links else []
    steps = play_lines(status, now)
    left_out = False
    while steps and len("\n".join([*head, *steps, *tail])) > LIMIT:
        steps.pop(0)
        left_out = True
    body = [*(["…"] if left_out else []), *steps]
    heading = ["", f"*{run_name(status)[1]}*"] if body else []
    return shortened("\n".join([*head, *heading, *body, *tail]), LIMIT)


def play_lines(status: ReleaseStatus, now: float) -> list[str]:
    """The plays of another run than a deployment."""
    return [
        line for step in status.steps if not step.phase for line in step_lines(status, step, now)
    ]


def title(status: ReleaseStatus, bold: str = "*") -> str:
    mark, words = state_words(status)
    place = f" · {plain(status.release.environment)}" if status.release.environment else ""
    return f"{mark} {bold}{plain(status.release.title)}{bold} {words}{place}"


def state_words(status: ReleaseStatus) -> tuple[str, str]:
    return deployment_words(status) if status.deploys else other_words(status)


def deployment_words(status: ReleaseStatus) -> tuple[str, str]:
    if status.outcome == "failed":
        words = "is on hold" if status.held else "stopped"
        where = f" in {plain(status.where(status.failures[0]))}" if status.failures else ""
        return ("⏸️" if status.held else "🛑"), f"{words}{where}"
    if status.outcome == "interrupted":
        return "🛑", "was interrupted"
    if status.record.status == DONE:
        return "✅", "is live"
    if status.outcome == "done":
        phases = status.phases
        done = sum(1 for entry in status.release.plan if phases.get(entry.name, NO_PHASE).settled)
        of = (
            f": {done} of {len(status.release.plan)} phases are done" if status.release.plan else ""
        )
        return "☑️", f"run finished{of}"
    return "🚀", "is being deployed"


def other_words(status: ReleaseStatus) -> tuple[str, str]:
    mark, name = run_name(status)
    if status.outcome == "failed" and status.held:
        return "⏸️", f"· {name} is on hold"
    if status.outcome in ("failed", "interrupted"):
        return "🛑", f"· {name} {'stopped' if status.outcome == 'failed' else 'was interrupted'}"
    if status.outcome == "done":
        whole = status.record.status == ROLLED_BACK and mark == "↩️"
        return mark, "was rolled back" if whole else f"· {name}: run finished"
    return mark, f"· {name} is running"


def run_name(status: ReleaseStatus) -> tuple[str, str]:
    playbook = status.release.playbook
    return OTHER_RUNS.get(playbook, ("⚙️", plain(playbook)))


def context(status: ReleaseStatus, now: float) -> str:
    """Which attempt, how long it has taken against the plan, and who is on call."""
    record = status.record
    began = epoch(record.started) or status.started
    ended = (epoch(record.finished) if status.outcome else None) or now
    minutes = sum(entry.minutes for entry in status.release.plan) if status.deploys else 0
    spent = f"`{stopwatch(ended - began)}`" + (f" of {span(60 * minutes)}" if minutes else "")
    caller = status.release.on_call_name
    parts = [
        f"attempt {record.attempt}" if record.attempt else "",
        spent,
        f"on call: {plain(caller)}" if caller else "",
    ]
    return " · ".join(part for part in parts if part)


def phase_lines(status: ReleaseStatus, now: float, *, brief: bool = False) -> t.Iterator[str]:
    """`brief`: one line each, where metrics, services and causes stand elsewhere."""
    phases = status.phases
    names = status.release.plan.names
    known = {step.phase for step in status.steps if step.phase} | set(phases)
    for name in [*names, *sorted(known - set(names))]:
        lines = one_phase(status, status.release.plan.phase(name), phases.get(name), now)
        yield from (itertools.islice(lines, 1) if brief else lines)


def one_phase(
    status: ReleaseStatus, planned: Planned, fact: Phase | None, now: float
) -> t.Iterator[str]:
    step = status.step_of(planned.name)
    mark, words = phase_state(status, step, fact)
    live = bool(step and step.live)
    name = plain(planned.title)
    parts = [f"{mark} *{name}*" if live else f"{mark} {name}"]
    parts.append(time_words(planned, time_spent(step, fact, now)))
    parts += [services_words(planned, step, fact), words]
    if step and step.live and step.task:
        parts.append(f"_{plain(shortened(step.task, 80))}_")
    yield " · ".join(part for part in parts if part)
    readings = current_readings(status)
    if planned.name == WATCH_PHASE and readings:
        for first in range(0, len(readings), READINGS_A_LINE):
            line = readings[first : first + READINGS_A_LINE]
            yield INDENT + " · ".join(reading_words(entry) for entry in line)
    if step:
        yield from cause_lines(status, step)
        yield from progress_lines(step)


def current_readings(status: ReleaseStatus) -> tuple[RecordedMetric, ...]:
    """Of this run's watch, else as the record keeps them."""
    return status.readings or status.phases.get(WATCH_PHASE, NO_PHASE).evidence.metrics


def phase_ended(planned: Planned, fact: Phase) -> str:
    """The one line of the thread about a phase that was settled."""
    parts = [
        f"✅ {plain(planned.title)}",
        time_words(planned, time_spent(None, fact, 0.0)),
        services_words(planned, None, fact),
        "waived" if fact.waived else "",
        plain(decision_words(fact.evidence.decision)),
    ]
    return " · ".join(part for part in parts if part)


def decision_words(decision: Act | None) -> str:
    """A person's decision of a phase, the name and the reason; "" for nothing."""
    word = {"approve": "approved", "reject": "rejected"}.get(decision.decision if decision else "")
    return f"{word} by {decision.by}: {decision.reason}" if decision and word else ""


def cause_lines(status: ReleaseStatus, step: RunStep) -> t.Iterator[str]:
    """The first failure of a step, in short: the thread has it whole."""
    failures = [failure for failure in status.failures if failure.step == step.name]
    if failures:
        yield INDENT + host_line(failures[0].host, failures[0].sentence, 200)


def phase_state(status: ReleaseStatus, step: RunStep | None, fact: Phase | None) -> tuple[str, str]:
    """Its mark, and what else is to be said. What this run sees fail counts before what the record had."""
    if step and step.failed:
        held = any(failure.step == step.name and failure.held for failure in status.failures)
        return ("⏸️", "on hold") if held else ("❌", "failed")
    if fact and fact.settled:
        return "✅", "waived" if fact.waived else ""
    if step and step.live:
        return "⏳", ""
    if step and status.outcome == "interrupted":
        return "🛑", "interrupted"
    if fact and fact.failed:
        return ("⏸️", "on hold") if fact.evidence.on_hold else ("❌", "failed")
    if fact and fact.taken_back:
        return "↩️", fact.status.replace("_", " ")
    if fact or step:
        return "❔", "not finished"
    return "▫️", ""


def time_spent(step: RunStep | None, fact: Phase | None, now: float) -> float | None:
    """Seconds; None of a phase that was taken back: its record keeps when the rollback ended, not the phase."""
    if fact and fact.taken_back and not step:
        return None
    if fact and fact.begun and fact.ended and not (step and not fact.settled):
        return (fact.ended - fact.begun).total_seconds()
    if step:
        return (now if step.finished is None else step.finished) - step.started
    return None


def time_words(planned: Planned, spent: float | None) -> str:
    """Against the plan; "" where there is neither."""
    if spent is None:
        return span(planned.seconds) if planned.minutes else ""
    over = spent - planned.seconds
    late = f" ⏰ `{stopwatch(over)}` late" if planned.minutes and over >= 1 else ""
    of = f" of {span(planned.seconds)}" if planned.minutes else ""
    return f"`{stopwatch(spent)}`{of}{late}"


def services_words(planned: Planned, step: RunStep | None, fact: Phase | None) -> str:
    if planned.name != SERVICES_PHASE:
        return ""
    if fact and fact.settled:
        services = sum(1 for service in fact.evidence.services if service.known)
        return counted(services, "service") if services else ""
    return f"{len(step.rolled)} of {max(step.hosts, len(step.rolled))} services" if step else ""


def reading_words(reading: RecordedMetric) -> str:
    mark = STATUS_SIGNS.get(judged_as(reading), "")
    name = plain(reading.name.replace("_", " "))
    return f"{mark} {name} {plain(quantity(reading.newest, reading.unit))}".strip()


def step_lines(status: ReleaseStatus, step: RunStep, now: float) -> t.Iterator[str]:
    mark = "❌" if step.failed else "⏳" if step.live else "✅"
    name = plain(shortened(step.name, 120))
    parts = [f"{mark} *{name}*" if step.live else f"{mark} {name}"]
    parts.append(f"`{stopwatch((now if step.finished is None else step.finished) - step.started)}`")
    if step.live and step.task:
        parts.append(f"_{plain(shortened(step.task, 80))}_")
    yield " · ".join(parts)
    yield from cause_lines(status, step)
    yield from progress_lines(step)


def progress_lines(step: RunStep) -> t.Iterator[str]:
    for host, text in list(step.progress.items())[-SHOWN_PROGRESS:]:
        if text:
            yield INDENT + host_line(host, text, 120)


def host_line(host: str, text: str, limit: int) -> str:
    """What a host says; the controller's name is left out, and a host that names itself is not named twice."""
    itself = host in ("", "localhost") or text.startswith(f"{host}: ")
    line = plain(shortened(text, limit))
    return line if itself else f"{code(host)} {line}"


def detail(failure: TaskFailure) -> str:
    """The reply about one failure, as it happens."""
    return f"❌ {code(failure.host)} failed in {code(failure.task)}\n{code_block(failure.sentence)}"


def alarm(status: ReleaseStatus) -> str:
    """The one reply that calls somebody: what stopped, and why. "" after a good end, and when nothing was touched."""
    if status.outcome in ("", "done") or not status.touched:
        return ""
    mark, words = state_words(status)
    calls = status.release.on_call and not status.refused
    called = f"{call(status.release.on_call)} " if calls else ""
    text = f"{mark} {called}*{plain(status.release.title)}* {words}"
    if not status.failures:
        return f"{text}."
    cause = stopped_by(status.failures)
    return f"{text}, {code(cause.host)} in {code(cause.task)}:\n{code_block(cause.sentence)}"


def call(who: str) -> str:
    called = mention(who)
    return called if called.startswith("<") else f"{called} (only a name: not notified)"
