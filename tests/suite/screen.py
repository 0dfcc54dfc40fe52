"""What a person reads of a test run: pure functions of what was counted."""

import collections
import typing as t
from dataclasses import dataclass, field

from tests.suite.steps import Step

SHOWN_FAILURES = 3
SHOWN_REASONS = 2
WIDTH = 200


@dataclass
class StepState:
    """One step as far as it is. `seconds` and `cpu` are measured at its end."""

    step: Step
    began: float | None = None
    ended: float | None = None
    status: int | None = None
    cpu: float = 0.0
    collected: int = 0
    passed: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    skips: list[tuple[str, str]] = field(default_factory=list)

    @property
    def done(self) -> int:
        return self.passed + len(self.failures) + len(self.skips)

    @property
    def failed(self) -> bool:
        return bool(self.failures) or self.status not in (None, 0)

    def left(self, now: float) -> float:
        """Seconds that it is expected to take still."""
        if self.ended is not None:
            return 0.0
        if self.began is None:
            return self.step.seconds
        if self.collected and self.done:
            so_far = (now - self.began) * (self.collected - self.done) / self.done
            # Tests differ: at the beginning the record counts for more than the pace.
            share = self.done / self.collected
            planned = max(0.0, self.step.seconds - (now - self.began))
            return share * so_far + (1 - share) * planned
        return max(5.0, self.step.seconds - (now - self.began))


@dataclass(frozen=True)
class Overview:
    states: t.Sequence[StepState]
    began: float
    now: float
    lanes: int

    @property
    def passed(self) -> int:
        return sum(state.passed for state in self.states)

    @property
    def failed(self) -> int:
        """Tests, and steps without any that failed."""
        return sum(len(state.failures) or int(state.failed) for state in self.states)

    @property
    def skips(self) -> list[tuple[str, str]]:
        return [skip for state in self.states for skip in state.skips]


def clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def progress(overview: Overview) -> str:
    """One line: what runs, what came of it, how long it took and how long it takes still."""
    running = [
        f"{state.step.name} {state.done}/{state.collected}" if state.collected else state.step.name
        for state in overview.states
        if state.began is not None and state.ended is None
    ]
    lanes = sum(
        state.left(overview.now) * state.step.lanes / overview.lanes for state in overview.states
    )
    counted = f"{overview.passed} passed, {overview.failed} failed"
    return f"{' + '.join(running)} · {counted} · {clock(overview.now - overview.began)}, about {clock(lanes)} to go"


def failure(step: str, test: str, cause: str) -> str:
    return f"{f'✗ {step} {test}'.rstrip()}: {cause}"[:WIDTH]


def ending(
    overview: Overview, cpu: float, left: t.Sequence[str], logs: str, stopped: str
) -> list[str]:
    """The last lines, at most ten."""
    lines = []
    failures = [
        failure(state.step.name, *each)
        for state in overview.states
        for each in state.failures or ([("", "failed")] if state.failed else [])
    ]
    lines += failures[:SHOWN_FAILURES]
    if len(failures) > SHOWN_FAILURES:
        lines.append(f"… and {len(failures) - SHOWN_FAILURES} more, in {logs}")
    reasons = collections.Counter(why for _test, why in overview.skips)
    lines += [
        f"skipped {count}: {why}"[:WIDTH] for why, count in reasons.most_common(SHOWN_REASONS)
    ]
    if left:
        lines.append(f"ended what was left running: {', '.join(left)}"[:WIDTH])
    not_run = [state.step.name for state in overview.states if state.began is None]
    if not_run:
        lines.append(f"not run{stopped}: {', '.join(not_run)}")
    lines.append(
        f"{clock(overview.now - overview.began)}, {cpu:.0f} s of CPU; each step's output: {logs}"
    )
    skipped = f", {len(overview.skips)} skipped" if overview.skips else ""
    lines.append(f"{overview.passed} passed, {overview.failed} failed{skipped}")
    return lines
