# SPDX-License-Identifier: GPL-3.0-or-later
"""One deployment of migrations of any kind: look, decide, apply each with its row, and look again.

The guard as the modules use it: options in, findings held against the waivers, a report for their results out.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace

from .._errors import DeployError, InputError, refuse_missing
from .._lock.apply import Check, no_check
from .guard.catalog import read_catalog
from .guard.models import MigrationFinding, Review, Source
from .guard.parser import PGLAST
from .guard.review import review
from .models import GuardError, describe_tables, find_tables, verify_tables
from .runner import advisory_lock
from .session import describe_runs

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from .._postgres import Session
    from .models import ExpectedTable, Migration
    from .runner import LockRetries
    from .session import AppliedFile, Runs, SessionTimeouts


@dataclass(frozen=True)
class DeployRequest:
    """What is to be deployed and how, as in the module's options."""

    expect_tables: tuple[str, ...]
    """Each as `table`, which is in public, or as `schema.table`."""
    refuse_drift: bool
    limits: SessionTimeouts
    guard: Guard
    advisory_lock_timeout: float
    where: str
    """The database, in sentences."""
    check_lock: Check = no_check
    """Before each migration."""


class DeployPlan(t.Protocol):
    @property
    def pending(self) -> Sequence[Migration]: ...

    def to_diff(self) -> dict[str, t.Any]: ...


@dataclass(frozen=True)
class Look:
    """What would run and what was waived. `details` are keys of the result that one kind has."""

    plan: DeployPlan
    versions: list[str]
    guard: GuardReport
    warnings: list[str]
    details: Mapping[str, t.Any]
    state: t.Any = None
    """What the engine itself needs of it again."""


class Engine(t.Protocol):
    """What the kinds of migrations differ in."""

    @property
    def advisory_lock(self) -> int: ...

    @property
    def leaves_failures(self) -> bool:
        """Whether the history has a row of what failed."""

    def look(self, session: Session) -> Look:
        """Raises when nothing may run."""

    def begin(
        self, session: Session, look: Look, retries: LockRetries, /
    ) -> Callable[[Migration], AppliedFile]:
        """Make the history where there is none. What applies a migration and writes its row."""

    def verify(self, session: Session, look: Look) -> list[str]:
        """Read the history back: what was run is in it, and nothing else is new. All its versions."""


@dataclass(frozen=True)
class DeployOutcome:
    """`runs` has each applied file by its name, None when nothing was to be applied but predicted."""

    look: Look
    versions: list[str]
    tables: list[ExpectedTable]
    runs: Runs | None = None

    @property
    def warnings(self) -> list[str]:
        return [*self.look.warnings, *self.look.guard.warnings]

    def to_result(self) -> dict[str, t.Any]:
        migrations = [migration.to_result() for migration in self.look.plan.pending]
        applied = self.runs is not None
        return {
            "changed": bool(migrations),
            "applied": migrations if applied else [],
            "pending": [] if applied else migrations,
            "versions": self.versions,
            "tables": [table.to_result() for table in self.tables],
            **describe_runs(self.runs or {}),
            **self.look.details,
            **self.look.guard.to_result(),
        }


def predict(session: Session, order: DeployRequest, engine: Engine) -> DeployOutcome:
    """What `migrate` would do."""
    order.limits.set_on(session)
    look = engine.look(session)
    before = find_tables(session, order.expect_tables)
    tables = describe_tables(session, order.expect_tables, before=before)
    return DeployOutcome(look, look.versions, tables)


def migrate(
    session: Session, order: DeployRequest, engine: Engine, retries: LockRetries
) -> DeployOutcome:
    """Apply what is pending, in order. A DeployError has in its details what was applied before it."""
    runs: Runs = {}
    # Looks wait for locks as well, of a table that somebody else is changing.
    order.limits.set_on(session)
    with advisory_lock(session, engine.advisory_lock, timeout=order.advisory_lock_timeout):
        look = engine.look(session)
        before = find_tables(session, order.expect_tables)
        begun: list[str] = []
        try:
            if look.plan.pending:
                _apply(session, order, engine, look, retries, begun, runs)
            order.limits.set_on(session)
            versions = engine.verify(session, look)
            tables = describe_tables(session, order.expect_tables, before=before)
            verify_tables(tables, order.expect_tables, database=order.where)
        except DeployError as exc:
            done = [each.to_result() for each in look.plan.pending if each.file in runs]
            changed = bool(begun if engine.leaves_failures else runs)
            exc.details.update(changed=changed, applied=done, **describe_runs(runs))
            raise
    return DeployOutcome(look, versions, tables, runs)


def _apply(
    session: Session,
    order: DeployRequest,
    engine: Engine,
    look: Look,
    retries: LockRetries,
    begun: list[str],
    runs: Runs,
) -> None:
    pending = look.plan.pending
    order.check_lock()
    apply = engine.begin(session, look, retries)
    for number, migration in enumerate(pending, start=1):
        file = migration.file
        order.check_lock()
        begun.append(file)
        run = runs[file] = apply(migration)
        retries.report(
            "MigrationApplied",
            f"{file} applied in {run.seconds:.2f} s ({number} of {len(pending)})",
            {"file": file, "seconds": round(run.seconds, 3)},
        )


@dataclass(frozen=True)
class Waived:
    """What a file was let through with, and why."""

    reason: str
    findings: tuple[MigrationFinding, ...]

    def to_result(self) -> dict[str, t.Any]:
        return {
            "reason": self.reason,
            "findings": [finding.to_result() for finding in self.findings],
        }


def refuse_bad_waivers(waivers: Mapping[str, str], files: Collection[str]) -> None:
    """Raise for a waiver without a reason, and for one of a file that is not in the folder."""
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


def enforce(
    reviewed: Review, waivers: Mapping[str, str], problems: Sequence[str] = ()
) -> dict[str, Waived]:
    """The waived findings by file; one error for all others, and for `problems`: sentences on what cannot run."""
    refused = [finding for finding in reviewed.findings if finding.file not in waivers]
    waived: dict[str, list[MigrationFinding]] = {}
    for finding in reviewed.findings:
        if finding.file in waivers:
            waived.setdefault(finding.file, []).append(finding)
    granted = {file: Waived(waivers[file], tuple(of)) for file, of in waived.items()}
    if refused or problems:
        raised = InputError if problems else GuardError
        raise raised(
            describe_refusal(problems, refused, reviewed.warnings),
            problems=list(problems),
            findings=[finding.to_result() for finding in refused],
            guard_warnings=[finding.to_result() for finding in reviewed.warnings],
            waived={file: each.to_result() for file, each in granted.items()},
            verdicts=reviewed.to_verdicts(),
        )
    return granted


def describe_refusal(
    problems: Sequence[str],
    refused: Sequence[MigrationFinding],
    warnings: Sequence[MigrationFinding],
) -> str:
    """What it comes to in one sentence, then each on a line of its own, and each safe way once."""
    files = list(dict.fromkeys(finding.file for finding in refused))
    counts = [
        *([f"{_count(len(problems), 'thing')} must be fixed"] if problems else []),
        *(
            [
                f"{_count(len(refused), 'finding')} in {_count(len(files), 'file')} must be "
                "waived or rewritten"
            ]
            if refused
            else []
        ),
    ]
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
    if warnings:
        lines.append("These do not stop it, but may break running code:")
        lines += [f"- {finding.to_line()}" for finding in warnings]
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


_WORD = re.compile(r"\w+")
_LONGEST = 100_000
_UNREADABLE = ("syntax", "copy")


@dataclass(frozen=True)
class GuardReport:
    """What of the pending files was waived, how many statements of each have which verdict, and what is warned of."""

    waived: Mapping[str, Waived] = field(default_factory=dict)
    verdicts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    warned: Sequence[MigrationFinding] = ()

    @property
    def warnings(self) -> list[str]:
        waived = [
            f"Waived ({waived.reason}): {finding.to_sentence()}"
            for waived in self.waived.values()
            for finding in waived.findings
        ]
        return [*waived, *(finding.to_sentence() for finding in self.warned)]

    def to_result(self) -> dict[str, t.Any]:
        return {
            "findings": [],
            "guard_warnings": [finding.to_result() for finding in self.warned],
            "waived": {file: waived.to_result() for file, waived in self.waived.items()},
            "verdicts": {file: dict(counts) for file, counts in self.verdicts.items()},
        }


@dataclass(frozen=True)
class Guard:
    """The options `additive_only` and `waivers`."""

    additive_only: bool
    waivers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_params(cls, params: Mapping[str, t.Any], files: Collection[str]) -> Guard:
        """Of the options of the doc fragment _migrations; `files` are those of the folder."""
        if params["additive_only"]:
            refuse_missing([PGLAST])
        refuse_bad_waivers(params["waivers"], files)
        return cls(params["additive_only"], params["waivers"])

    def check(
        self,
        session: Session,
        pending: Sequence[Source],
        *,
        problems: Mapping[str, Sequence[str]] | None = None,
        resets: bool = True,
    ) -> GuardReport:
        """Raise one error when a pending file is not additive and not waived, and for all `problems` with it.

        Those are sentences on why files cannot run, by their names. `resets` when each file begins with the session's
        first settings.
        """
        by_file = problems or {}
        if self.additive_only and pending:
            reviewed = review(pending, read_catalog(session, _words_of(pending)), resets=resets)
            reviewed = replace(reviewed, findings=_not_told(reviewed.findings, by_file))
        else:
            reviewed = Review((), (), {})
        waived = enforce(reviewed, self.waivers, [each for of in by_file.values() for each in of])
        return GuardReport(waived, reviewed.to_verdicts(), reviewed.warnings)


def _not_told(
    findings: Sequence[MigrationFinding], explained: Collection[str]
) -> tuple[MigrationFinding, ...]:
    """Without that a file cannot be read, where why it cannot run is told."""
    return tuple(
        each for each in findings if each.file not in explained or each.rule not in _UNREADABLE
    )


def _words_of(pending: Sequence[Source]) -> set[str]:
    """What may be the name of a table that is indexed."""
    texts = [statement.text for source in pending for statement in source.statements]
    indexing = [text for text in texts if len(text) < _LONGEST and "index" in text.lower()]
    return {
        word
        for text in indexing
        for spelled in _WORD.findall(text)
        for word in (spelled, spelled.lower())
    }
