# SPDX-License-Identifier: GPL-3.0-or-later
"""One deployment of migrations of any kind: look, decide, apply each with its row, and look again.

The guard as the modules use it: options in, findings held against the waivers, a report for their results out.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from .._errors import DeployError, InputError, refuse_missing
from .._lock.apply import Check
from .._postgres import Session
from .execution import mask_passwords
from .guard.catalog import read_catalog
from .guard.models import MigrationFinding, Review, Source
from .guard.parser import PGLAST
from .guard.review import review
from .models import DriftError, GuardError, Migration, describe_tables, find_tables, verify_tables
from .runner import (
    AppliedFile,
    LockRetries,
    Runs,
    SessionTimeouts,
    advisory_lock,
    describe_runs,
    refuse_read_only,
)


@dataclass(frozen=True)
class DeployRequest:
    """What is to be deployed and how, as in the module's options."""

    expect_tables: tuple[str, ...]
    """Each as `table`, which is in public, or as `schema.table`."""
    refuse_drift: bool
    limits: SessionTimeouts
    additive_only: bool
    waivers: t.Mapping[str, str]
    advisory_lock_timeout: float
    where: str
    """The database, in sentences."""
    check_lock: Check
    """Before each migration."""


@dataclass(frozen=True)
class MigrationPlan:
    """What would run, and where the folder and the history stand to each other."""

    pending: tuple[Migration, ...]
    versions: list[str]
    """Those that are applied."""
    drift: dict[str, str] = field(default_factory=dict)
    """Applied files that were edited since, each with a clause on how."""
    problems: dict[str, list[str]] = field(default_factory=dict)
    """Sentences on why pending files cannot run, by their names."""
    warnings: tuple[str, ...] = ()
    details: t.Mapping[str, t.Any] = field(default_factory=dict)
    """Keys of the result that one kind has."""
    state: t.Any = None
    """What the engine itself needs of it again."""

    def to_diff(self) -> dict[str, str]:
        """The SQL that runs, whole but for passwords, for a diff is a request to see it."""
        newest = self.versions[-1] if self.versions else "nothing"
        after = "".join(
            f"-- {each.file}\n{mask_passwords(each.text.rstrip())}\n" for each in self.pending
        )
        return {
            "before_header": f"applied up to {newest}",
            "after_header": f"{len(self.pending)} pending",
            "before": "",
            "after": after,
        }


class Engine(t.Protocol):
    """What the kinds of migrations differ in."""

    ADVISORY_LOCK: int
    """Any number will do as long as it is the tool's, or ours, and never changes."""
    LEAVES_FAILURES: bool
    """Whether the history has a row of what failed."""
    RESETS: bool
    """Whether each file begins with the session's first settings."""

    def plan(self, session: Session) -> MigrationPlan:
        """Raises when nothing may run."""

    def begin(
        self,
        session: Session,
        plan: MigrationPlan,
        limits: SessionTimeouts,
        retries: LockRetries,
        /,
    ) -> t.Callable[[Migration], AppliedFile]:
        """Make the history where there is none. What applies a migration and writes its row."""

    def verify(self, session: Session, plan: MigrationPlan) -> list[str]:
        """Read the history back: what was run is in it, and nothing else is new. All its versions."""


@dataclass(frozen=True)
class DeployOutcome:
    """`runs` has each applied file by its name, None when nothing was to be applied but predicted."""

    plan: MigrationPlan
    guard: GuardReport
    versions: list[str]
    tables: list[dict[str, t.Any]]
    runs: Runs | None = None

    @property
    def warnings(self) -> list[str]:
        drifted = [
            f"{file} was edited since it was applied: {how}."
            for file, how in self.plan.drift.items()
        ]
        return [*drifted, *self.plan.warnings, *self.guard.warnings]

    def to_result(self) -> dict[str, t.Any]:
        migrations = [migration.to_result() for migration in self.plan.pending]
        applied = self.runs is not None
        return {
            "changed": bool(migrations),
            "applied": migrations if applied else [],
            "pending": [] if applied else migrations,
            "versions": self.versions,
            "tables": self.tables,
            **describe_runs(self.runs or {}),
            "drift": self.plan.drift,
            **self.plan.details,
            **self.guard.to_result(),
        }


def predict(session: Session, order: DeployRequest, engine: Engine) -> DeployOutcome:
    """What `migrate` would do."""
    order.limits.set_on(session)
    plan, guard = _look(session, order, engine)
    before = find_tables(session, order.expect_tables)
    tables = describe_tables(session, order.expect_tables, before=before)
    return DeployOutcome(plan, guard, plan.versions, tables)


def migrate(
    session: Session, order: DeployRequest, engine: Engine, retries: LockRetries
) -> DeployOutcome:
    """Apply what is pending, in order. A DeployError has in its details what was applied before it."""
    runs: Runs = {}
    # Looks wait for locks as well, of a table that somebody else is changing.
    order.limits.set_on(session)
    with advisory_lock(session, engine.ADVISORY_LOCK, timeout=order.advisory_lock_timeout):
        plan, guard = _look(session, order, engine)
        before = find_tables(session, order.expect_tables)
        begun: list[str] = []
        try:
            if plan.pending:
                order.check_lock()
                apply = engine.begin(session, plan, order.limits, retries)
            for number, migration in enumerate(plan.pending, start=1):
                file = migration.file
                order.check_lock()
                begun.append(file)
                run = runs[file] = apply(migration)
                retries.report(
                    "MigrationApplied",
                    f"{file} applied in {run.seconds:.2f} s ({number} of {len(plan.pending)})",
                    {"file": file, "seconds": round(run.seconds, 3)},
                )
            order.limits.set_on(session)
            versions = engine.verify(session, plan)
            tables = describe_tables(session, order.expect_tables, before=before)
            verify_tables(tables, order.expect_tables, database=order.where)
        except DeployError as exc:
            done = [each.to_result() for each in plan.pending if each.file in runs]
            changed = bool(begun if engine.LEAVES_FAILURES else runs)
            exc.details.update(changed=changed, applied=done, **describe_runs(runs))
            raise
    return DeployOutcome(plan, guard, versions, tables, runs)


def _look(
    session: Session, order: DeployRequest, engine: Engine
) -> tuple[MigrationPlan, GuardReport]:
    """Raises when nothing may run."""
    plan = engine.plan(session)
    if order.refuse_drift and plan.drift:
        listed = "; ".join(f"{file} ({how})" for file, how in plan.drift.items())
        raise DriftError(
            f"Applied files were edited since: {listed}. Restore them from git and write the "
            "change as a new migration; set option 'drift' to 'warn' to continue anyway.",
            drift=plan.drift,
            **plan.details,
        )
    if plan.pending:
        refuse_read_only(session, order.where)
    return plan, guarded(session, order, plan, resets=engine.RESETS)


@dataclass(frozen=True)
class GuardReport:
    """What the guard says of the pending files, held against the waivers: the reasons by file."""

    review: Review
    waivers: t.Mapping[str, str]

    @property
    def refused(self) -> list[MigrationFinding]:
        return [finding for finding in self.review.findings if finding.file not in self.waivers]

    @property
    def waived(self) -> dict[str, list[MigrationFinding]]:
        """By file, what it is let through with."""
        waived: dict[str, list[MigrationFinding]] = {}
        for finding in self.review.findings:
            if finding.file in self.waivers:
                waived.setdefault(finding.file, []).append(finding)
        return waived

    @property
    def warnings(self) -> list[str]:
        waived = [
            f"Waived ({self.waivers[file]}): {finding.to_sentence()}"
            for file, findings in self.waived.items()
            for finding in findings
        ]
        return [*waived, *(finding.to_sentence() for finding in self.review.warnings)]

    def to_result(self) -> dict[str, t.Any]:
        return {
            "findings": _to_results(self.refused),
            "guard_warnings": _to_results(self.review.warnings),
            "waived": {
                file: {"reason": self.waivers[file], "findings": _to_results(findings)}
                for file, findings in self.waived.items()
            },
            "verdicts": self.review.verdicts,
        }

    def enforce(self, problems: t.Sequence[str] = ()) -> None:
        """One error for all that is not waived, and for `problems`: sentences on what cannot run."""
        if self.refused or problems:
            raised = InputError if problems else GuardError
            raise raised(self._describe(problems), problems=list(problems), **self.to_result())

    def _describe(self, problems: t.Sequence[str]) -> str:
        """What it comes to in one sentence, then each on a line of its own, and each safe way once."""
        refused = self.refused
        files = list(dict.fromkeys(finding.file for finding in refused))
        counts = [f"{count(len(problems), 'thing')} must be fixed"] if problems else []
        if refused:
            number = f"{count(len(refused), 'finding')} in {count(len(files), 'file')}"
            counts.append(f"{number} must be waived or rewritten")
        lines = [f"Nothing was applied: {' and '.join(counts)}."]
        lines += [f"- {problem}" for problem in problems]
        lines += [f"- {finding.to_line()}" for finding in refused]
        if refused:
            lines.append("How to write it:")
            ways = {finding.rule: finding.safe_way for finding in refused}
            lines += [f"- {rule}: {safe_way}." for rule, safe_way in ways.items()]
            lines.append(
                f"Or give each file a reason in option 'waivers', as in '{files[0]}: why it may run'."
            )
        if self.review.warnings:
            lines.append("These do not stop it, but may break running code:")
            lines += [f"- {finding.to_line()}" for finding in self.review.warnings]
        return "\n".join(lines)


def _to_results(findings: t.Iterable[MigrationFinding]) -> list[dict[str, t.Any]]:
    return [finding.to_result() for finding in findings]


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


_WORD = re.compile(r"\w+")
_LONGEST = 100_000
_UNREADABLE = ("syntax", "copy")


def read_waivers(params: t.Mapping[str, t.Any], files: t.Collection[str]) -> t.Mapping[str, str]:
    """Raise for one without a reason, for one of a file that is not in the folder, and without the guard's parser."""
    if params["additive_only"]:
        refuse_missing([PGLAST])
    waivers: t.Mapping[str, str] = params["waivers"]
    silent = sorted(file for file, reason in waivers.items() if not str(reason or "").strip())
    if silent:
        raise InputError(
            f"Option 'waivers' has no reason for {', '.join(silent)}: add one, it is recorded."
        )
    strange = sorted(file for file in waivers if file not in files)
    if strange:
        raise InputError(
            f"Option 'waivers' has files that are not in the folder: {', '.join(strange)}. "
            "Correct the names, or remove the waivers."
        )
    return waivers


def guarded(
    session: Session, order: DeployRequest, plan: MigrationPlan, *, resets: bool
) -> GuardReport:
    """Raise one error when a pending file is not additive and not waived, and for all problems with it.

    `resets` when each file begins with the session's first settings.
    """
    reviewed = Review((), (), {})
    if order.additive_only and plan.pending:
        pending = [each.source for each in plan.pending]
        reviewed = review(pending, read_catalog(session, _words_of(pending)), resets=resets)
        # That a file cannot be read is not told again where it is told why it cannot run.
        telling = tuple(
            each
            for each in reviewed.findings
            if each.file not in plan.problems or each.rule not in _UNREADABLE
        )
        reviewed = replace(reviewed, findings=telling)
    report = GuardReport(reviewed, order.waivers)
    report.enforce([each for of in plan.problems.values() for each in of])
    return report


def _words_of(pending: t.Sequence[Source]) -> set[str]:
    """What may be the name of a table that is indexed."""
    texts = [statement.text for source in pending for statement in source.statements]
    indexing = [text for text in texts if len(text) < _LONGEST and "index" in text.lower()]
    return {word for text in indexing for word in _WORD.findall(f"{text} {text.lower()}")}
