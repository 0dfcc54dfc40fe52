# SPDX-License-Identifier: GPL-3.0-or-later
"""Class every statement of the files that will run, each by the judge of its kind. What has no judge is unknown."""

from __future__ import annotations

import typing as t
from collections import Counter

from ..execution import excerpt
from ..splitter import Statement, failing_line, without_leading_comments
from . import changes, grants, objects, rows
from .calls import judge_mentioned, judge_plpgsql, judge_running, judge_set
from .catalog import Catalog
from .changes import judge_drop
from .columns import create_index
from .models import (
    STOPPING,
    Classification,
    Concern,
    Concerns,
    MigrationFinding,
    Review,
    Scope,
    Source,
    Unit,
    concern,
    worst,
)
from .parser import (
    Node,
    UnparsableError,
    in_parts,
    options_of,
    parse,
    parse_plpgsql,
    strings,
    words,
)
from .tables import alter_policy, create_policy, judge_alter_table, without_policy
from .world import World

Judge: t.TypeAlias = "t.Callable[[Node, Scope], Concerns | None]"


def judge_statement(node: Node, scope: Scope) -> Concerns:
    """All concerns of one statement; none when it is additive."""
    for kind, body in node.items():
        if kind in _QUERIES:
            yield from rows.judge_query(kind, body, scope)
        elif kind in _DEFINITIONS:
            yield from judge_mentioned(body, scope)
            yield from _DEFINITIONS[kind](body, scope) or ()
        elif kind in _OTHERS:
            yield from _OTHERS[kind](body, scope) or ()
        elif kind in _WHATEVER_IT_NAMES:
            yield concern(*_WHATEVER_IT_NAMES[kind])
        elif kind in _BY_A_CLAUSE:
            has_it, rule, what = _BY_A_CLAUSE[kind]
            if has_it(body):
                yield concern(rule, what)
        elif kind not in _ADDITIVE:
            yield concern("statement", f"it is a {kind.removesuffix('Stmt')}, which is unknown")


def _judge_view(body: Node, scope: Scope) -> Concerns:
    yield from objects.create_view(body, scope)
    rows.note_view(body, scope)


def _judge_do(body: Node, scope: Scope) -> Concerns:
    options = options_of(body, "args")
    language = strings([options["language"]])[0].lower() if "language" in options else "plpgsql"
    if language != "plpgsql":
        yield concern("language", f"it is in {language}, which is not parsed")
        return
    try:
        function = parse_plpgsql(scope.sql)
    except UnparsableError as exc:
        yield concern("syntax", f"its body cannot be read: {exc}")
        return
    yield from judge_plpgsql(function, scope)


_QUERIES = ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt")

# They make something that may call functions later.
_DEFINITIONS: t.Final[dict[str, Judge]] = {
    "CreateStmt": objects.create_table,
    "CreateForeignTableStmt": objects.create_relation,
    "ViewStmt": _judge_view,
    "IndexStmt": create_index,
    "AlterTableStmt": judge_alter_table,
    "RuleStmt": objects.create_rule,
    "DefineStmt": objects.define,
    "CreateCastStmt": objects.create_cast,
    "CreateStatsStmt": objects.create_statistics,
    "AlterDomainStmt": changes.alter_domain,
    "CreateEnumStmt": objects.create_type,
    "CompositeTypeStmt": objects.create_type,
    "CreateRangeStmt": objects.create_type,
    "CreateDomainStmt": objects.create_type,
}

_OTHERS: t.Final[dict[str, Judge]] = {
    "DoStmt": _judge_do,
    "CallStmt": rows.judge_call,
    "ReturnStmt": judge_running,
    "CreateTableAsStmt": rows.judge_create_as,
    "ExplainStmt": rows.judge_explain,
    "PrepareStmt": rows.judge_prepare,
    "ExecuteStmt": rows.judge_execute,
    "DeclareCursorStmt": rows.judge_prepare,
    "TruncateStmt": rows.judge_truncate,
    "LockStmt": rows.judge_lock,
    "RefreshMatViewStmt": rows.judge_refresh,
    "DropStmt": judge_drop,
    "CreateSchemaStmt": objects.create_schema,
    "CreateSeqStmt": objects.create_relation,
    "CreateExtensionStmt": objects.create_extension,
    "CreateFunctionStmt": objects.create_routine,
    "CreateTrigStmt": objects.create_trigger,
    "AlterFunctionStmt": changes.alter_function,
    "CreatePolicyStmt": create_policy,
    "AlterPolicyStmt": alter_policy,
    "AlterEnumStmt": changes.alter_enum,
    "AlterSeqStmt": changes.alter_sequence,
    "RenameStmt": changes.rename,
    "AlterObjectSchemaStmt": changes.set_schema,
    "AlterOwnerStmt": grants.change_owner,
    "GrantStmt": grants.judge_grant,
    "CreateRoleStmt": changes.create_role,
    "ReindexStmt": changes.judge_reindex,
    "TransactionStmt": changes.judge_transaction,
    "VariableSetStmt": judge_set,
}
_REWRITES = "it rewrites tables under a lock that stops everybody"
_ROLE = ("role-changed", "it changes or drops a role and its logins")
_OF_A_ROLE = ("role-changed", "it drops or reassigns all that a role owns")
_SERVER = ("server", "it changes more than this database's objects")
_WHATEVER_IT_NAMES: t.Final = {
    "ClusterStmt": ("table-rewrite", _REWRITES),
    "CopyStmt": ("copy", "it copies rows from or to outside the file"),
    **dict.fromkeys(words("AlterRoleStmt AlterRoleSetStmt DropRoleStmt"), _ROLE),
    **dict.fromkeys(words("DropOwnedStmt ReassignOwnedStmt"), _OF_A_ROLE),
    **dict.fromkeys(
        words(
            """
            AlterSystemStmt AlterDatabaseStmt AlterDatabaseSetStmt CreatedbStmt DropdbStmt
            CreateTableSpaceStmt DropTableSpaceStmt CreateSubscriptionStmt AlterSubscriptionStmt
            DropSubscriptionStmt CreateEventTrigStmt AlterEventTrigStmt LoadStmt
            """
        ),
        _SERVER,
    ),
}
_BY_A_CLAUSE: t.Final[dict[str, tuple[t.Callable[[Node], object], str, str]]] = {
    "GrantRoleStmt": (lambda body: not body.get("is_grant"), "revoke", "it revokes a role"),
    "AlterDefaultPrivilegesStmt": (
        lambda body: not body["action"].get("is_grant"),
        "revoke",
        "it revokes default privileges",
    ),
    "AlterPublicationStmt": (
        lambda body: body.get("action") != "AP_AddObjects" or "options" in body,
        "publication-changed",
        "it changes what a publication sends",
    ),
    "CreatePublicationStmt": (
        lambda body: body.get("for_all_tables"),
        "server",
        "it publishes all tables, and those without a key can no longer be updated",
    ),
    "VacuumStmt": (lambda body: "full" in options_of(body), "table-rewrite", _REWRITES),
}
"""What alone makes them a concern."""

# They add, or say something that nothing depends on.
_ADDITIVE = words(
    """
    CommentStmt NotifyStmt ListenStmt UnlistenStmt FetchStmt ClosePortalStmt
    DeallocateStmt VariableShowStmt ConstraintsSetStmt
    CreateForeignServerStmt CreateFdwStmt CreateUserMappingStmt
    """
)

_COMMANDS = words(
    "ALTER BEGIN CALL COMMENT COMMIT CREATE DELETE DO DROP EXECUTE GRANT INSERT REVOKE SELECT SET UPDATE WITH"
)


def review(sources: t.Sequence[Source], catalog: Catalog | None, *, resets: bool = True) -> Review:
    """`sources` in the order they run; `resets` when each begins with the session's first settings.

    Without a catalog all that the files do not make is taken to exist, but for what they make IF NOT EXISTS.
    """
    world = World(catalog)
    judged: list[tuple[Unit, list[list[Concern]]]] = []
    for source in sources:
        world.begin_file(reset=resets)
        unit = Unit()
        judged.append((unit, _judge_file(source, world, unit)))
    findings: list[MigrationFinding] = []
    verdicts: dict[str, dict[str, int]] = {}
    for source, (unit, concerns) in zip(sources, judged, strict=True):
        for index, issue in without_policy(unit.enabled, world):
            concerns[index].append(issue)
        counts = Counter(worst(each.verdict for each in of_statement) for of_statement in concerns)
        verdicts[source.file] = {verdict.value: counts[verdict] for verdict in Classification}
        findings += _to_findings(source, concerns)
    return Review(
        findings=tuple(each for each in findings if each.verdict is not Classification.WARNING),
        warnings=tuple(each for each in findings if each.verdict is Classification.WARNING),
        verdicts=verdicts,
    )


def _judge_file(source: Source, world: World, unit: Unit) -> list[list[Concern]]:
    """The concerns of each of its statements."""
    concerns: list[list[Concern]] = []
    for index, statement in enumerate(source.statements):
        scope = Scope(world, unit, judge_statement, statement.text, statement=index)
        issues = list(_judge_text(statement, scope))
        given = {each.verdict for each in issues}
        world.unclear |= not given.isdisjoint(STOPPING)
        world.rows_written |= Classification.UNKNOWN in given
        concerns.append(issues)
    for index, lost in unit.unsettled():
        concerns[index].append(lost)
    return concerns


def _judge_text(statement: Statement, scope: Scope) -> Concerns:
    for part in in_parts(statement.text):
        try:
            for node, sql in parse(part):
                yield from judge_statement(node, scope.reading(sql))
        except UnparsableError as exc:
            yield concern("syntax", f"it cannot be read: {exc}{_point(statement, part, exc)}")
            return
        except Exception as exc:
            yield concern("statement", f"it could not be judged ({type(exc).__name__})")


def _point(statement: Statement, part: str, error: UnparsableError) -> str:
    if part != statement.text:
        # Where in the whole it stands tells the parser best.
        try:
            parse(statement.text)
        except UnparsableError as exc:
            error = exc
    position = error.position
    if position is None:
        return ""
    before = statement.text[:position]
    line = statement.line + before.count("\n")
    return f", in line {line}, column {position - before.rfind(chr(10))}"


def _to_findings(
    source: Source, concerns: t.Sequence[t.Sequence[Concern]]
) -> t.Iterator[MigrationFinding]:
    for index, of_statement in enumerate(concerns):
        for each in dict.fromkeys(of_statement):
            statement = source.statements[index]
            yield MigrationFinding(
                file=source.file,
                line=failing_line(statement, None),
                statement=index + 1,
                **vars(each),
                excerpt=_excerpt(statement, each),
            )


def _excerpt(statement: Statement, issue: Concern) -> str:
    """Of what cannot be read no more than the command, for what looks like code may be the inside of a literal."""
    if issue.rule != "syntax":
        return excerpt(statement.text)
    word = without_leading_comments(statement.text).partition(" ")[0].upper()
    return f"{word} …" if word in _COMMANDS else "…"
