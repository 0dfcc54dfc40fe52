"""The rows are back, the failed database is kept, the service runs as before, and the record knows who approved it."""

import typing as t

RELEASE = "2.0.0-test-role-restore"
DATABASE = "test_role_restore"


def entry(witness: t.Any) -> dict[str, t.Any]:
    restores = witness.record(RELEASE)["facts"]["database_restores"][DATABASE]
    (only,) = restores.values()
    return t.cast("dict[str, t.Any]", only)


def test_the_rows_are_back_and_the_failed_ones_kept(witness: t.Any) -> None:
    counted = "SELECT count(*) FROM ledger"
    assert witness.psql(DATABASE, counted) == ["1000"]
    assert witness.psql(entry(witness)["kept"], counted) == ["10"]


def test_the_service_runs_with_the_pods_it_had(witness: t.Any) -> None:
    deployment = witness.read("deployment station-service")
    assert deployment["status"]["availableReplicas"] == deployment["spec"]["replicas"] > 0
    assert "easymo.com/replicas-before" not in deployment["metadata"]["annotations"]


def test_the_record_knows_who_and_why(witness: t.Any) -> None:
    found = entry(witness)
    assert (found["approved_by"], found["reason"]) == ("Jane Doe", "The ledger is garbled")
    assert found["rows_before"] == {"public.ledger": 10}
    assert found["rows_after"] == {"public.ledger": 1000}
