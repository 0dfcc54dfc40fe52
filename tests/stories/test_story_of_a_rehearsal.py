"""A database that nobody told Prisma of is led into the release by what the screen says, and by a rehearsal."""

import json
import re

WAIVED = {"preflight": {"by": "Jane Doe", "reason": "migrations alone"}}
HISTORY = "SELECT string_agg(migration_name, ',' ORDER BY migration_name) FROM _prisma_migrations"
COPIES = "SELECT datname FROM pg_database WHERE datname LIKE 'rehearsal%'"


def test_tables_without_a_history_are_baselined_by_the_commands_on_the_screen(operator, witness):
    witness.sql("agent_core", "drop table _prisma_migrations")
    given = json.dumps({"release_phases_waived": WAIVED})
    refused = operator.at_the_console().deploys("--tags", "database", "-e", given)
    assert refused.rc != 0
    assert "(P3005)" in refused.output
    assert "agent_core_db 0 migrations" not in refused.output
    commands = dict(re.findall(r"^  (next|or) +(\S*ansible-playbook .*)", refused.output, re.M))
    for label in ("or", "next"):
        typed = operator.enters(commands[label])
        assert typed.rc == 0, typed.tail()
    rehearsals = witness.record("2.0.0")["phases"]["database"]["evidence"]["rehearsals"]
    assert {one["status"] for one in rehearsals.values()} == {"passed"}
    assert {check["status"] for check in rehearsals["agent_core_prod"]["checks"]} == {"pass"}
    assert witness.sql("supabase", COPIES) == []
    assert "agent_preferences" in witness.sql("agent_core", HISTORY)[0]
