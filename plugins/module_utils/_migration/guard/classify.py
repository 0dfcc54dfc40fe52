# SPDX-License-Identifier: GPL-3.0-or-later
"""Which judge a statement goes to. What no judge knows cannot be told."""

from __future__ import annotations

import typing as t

from . import access, changes, objects, rows
from .calls import judge_mentioned, judge_running
from .drops import judge_drop
from .indexes import create_index
from .names import words
from .parser import Node, UnparsableError, parse_plpgsql
from .plpgsql import judge_plpgsql
from .policies import alter_policy, create_policy
from .routine import read_do
from .rules import concern
from .settings import judge_set
from .tables import judge_alter_table
from .triggers import create_trigger

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .models import Concern
    from .scope import Scope

    Judge = t.Callable[[Node, Scope], Iterator[Concern]]


def judge_statement(node: Node, scope: Scope) -> Iterator[Concern]:
    """All concerns of one statement; none when it is additive."""
    for kind, body in node.items():
        if kind in _QUERIES:
            yield from rows.judge_query(kind, body, scope)
        elif kind in _DEFINITIONS:
            yield from judge_mentioned(body, scope)
            yield from _DEFINITIONS[kind](body, scope)
        elif kind in _TYPES:
            yield from judge_mentioned(body, scope)
            yield from objects.create_type(kind, body, scope)
        elif kind in _OTHERS:
            yield from _OTHERS[kind](body, scope)
        elif kind not in _ADDITIVE:
            yield concern("statement", f"it is a {kind.removesuffix('Stmt')}, which is unknown")


def _judge_do(body: Node, scope: Scope) -> Iterator[Concern]:
    language, _text = read_do(body)
    if language != "plpgsql":
        yield concern("language", f"it is in {language}, which is not parsed")
        return
    try:
        function = parse_plpgsql(scope.sql)
    except UnparsableError as exc:
        yield concern("syntax", f"its body cannot be read: {exc}")
        return
    yield from judge_plpgsql(function, scope)


def _create_trigger(body: Node, scope: Scope) -> Iterator[Concern]:
    yield from judge_mentioned(body.get("whenClause", {}), scope)
    yield from create_trigger(body, scope)


def _create_routine(body: Node, scope: Scope) -> Iterator[Concern]:
    yield from judge_mentioned(body.get("parameters", []), scope)
    yield from objects.create_routine(body, scope)


def _judge_return(body: Node, scope: Scope) -> Iterator[Concern]:
    """RETURN in a body of SQL."""
    yield from judge_running(body, scope)


_QUERIES = ("SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt")
_TYPES = ("CreateEnumStmt", "CompositeTypeStmt", "CreateRangeStmt", "CreateDomainStmt")

# They make something that may call functions later.
_DEFINITIONS: t.Final[dict[str, Judge]] = {
    "CreateStmt": objects.create_table,
    "CreateForeignTableStmt": objects.create_foreign_table,
    "ViewStmt": objects.create_view,
    "IndexStmt": create_index,
    "AlterTableStmt": judge_alter_table,
    "RuleStmt": objects.create_rule,
    "DefineStmt": objects.define,
    "CreateCastStmt": objects.create_cast,
    "CreateStatsStmt": objects.create_statistics,
    "AlterDomainStmt": changes.alter_domain,
}

_OTHERS: t.Final[dict[str, Judge]] = {
    "DoStmt": _judge_do,
    "CallStmt": rows.judge_call,
    "ReturnStmt": _judge_return,
    "CreateTableAsStmt": rows.judge_create_as,
    "ExplainStmt": rows.judge_explain,
    "PrepareStmt": rows.judge_prepare,
    "ExecuteStmt": rows.judge_execute,
    "DeclareCursorStmt": rows.judge_cursor,
    "TruncateStmt": rows.judge_truncate,
    "LockStmt": rows.judge_lock,
    "RefreshMatViewStmt": rows.judge_refresh,
    "DropStmt": judge_drop,
    "CreateSchemaStmt": objects.create_schema,
    "CreateSeqStmt": objects.create_sequence,
    "CreateExtensionStmt": objects.create_extension,
    "CreateFunctionStmt": _create_routine,
    "CreateTrigStmt": _create_trigger,
    "AlterFunctionStmt": changes.alter_function,
    "CreatePolicyStmt": create_policy,
    "AlterPolicyStmt": alter_policy,
    "AlterEnumStmt": changes.alter_enum,
    "AlterSeqStmt": changes.alter_sequence,
    "RenameStmt": changes.rename,
    "AlterObjectSchemaStmt": changes.set_schema,
    "AlterOwnerStmt": changes.change_owner,
    "GrantStmt": access.judge_grant,
    "GrantRoleStmt": access.judge_grant_role,
    "AlterDefaultPrivilegesStmt": access.judge_default_privileges,
    "CreateRoleStmt": access.create_role,
    "AlterRoleStmt": access.judge_role,
    "AlterRoleSetStmt": access.judge_role,
    "DropRoleStmt": access.judge_role,
    "DropOwnedStmt": access.judge_owned,
    "ReassignOwnedStmt": access.judge_owned,
    "CreatePublicationStmt": access.create_publication,
    "AlterPublicationStmt": access.judge_publication,
    "VacuumStmt": access.judge_vacuum,
    "ClusterStmt": access.judge_cluster,
    "ReindexStmt": access.judge_reindex,
    "TransactionStmt": access.judge_transaction,
    "VariableSetStmt": judge_set,
    **dict.fromkeys(
        (
            "AlterSystemStmt",
            "AlterDatabaseStmt",
            "AlterDatabaseSetStmt",
            "CreatedbStmt",
            "DropdbStmt",
            "CreateTableSpaceStmt",
            "DropTableSpaceStmt",
            "CreateSubscriptionStmt",
            "AlterSubscriptionStmt",
            "DropSubscriptionStmt",
            "CreateEventTrigStmt",
            "AlterEventTrigStmt",
            "LoadStmt",
        ),
        access.judge_server,
    ),
    "CopyStmt": lambda _body, _scope: iter(
        [concern("copy", "it copies rows from or to outside the file")]
    ),
}

# They add, or say something that nothing depends on.
_ADDITIVE = words(
    """
    CommentStmt NotifyStmt ListenStmt UnlistenStmt FetchStmt ClosePortalStmt
    DeallocateStmt VariableShowStmt ConstraintsSetStmt
    CreateForeignServerStmt CreateFdwStmt CreateUserMappingStmt
    """
)
