# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a failed migration comes from."""

from __future__ import annotations

from .._migration.prisma_folder import resolve_by
from .models import LIKELY, SURE
from .rules import MIGRATE, Rule, never_with

DATABASE_RULES = (
    # A migration
    Rule(
        "failed_row",
        SURE,
        "{subject}: migration {migration} of {at} failed and blocks the others: {said}",
        f"Fix it, say that nothing of it remains by {resolve_by('rolled_back', '{migration}')}, then {MIGRATE}.",
    ),
    Rule(
        "read_only",
        SURE,
        "{subject} is read-only ({why}), so nothing can be migrated",
        "Use the primary in the inventory, or reset that.",
    ),
    Rule(
        "blocked",
        SURE,
        "{subject}: {who} waits for a lock that {by} holds",
        "Find its owner; SELECT pg_terminate_backend({blocker}) ends it. Then " + MIGRATE + ".",
    ),
    Rule(
        "made_already",
        SURE - 5,
        "{subject}: pending migrations make {tables}, which exists already, so they fail",
        "It was made by hand or by an interrupted run: compare it, then drop it or mark the "
        "migration as applied.",
    ),
    Rule(
        "not_in_folder",
        SURE - 5,
        "{subject}: {migrations} is applied but not in the checkout",
        "Check out its commit: RELEASE_CHECKOUT may be wrong.",
    ),
    Rule(
        "edited",
        SURE - 10,
        "{subject}: {migration} was edited after it was applied ({how})",
        "Restore the file from git, and write the change as a new migration.",
    ),
    Rule(
        "out_of_order",
        SURE - 10,
        "{subject}: {files} would run after newer ones that are applied",
        "Give it a new version, or set {database_kind}_migrate_include_all if nothing newer changes its "
        "effect.",
    ),
    Rule(
        "no_baseline",
        SURE,
        "{subject} has tables and no history of Prisma",
        f"If it is the right one, name the migrations all of which it has by {{how}}, then {MIGRATE}.",
    ),
    Rule(
        "schema_missing",
        SURE - 5,
        "{subject}: applied migrations made {objects}, which is missing",
        "Somebody removed it later: a restore brings rows back, a new migration only the table.",
    ),
    Rule(
        "tables_missing",
        LIKELY + 10,
        "{subject}: the release's tables {tables} are missing, and its migrations are pending",
        MIGRATE + " applies them.",
        when=lambda fact, facts: bool(facts.of("pending", subject=fact.subject)),
        also=("pending",),
    ),
    Rule(
        "tables_missing",
        LIKELY,
        "{subject}: the release's tables {tables} are missing, and no migration is pending",
        "Check release_expected_tables, and the migrations that should make them.",
        when=lambda fact, facts: not facts.of("pending", "schema_missing", subject=fact.subject),
    ),
    Rule(
        "long_transaction",
        LIKELY,
        "{subject}: {who} has had a transaction open for {seconds} s, and migrations wait for its locks",
        "Find its owner; SELECT pg_terminate_backend({pid}) ends it. Then " + MIGRATE + ".",
        when=never_with("blocked"),
    ),
)
