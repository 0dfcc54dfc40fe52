"""A migration that works on an empty database and not on production's rows is stopped by its rehearsal.

And a database that nobody told Prisma of is led into the release by what the screen says.
"""

import json
import re
import shutil
import typing as t
from pathlib import Path

import pytest

from tests.stories.people import ROOT, Operator, Run, Witness

# As additive as can be, and refused by any two people of one name.
BAD = "20251105000000_unique_names.sql"
STATEMENT = (
    "create unique index concurrently users_display_name_key on public.users (display_name);\n"
)

STATE = """
SELECT md5(string_agg(version, ',' ORDER BY version)) FROM supabase_migrations.schema_migrations
UNION ALL SELECT count(*)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION ALL SELECT count(*)::text FROM pg_database WHERE datname LIKE 'rehearsal%'
"""
AGENT_CORE = (
    "SELECT string_agg(migration_name, ',' ORDER BY migration_name) FROM _prisma_migrations"
)


@pytest.fixture(scope="module")
def migrations(world, tmp_path_factory) -> Path:
    """The release's, and one more."""
    folder = tmp_path_factory.mktemp("checkout") / "migrations"
    shutil.copytree(ROOT / "sandbox/checkout/v2.0.0/supabase/migrations", folder)
    (folder / BAD).write_text(STATEMENT, encoding="utf-8")
    return folder


WAIVED = {"preflight": {"by": "Jane Doe", "reason": "migrations alone"}}


def migrates(operator: Operator, folder: Path, *words: str) -> Run:
    given = {"release_supabase_migrations": str(folder), "release_phases_waived": WAIVED}
    return operator.deploys("--tags", "database", "-e", json.dumps(given), *words)


def rehearsals(witness: Witness) -> dict[str, t.Any]:
    found: dict[str, t.Any] = witness.record("2.0.0")["phases"]["database"]["evidence"][
        "rehearsals"
    ]
    return found


def test_the_rehearsal_stops_it_and_both_databases_are_untouched(operator, witness, migrations):
    before = witness.sql("supabase", STATE), witness.sql("agent_core", AGENT_CORE)
    run = migrates(operator, migrations)
    assert run.rc != 0
    assert "In the rehearsal: " in run.output
    assert "could not create unique index" in run.output
    assert "The live database was not touched." in run.output
    assert "Traceback" not in run.output
    assert (witness.sql("supabase", STATE), witness.sql("agent_core", AGENT_CORE)) == before
    assert before[0][-1] == "0"
    found = rehearsals(witness)["supabase_prod"]
    assert found["status"] == "failed"
    waived = witness.record("2.0.0")["phases"]["preflight"]
    assert (waived["status"], waived["evidence"]) == ("waived", WAIVED["preflight"])
    assert BAD in found["failure"]


def test_tables_without_a_history_are_baselined_by_the_commands_on_the_screen(
    operator, witness, migrations
):
    (migrations / BAD).write_text("create table public.notes (id int);\n", encoding="utf-8")
    witness.sql("agent_core", "drop table _prisma_migrations")
    refused = migrates(operator.at_the_console(), migrations)
    assert refused.rc != 0
    assert "(P3005)" in refused.output
    assert "agent_core_db 0 migrations" not in refused.output
    commands = dict(re.findall(r"^  (next|or) +(\S*ansible-playbook .*)", refused.output, re.M))
    for label in ("or", "next"):
        typed = operator.enters(commands[label])
        assert typed.rc == 0, typed.tail()


def test_the_rehearsal_passed_and_production_followed(witness):
    found = rehearsals(witness)
    assert {one["status"] for one in found.values()} == {"passed"}
    assert not any(one["waiver"] or one["failure"] for one in found.values())
    assert found["supabase_prod"]["durations"].keys() == found["supabase_prod"]["locks"].keys()
    assert {one["status"] for one in found["agent_core_prod"]["checks"]} == {"pass"}
    assert witness.sql("supabase", STATE)[-1] == "0"
    assert "agent_preferences" in witness.sql("agent_core", AGENT_CORE)[0]
