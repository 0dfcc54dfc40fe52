"""The release's migrations were rehearsed, the record tells how it went, and no scratch database is left."""

from pathlib import Path

RELEASE = "2.0.0-test-role-rehearsal"
MIGRATIONS = Path(__file__).parents[4] / "sandbox/checkout/v2.0.0/supabase/migrations"
PENDING = {path.name for path in MIGRATIONS.glob("202511*.sql")}


def test_the_record_tells_of_each_migration(witness):
    evidence = witness.record(RELEASE)["phases"]["database"]["evidence"]
    rehearsed = evidence["rehearsals"]["supabase_prod"]
    assert rehearsed["status"] == "passed"
    assert set(rehearsed["durations"]) == PENDING
    assert set(rehearsed["locks"]) == set(rehearsed["durations"])
    assert {check["status"] for check in rehearsed["checks"]} == {"pass"}


def test_no_scratch_database_is_left_and_the_live_one_is_migrated(witness):
    names = witness.psql(
        "postgres", "SELECT datname FROM pg_database WHERE datname ~ 'test_role_r'"
    )
    assert names == ["test_role_rehearsal"]
    assert witness.psql("test_role_rehearsal", "SELECT count(*) FROM agent_sessions") == ["0"]
