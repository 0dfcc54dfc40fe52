# SPDX-License-Identifier: GPL-3.0-or-later
"""One deployment of migrations of any kind: look, decide, apply each with its row, and look again.

The guard as the modules use it: options in, findings held against the waivers, a report for their results out.
"""

from __future__ import annotations

import re
import typing as t
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from itertools import groupby

from .._arguments import refuse_secrets
from .._errors import ConflictError, DeployError, InputError, RefusedError, refuse_missing
from .._formats import counted
from .._lock.apply import Check
from .._module import Module, Result, emit_progress
from .._postgres import PostgresTarget, Session
from .guard.catalog import names_called, read_catalog
from .guard.models import MigrationFinding, Review
from .guard.parser import PGLAST
from .guard.review import review
from .models import MigrationPlan, describe_tables, find_tables, verify_tables
from .prisma_deploy import PrismaEngine
from .runner import (
    BlockerMonitor,
    LockRetries,
    Runs,
    SessionTimeouts,
    advisory_lock,
    begin_anew,
    describe_runs,
    migrating,
    refuse_read_only,
)
from .supabase import SupabaseFiles

Params = t.Mapping[str, t.Any]


Engine: t.TypeAlias = SupabaseFiles | PrismaEngine


def advisory_wait(params: Params) -> float:
    """Seconds to wait for another run that migrates this database: as long as Prisma does, or longer."""
    given: float | None = params["advisory_lock_timeout"]
    if given is None:
        return 10.0 if params["kind"] == "prisma" else 30.0
    return given


@dataclass(frozen=True)
class MigrationDeployment:
    """`tables` are expected afterwards, each as `table`, which is in public, or as `schema.table`."""

    module: Module
    engine: Engine
    target: PostgresTarget
    tables: t.Sequence[str]
    waivers: t.Mapping[str, str]
    check_lock: Check
    """Before each migration."""
    runs: Runs = field(default_factory=dict)
    """Each applied file by its name."""

    def run(self, finish: t.Callable[[MigrationPlan], Result]) -> Result:
        """Apply what is pending, in order, or predict it in check mode.

        What `finish` does once all is applied and verified adds keys to the result.
        """
        module = self.module
        with migrating(self.target) as session:
            # Looks wait for locks as well, of a table that somebody else is changing.
            self._limits.set_on(session)
            lock = advisory_lock(
                session, self.engine.ADVISORY_LOCK, timeout=advisory_wait(module.params)
            )
            with nullcontext() if module.check_mode else lock:
                plan = self.engine.plan(session)
                guard = self._refuse_unfit(session, plan)
                before = find_tables(session, self.tables)
                if module.check_mode:
                    versions = plan.versions
                    described = describe_tables(session, self.tables, before=before)
                else:
                    versions, described = self._apply(session, plan, before)
        finished = finish(plan)
        drifted = (
            f"{file} was edited since it was applied: {how}." for file, how in plan.drift.items()
        )
        for warning in (*drifted, *plan.warnings, *guard.warnings):
            module.warn(warning)
        migrations = [migration.to_result() for migration in plan.pending]
        return {
            "changed": bool(migrations),
            "applied": [] if module.check_mode else migrations,
            "pending": migrations if module.check_mode else [],
            "versions": versions,
            "tables": described,
            **describe_runs(self.runs),
            "drift": plan.drift,
            **plan.details,
            **guard.to_result(),
            **finished,
            **({"diff": plan.to_diff()} if module._diff else {}),
        }

    @property
    def _limits(self) -> SessionTimeouts:
        params = self.module.params
        return SessionTimeouts(params["lock_timeout"], params["statement_timeout"])

    def _apply(
        self, session: Session, plan: MigrationPlan, before: t.Collection[str]
    ) -> tuple[list[str], list[dict[str, t.Any]]]:
        """All versions and the expected tables. A DeployError has in its details what was applied before it."""
        begun: list[str] = []
        with closing(BlockerMonitor(self.target, session)) as watch:
            retries = LockRetries(
                count=self.module.params["lock_retries"],
                watch=watch,
                report=lambda *event: emit_progress(self.module, *event),
            )
            try:
                if plan.pending:
                    self.check_lock()
                    apply = self.engine.begin(session, plan, self._limits, retries)
                for number, migration in enumerate(plan.pending, start=1):
                    file = migration.file
                    self.check_lock()
                    begun.append(file)
                    run = self.runs[file] = apply(migration)
                    retries.report(
                        "MigrationApplied",
                        f"{file} applied in {run.seconds:.2f} s ({number} of {len(plan.pending)})",
                        {"file": file, "seconds": round(run.seconds, 3)},
                    )
                begin_anew(session)
                self._limits.set_on(session)
                versions = self.engine.verify(session, plan)
                tables = describe_tables(session, self.tables, before=before)
                verify_tables(tables, self.tables, database=self.target.where)
            except DeployError as exc:
                done = [each.to_result() for each in plan.pending if each.file in self.runs]
                changed = bool(begun if self.engine.LEAVES_FAILURES else self.runs)
                exc.details.update(changed=changed, applied=done, **describe_runs(self.runs))
                raise
        return versions, tables

    def _refuse_unfit(self, session: Session, plan: MigrationPlan) -> GuardReport:
        """Raises when nothing may run: one error for all that is not additive and not waived, and for all problems."""
        params = self.module.params
        if params["drift"] == "fail" and plan.drift:
            listed = "; ".join(f"{file} ({how})" for file, how in plan.drift.items())
            raise ConflictError(
                f"Applied files were edited since: {listed}. Restore them from git and write the "
                "change as a new migration; set option 'drift' to 'warn' to continue anyway.",
                reason="Drift",
                drift=plan.drift,
                **plan.details,
            )
        if plan.pending:
            refuse_read_only(session, self.target.where)
        reviewed = Review((), (), {})
        if params["additive_only"] and plan.pending:
            pending = [each.source for each in plan.pending]
            texts = [
                each.text for of in pending for each in of.statements if len(each.text) < _LONGEST
            ]
            called = {name for text in texts for name in names_called(text)}
            catalog = read_catalog(session, _words_of(texts), called)
            reviewed = review(pending, catalog, resets=self.engine.RESETS)
            # That a file cannot be read is not told again where it is told why it cannot run.
            telling = tuple(
                each
                for each in reviewed.findings
                if each.file not in plan.problems or each.rule not in _UNREADABLE
            )
            reviewed = replace(reviewed, findings=telling)
        report = GuardReport(reviewed, self.waivers)
        report.enforce([each for of in plan.problems.values() for each in of])
        return report


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
        by_file = groupby(self.review.findings, key=lambda finding: finding.file)
        return {file: [*findings] for file, findings in by_file if file in self.waivers}

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
        details = {"problems": list(problems), **self.to_result()}
        if problems:
            raise InputError(self._describe(problems), **details)
        if self.refused:
            raise RefusedError(self._describe(problems), reason="NotAdditive", **details)

    def _describe(self, problems: t.Sequence[str]) -> str:
        """What it comes to in one sentence, then each on a line of its own, and each safe way once."""
        refused = self.refused
        files = list(dict.fromkeys(finding.file for finding in refused))
        counts = [f"{counted(len(problems), 'thing')} must be fixed"] if problems else []
        if refused:
            number = f"{counted(len(refused), 'finding')} in {counted(len(files), 'file')}"
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


_WORD = re.compile(r"\w+")
_SIZE_MATTERS = re.compile(r"(?i)index|partition")
_LONGEST = 100_000
_UNREADABLE = ("syntax", "copy")


def read_waivers(params: t.Mapping[str, t.Any], files: t.Collection[str]) -> t.Mapping[str, str]:
    """Raise for one without a reason, for one of a file that is not in the folder, and without the guard's parser."""
    if params["additive_only"]:
        refuse_missing([PGLAST])
    waivers: t.Mapping[str, str] = params["waivers"]
    refuse_secrets(**{f"waivers.{file}": reason for file, reason in waivers.items()})
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


def _words_of(texts: t.Sequence[str]) -> set[str]:
    """What may be the name of a table whose size matters: one that is indexed, or gets a partition."""
    asking = [text for text in texts if _SIZE_MATTERS.search(text)]
    return {word for text in asking for word in _WORD.findall(f"{text} {text.lower()}")}
