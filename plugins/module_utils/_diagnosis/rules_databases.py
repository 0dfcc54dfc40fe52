# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""What a failed migration comes from."""

from __future__ import annotations

from .models import LIKELY, SURE
from .rules import MIGRATE, Rule, never_with

DATABASE_RULES = (
    # A migration
    Rule(
        "failed_row",
        SURE,
        "{subject}: migration {migration} of {at} failed and stands in the way: {said}",
        "Mend it, settle its row with the module prisma_migrations (failed_migrations), then "
        + MIGRATE
        + ".",
    ),
    Rule(
        "read_only",
        SURE,
        "{subject} only reads ({why}), so nothing can be migrated",
        "Point the inventory at the primary, or have that set back.",
    ),
    Rule(
        "blocked",
        SURE,
        "{subject}: {who} waits for a lock that {by} holds",
        "Ask whose it is; SELECT pg_terminate_backend({blocker}) ends it. Then " + MIGRATE + ".",
    ),
    Rule(
        "made_already",
        SURE - 5,
        "{subject}: pending migrations make {tables}, and it is there already, so they fail",
        "Somebody made it by hand, or a run was cut off: compare it, then drop it or mark the migration as applied.",
    ),
    Rule(
        "not_in_folder",
        SURE - 5,
        "{subject}: {migrations} is applied, and the checkout does not have it",
        "Check out the commit that has it: RELEASE_CHECKOUT may be the wrong one.",
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
        "Give it a new version, or set supabase_migrate_include_all when nothing newer changes what it does.",
    ),
    Rule(
        "no_baseline",
        SURE,
        "{subject} has tables and no history of Prisma",
        "Baseline it: docs of prisma_migrations tell how.",
    ),
    Rule(
        "schema_missing",
        SURE - 5,
        "{subject}: applied migrations made {objects}, and it is not there",
        "Somebody took it away after them: a restore brings rows back, a new migration only the table.",
    ),
    Rule(
        "tables_missing",
        LIKELY + 10,
        "{subject}: the release's tables {tables} are not there, and its migrations are pending",
        MIGRATE + " applies them.",
        when=lambda fact, facts: bool(facts.of("pending", subject=fact.subject)),
        also=("pending",),
    ),
    Rule(
        "tables_missing",
        LIKELY,
        "{subject}: the release's tables {tables} are not there, and no migration is pending",
        "Look at release_expected_tables, and at the migrations that should make them.",
        when=lambda fact, facts: not facts.of("pending", "schema_missing", subject=fact.subject),
    ),
    Rule(
        "long_transaction",
        LIKELY,
        "{subject}: {who} has had a transaction open for {seconds} s, and migrations wait for its locks",
        "Ask whose it is; SELECT pg_terminate_backend({pid}) ends it. Then " + MIGRATE + ".",
        when=never_with("blocked"),
    ),
)
