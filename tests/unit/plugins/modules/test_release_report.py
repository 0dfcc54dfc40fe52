import json
import subprocess
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._release.plan import RecordChange
from ansible_collections.easymo.deploy.plugins.module_utils._release.store import ReleaseStore
from ansible_collections.easymo.deploy.plugins.modules import release_report
from tests.fakes import release_records as records
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.fakes.controller import Controller
from tests.module_runner import run_module

RECORD = {
    "version": "2.0.0",
    "status": "running",
    "phases": {},
    "facts": {"note": "token=abcdefgh"},
}


@pytest.fixture
def write_report(tmp_path, monkeypatch):
    monkeypatch.setattr(release_report, "cluster_elsewhere", lambda _module: MemoryCluster())

    def run(record=RECORD, **args):
        place = {"dest": str(tmp_path / "report"), "kubernetes": {"namespace": "prod"}}
        given = {**place, "plan": [*records.PLAN], "release": "2.0.0", **args}
        with monkeypatch.context() as patched:
            if record:
                source = {"record": record, "document": json.dumps(record)}
                patched.setattr(release_report, "read_report", lambda *_place: source)
            return run_module(release_report, **given)

    return run


def test_check_mode_predicts_without_writing(write_report, tmp_path):
    result = write_report(check=True, diff=True)
    assert result["changed"] is True
    assert result["diff"]["before"] == ""
    assert "NOT FINISHED" in result["diff"]["after"]
    assert not list(tmp_path.iterdir())


def test_the_same_record_changes_nothing_and_another_does(write_report):
    assert [write_report()["changed"] for _time in range(2)] == [True, False]
    assert write_report(record={**RECORD, "status": "failed"})["changed"] is True


def test_the_files_are_written_without_secrets(write_report, tmp_path):
    result = write_report()
    for path in result["files"].values():
        assert "abcdefgh" not in Path(path).read_text(encoding="utf-8")
    assert {p.name for p in (tmp_path / "report").iterdir()} == {
        "report.html",
        "report.txt",
        "report.json",
        "lessons.md",
    }


def test_a_report_is_signed_by_the_key_that_is_named(write_report, tmp_path):
    """As docs/report.md has it, by ssh-keygen alone."""
    key = tmp_path / "key"
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(made, check=True, capture_output=True)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"jane@shop.com {key.with_suffix('.pub').read_text('utf-8')}", "utf-8")
    signed = {"signing_key": str(key)}
    assert [write_report(**signed)["changed"] for _time in range(2)] == [True, False]
    report = tmp_path / "report" / "report.json"

    def verified() -> int:
        argv = ["-Y", "verify", "-f", str(allowed), "-I", "jane@shop.com", "-n", "release-report"]
        argv += ["-s", f"{report}.sig"]
        with report.open("rb") as text:
            return subprocess.run(["ssh-keygen", *argv], stdin=text, check=False).returncode

    assert verified() == 0
    report.write_text(report.read_text("utf-8").replace("running", "done"), "utf-8")
    assert verified() != 0
    refused = write_report(signing_key=f"{key}-none")
    assert refused["msg"].startswith("ssh-keygen could not sign by")


def test_a_record_that_another_hand_changed_is_on_top(write_report, monkeypatch):
    cluster = MemoryCluster()
    monkeypatch.setattr(release_report, "cluster_elsewhere", lambda _module: cluster)
    change = RecordChange("2.0.0", "ann@laptop", "2026-11-24T06:00:00Z", notes=("It rains.",))
    ReleaseStore(cluster, "2.0.0", clock=FakeClock()).change(change, check_mode=False)
    assert write_report(record=None)["problems"] == []
    body = cluster.objects["ConfigMap", "release-2.0.0"]
    text = body["data"]["record.json"].replace("It rains.", "It shines.")
    cluster.put("ConfigMap", {**body, "data": {"record.json": text}})
    said = "Another hand changed notes of the record since ann@laptop wrote it at 2026-11-24T06:00:00Z."
    assert write_report(record=None)["problems"] == [said]


def test_the_versions_are_those_that_run_now(write_report, monkeypatch):
    """Whatever the record has of earlier tries, rollbacks and looks."""
    cluster = MemoryCluster()
    monkeypatch.setattr(release_report, "cluster_elsewhere", lambda _module: cluster)
    record = records.rolled_back()
    name = "release-2.0.0"
    cluster.put(
        "ConfigMap", {"metadata": {"name": name}, "data": {"record.json": json.dumps(record)}}
    )
    Controller(cluster, "easymo/wallet-service:v3.1.4")
    text = Path(write_report(record=None)["files"]["txt"]).read_text(encoding="utf-8")
    assert "v3.1.4: wallet-service" in text


def test_the_planned_phases_are_expected(write_report):
    assert "Smoke Tests" in write_report()["missing"][0]
    other = write_report(plan=[{"name": "database", "minutes": 5}])
    assert other["missing"][0] == "Phases that were not run: Database."


def test_a_dest_that_is_a_file_is_refused(write_report, tmp_path):
    (tmp_path / "file").write_text("")
    result = write_report(dest=str(tmp_path / "file"))
    assert (result["failed"], result["reason"]) == (True, "InvalidInput")


def test_a_failed_release_has_an_incident_file_and_a_green_one_has_none(write_report, tmp_path):
    result = write_report(record=records.rolled_back())
    assert Path(result["incident"]).name == "incident.md"
    assert "cannot reach the ledger" in Path(result["incident"]).read_text(encoding="utf-8")
    assert write_report(record=records.green())["incident"] == ""
    # It stays: people may have written in it.
    assert (tmp_path / "report" / "incident.md").exists()


def test_people_keep_what_they_wrote_and_it_is_no_change(write_report):
    path = Path(write_report(record=records.rolled_back())["incident"])
    path.write_text(path.read_text(encoding="utf-8") + "\nIt was DNS.\n", encoding="utf-8")
    assert write_report(record=records.rolled_back())["changed"] is False
    assert (
        write_report(record={**records.rolled_back(), "notes": ["It is over."]})["changed"] is True
    )
    assert path.read_text(encoding="utf-8").endswith("It was DNS.\n")


def test_missing_sign_offs_and_deviations_are_told(write_report):
    result = write_report(record=records.green(), sign_offs=["qa", "security"])
    assert "Not signed: security." in result["missing"]
    assert any("Database took 22 min" in one for one in result["deviations"])


def test_a_problem_with_the_record_is_on_top_and_titled_by_the_release(write_report):
    result = write_report(record=None)
    assert result["problems"] == ["Release 2.0.0 has no record."]
    text = Path(result["files"]["txt"]).read_text(encoding="utf-8")
    first, _sentence, problem, one, *_rest = text.splitlines()
    assert first == "! NO RELEASE  Release 2.0.0"
    assert (problem, one) == (
        "  Problems of the record: 1",
        "  - Release 2.0.0 has no record.",
    )


@pytest.mark.parametrize(
    ("content", "left"),
    [
        ('{"version": "2.0.0", "phases', {}),
        ('{"version": "2.0.0", "phases": 1}', {"version": "2.0.0", "phases": 1}),
    ],
)
def test_of_a_damaged_record_what_can_be_read_is_told(content, left):
    cluster = MemoryCluster()
    body = {"metadata": {"name": "release-2.0.0"}, "data": {"record.json": content}}
    cluster.put("ConfigMap", body)
    report = release_report.read_report(cluster, "2.0.0")
    assert "has no valid release record" in report["problem"]
    assert report["record"] == left


def test_a_time_zone_that_nobody_knows_is_refused(write_report):
    for zone in ("Africa/Atlantis", "../etc/passwd", ""):
        result = write_report(time_zone=zone)
        assert (result["failed"], result["reason"]) == (True, "InvalidInput"), zone
        assert "Africa/Kigali" in result["msg"]


def test_secrets_are_blank_wherever_they_stand_in_a_record(write_report, tmp_path):
    planted = "sbp_" + "0123456789abcdef" * 2
    record = json.loads(
        json.dumps(records.rolled_back()).replace(
            "cannot reach the ledger", f"cannot reach {planted}"
        )
    )
    write_report(record={**record, "notes": [planted], "actor": planted})
    for path in (tmp_path / "report").iterdir():
        assert planted not in path.read_text(encoding="utf-8"), path.name
