# SPDX-License-Identifier: GPL-3.0-or-later
"""A check, what all checks of a task know, how one kind of check looks, and what is found."""

from __future__ import annotations

import functools
import time
import typing as t
from dataclasses import dataclass, field, fields, replace

from .._errors import DeployError, InputError, Library, NotReadyError
from .._redaction import excerpt
from .._threads import Lock, side_by_side

if t.TYPE_CHECKING:
    from datetime import datetime

    from .._cluster import Cluster
    from .._release.record import Record


PASS, FAIL, HOLD, SKIPPED, WAIVED = "pass", "fail", "hold", "skipped", "waived"
UNKNOWN = "unknown"
STOPPING = (FAIL, HOLD)
"""A definite problem, and an unknown. Both stop the release."""

Options = t.Mapping[str, t.Any]
_THREADS = 32
"""Most of them wait for an answer from somewhere else."""
_SHOWN = 200


@dataclass(frozen=True)
class Patience:
    """How long a check that is not well is looked at again, in seconds. A `timeout` of 0 is one look."""

    timeout: float = 0
    pause: float = 1.0
    clock: t.Callable[[], float] = time.monotonic
    sleep: t.Callable[[float], None] = time.sleep


ONE_LOOK = Patience()


class CheckError(DeployError):
    """It answered, and not as it should."""

    reason = "CheckFailed"


class UnexpectedError(DeployError):
    """A look ended by an unexpected error, which says nothing about what it looked at."""

    reason = "Unexpected"


class NotKnownError(CheckError):
    """It had nothing to tell, which says neither that it is well nor that it is not."""


@dataclass(frozen=True)
class Check:
    """`timeout` bounds one look, in seconds. The rest depends on the task that has the check.

    `item` is the line of a checklist that it proves, `cure` what mends it beside what its kind says. `needs`: values by
    the name of the variable, without which nothing can be seen. `unless`: why it is not needed. `scenario` is the
    runbook's scenario that a smoke test plays, `note` what its line begins with.
    """

    name: str
    kind: str
    options: Options
    timeout: float = 0
    item: str = ""
    cure: str = ""
    needs: t.Mapping[str, str] = field(default_factory=dict)
    unless: str = ""
    scenario: str = ""
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """One sentence, and, once its check has ended, the row that tells of it.

    `name` and `item` are those of the check unless a check proves several lines. `warnings` are what a release survives
    and somebody should know, `facts` what its record is to keep, and `steps` the exchanges behind it. `kind`,
    `scenario` and `seconds` are the check's.
    """

    status: str
    detail: str
    name: str = ""
    item: str = ""
    warnings: tuple[str, ...] = ()
    facts: t.Mapping[str, t.Any] | None = None
    steps: tuple[Options, ...] = ()
    kind: str = ""
    scenario: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"

    @property
    def line(self) -> str:
        return line(self.name, self.status, self.detail)

    @property
    def passed(self) -> bool:
        return self.status == PASS

    @property
    def known(self) -> bool:
        """False of one that had nothing to tell, and did not pass for that."""
        return self.status != UNKNOWN

    def to_result(self, *also: str) -> dict[str, t.Any]:
        """As a task returns it, with the fields that its kind of task has beside these."""
        names = ("name", "kind", "status", "detail", *also)
        row = {name: getattr(self, name) for name in names}
        return {**row, "seconds": round(self.seconds, 3)}


T = t.TypeVar("T")


@dataclass(frozen=True)
class Known(t.Generic[T]):  # noqa: UP046 - targets may run an older Python
    """What was looked up once for all checks, or why it could not be."""

    value: T
    problem: DeployError | None = None

    @classmethod
    def of(cls, look: t.Callable[[], T], instead: T) -> Known[T]:
        try:
            return cls(look())
        except DeployError as exc:
            return cls(instead, exc)

    def get(self) -> T:
        if self.problem is not None:
            raise self.problem
        return self.value


@dataclass(frozen=True)
class Ground:
    """What every check may ask for. `cluster` makes a client of its own at each call, for threads.

    `commit` is the full name of the commit that is released, "" without a place to look.
    """

    release: str
    checkout: str
    now: datetime
    timeout: float
    check_mode: bool
    commit: Known[str]
    record: Known[Record | None]
    cluster: t.Callable[[], Cluster]
    wait: t.Callable[[float, str], None]
    """For so many seconds, after telling why."""

    def known_commit(self) -> str:
        commit = self.commit.get()
        if not commit:
            raise NotReadyError("The released commit is unknown: set 'checkout' or 'commit'.")
        return commit


Findings = str | Finding | t.Sequence[Finding]
"""A text is what was seen where all is well."""
Look = t.Callable[..., Findings]
"""Looks by the options of its kind. What it can't see, or finds not as it should be, it may raise as a DeployError.

After its options preflight's get the Ground, probes of components the seconds for one look, and smoke tests nothing.
"""


@dataclass(frozen=True)
class Kind:
    """How one kind of check looks, its option as the documentation has it, and which libraries it needs.

    `documentation` is YAML: the option's description and suboptions, two spaces in. `components` are the libraries that
    depend on the options. `reads_record`: it looks into the release record, where one can be read. `intention` is what
    it would do, for check mode. `refuse` raises an InputError for options that no spec can refuse, by the name of the
    check.
    """

    look: Look
    documentation: str = ""
    libraries: tuple[Library, ...] = ()
    components: t.Callable[[Options], t.Iterable[Library]] = lambda _options: ()
    reads_record: bool = False
    intention: t.Callable[[Options], str] = lambda _options: ""
    refuse: t.Callable[[str, Options], None] = lambda _name, _options: None


Kinds = t.Mapping[str, Kind]


def options_of(head: str, what: str, kinds: Kinds) -> str:
    """The options of a check as YAML: those of its `head`, its kind, of which `what` is said, and one for each kind."""
    kind = f"""kind:
  description: {what}, and which of the options below is read.
  type: str
  required: true
  choices: [{", ".join(kinds)}]
"""
    own = (f"{name}:\n  type: dict\n{each.documentation}" for name, each in kinds.items())
    return "".join((head, kind, *own))


passed = functools.partial(Finding, PASS)
failed = functools.partial(Finding, FAIL)
held = functools.partial(Finding, HOLD)
skipped = functools.partial(Finding, SKIPPED)


_OWN = tuple(each.name for each in fields(Check) if each.name != "options")


def read_checks(entries: t.Iterable[t.Mapping[str, t.Any]]) -> list[Check]:
    return [
        Check(options=entry[entry["kind"]], **{name: entry[name] for name in _OWN if name in entry})
        for entry in entries
    ]


def libraries(checks: t.Iterable[Check], kinds: Kinds) -> list[Library]:
    """Those that the checks need, and no others."""
    pairs = ((kinds[check.kind], check.options) for check in checks)
    needed = (
        each for kind, options in pairs for each in (*kind.libraries, *kind.components(options))
    )
    return list(dict.fromkeys(needed))


def run_checks(
    checks: t.Sequence[Check],
    look: t.Callable[[Check], Findings],
    of_error: t.Callable[[DeployError], Finding],
    *,
    report: t.Callable[[Finding], object] = lambda _row: None,
    patience: Patience = ONE_LOOK,
) -> list[Finding]:
    """The rows in the order of the checks. `report` hears of each as its check ends, one at a time.

    Nothing that one look raises keeps another from ending, or from being told.
    """
    telling = Lock()

    def attempt(check: Check) -> list[Finding]:
        started = patience.clock()
        try:
            findings = look(check)
        except DeployError as exc:
            findings = of_error(exc)
        except Exception as exc:
            what = f"{type(exc).__name__}: {excerpt(str(exc), _SHOWN)}"
            findings = of_error(UnexpectedError(f"it could not be checked ({what})"))
        if isinstance(findings, str):
            findings = passed(findings)
        several = [findings] if isinstance(findings, Finding) else findings
        seconds = patience.clock() - started
        return [_row(check, finding, seconds) for finding in several]

    def run(check: Check) -> list[Finding]:
        until = patience.clock() + patience.timeout
        while True:
            rows = attempt(check)
            well = all(row.passed for row in rows)
            if well or patience.clock() + patience.pause >= until:
                break
            patience.sleep(patience.pause)
        with telling:
            for row in rows:
                report(row)
        return rows

    return [row for rows in side_by_side(run, checks, at_once=_THREADS) for row in rows]


def error_finding(problem: DeployError, *unseen: type[DeployError]) -> Finding:
    """A mistake in the question, or of ours, says nothing about what it asks of; nor does an error of `unseen`."""
    if isinstance(problem, InputError):
        return held(f"its options are wrong: {problem}")
    status = HOLD if isinstance(problem, (UnexpectedError, *unseen)) else FAIL
    return Finding(status, str(problem), facts=problem.details.get("facts"))


def _row(check: Check, finding: Finding, seconds: float) -> Finding:
    return replace(
        finding,
        name=finding.name or check.name,
        item=finding.item or check.item,
        kind=check.kind,
        detail=_detail(check, finding),
        seconds=seconds,
        scenario=check.scenario,
    )


def listed_or_counted(well: t.Sequence[object]) -> str:
    """All of a few, else their number: the steps have them all."""
    return ", ".join(map(str, well)) if len(well) <= 2 else f"{len(well)} of {len(well)} well"


SIGNS = {
    PASS: ("✅", "PASS"),
    FAIL: ("❌", "FAIL"),
    HOLD: ("⏸️", "HOLD"),
    SKIPPED: ("⏭️", "SKIPPED"),
    "skip": ("⏭️", "SKIPPED"),
    WAIVED: ("☑️", "WAIVED"),
    "planned": ("🔎", "PLANNED"),
}


def line(name: str, status: str, evidence: str) -> str:
    """As the runbook words it: "✅ Agent routing: PASS (1% traffic)"."""
    sign, word = SIGNS.get(status, SIGNS[HOLD])
    return f"{sign} {name}: {word}{f' ({evidence})' if evidence else ''}"


def ended(text: str) -> str:
    """A sentence with its full stop."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _detail(check: Check, finding: Finding) -> str:
    if check.cure and finding.status in STOPPING:
        return f"{finding.detail.rstrip('.')}. {check.cure}"
    note = check.note if finding.status == PASS else ""
    return "; ".join(part for part in (note, finding.detail) if part)
