"""Every check runs to its end, and every problem is told in one go."""

import json
import os
import re
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import (
    Check,
    Finding,
    Kind,
    Look,
    failed,
    held,
    passed,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.preflight import (
    conclude,
    look_paths,
    run_preflight,
    waive,
)
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    HoldError,
    InputError,
    NotReadyError,
    NotReadyToReleaseError,
    RefusedError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._release.order import read_waivers
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from tests.unit.plugins.module_utils._checks.ground import ground

AT = "2025-11-11T06:30:00Z"


def raising(error: Exception) -> Look:
    def look(_options: t.Any, _ground: t.Any) -> t.Sequence[Finding]:
        raise error

    return look


def finding(*found: Finding) -> Look:
    return lambda _options, _ground: found


def rows_of(**runners: Look) -> list[Finding]:
    checks = [Check(name, name, {}, item=f"item of {name}") for name in runners]
    kinds = {name: Kind(look) for name, look in runners.items()}
    return run_preflight(checks, kinds, ground(), report=lambda _row: None)


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (UnreachableError("it is away"), "hold", "it is away"),
        (NotReadyError("it is not there"), "hold", "it is not there"),
        (InputError("no such thing"), "hold", "its options are wrong: no such thing"),
        (RefusedError("no"), "fail", "no"),
        (KeyError("token=abcdef"), "hold", "it could not be checked (KeyError: 'token=********')"),
    ],
    ids=["unreachable", "missing", "asked wrongly", "refused", "a mistake of ours"],
)
def test_a_check_that_raises_is_a_row_and_stops_no_other(
    error: Exception, status: str, told: str
) -> None:
    first, second = rows_of(broken=raising(error), good=finding(passed("fine")))
    assert (first.status, first.detail, first.item) == (status, told, "item of broken")
    assert second.status == "pass"


def test_a_check_may_prove_several_lines_of_the_list() -> None:
    rows = rows_of(git=finding(passed("a", name="tag", item="Tagged"), failed("b", name="clean")))
    assert [(row.name, row.item, row.status) for row in rows] == [
        ("tag", "Tagged", "pass"),
        ("clean", "item of git", "fail"),
    ]


def test_every_problem_is_in_one_sentence_the_definite_ones_first() -> None:
    rows = rows_of(
        slow=finding(held("no answer.")),
        tests=finding(failed("3 tests failed")),
        fine=finding(passed("fine")),
        backup=finding(failed("too old")),
    )
    with pytest.raises(NotReadyToReleaseError) as caught:
        conclude(rows, check_mode=False)
    assert str(caught.value) == (
        "2 of 4 checks failed: (1) tests: 3 tests failed. (2) backup: too old. "
        "1 of 4 checks have no answer: (1) slow: no answer."
    )
    assert len(caught.value.details["results"]) == 4


def test_what_holds_stops_too_and_is_told_apart_from_what_fails() -> None:
    rows = rows_of(slow=finding(held("?")))
    with pytest.raises(HoldError, match=r"no answer: .* Nothing was changed\.$") as caught:
        conclude(rows, check_mode=False, untouched="Nothing was changed.")
    assert caught.value.details["verdict"] == "hold"


def row(name: str, kind: str, status: str, detail: str) -> Finding:
    return Finding(status, detail, name=name, kind=kind)


SLACK = row("people_in_slack", "slack", "hold", "Slack can't be reached")
PAGER = row("on_call", "pagerduty", "hold", "PagerDuty can't be reached")
WINDOW = row("launch_window", "launch_window", "fail", "closed")
HEALTH = row("redis", "health", "hold", "no answer")


def concluded(rows: t.Sequence[Finding], *, check_mode: bool) -> dict[str, t.Any]:
    """The result, be it a success or a failure."""
    try:
        return conclude(rows, check_mode=check_mode)
    except DeployError as exc:
        return {**exc.details, "sentence": str(exc)}


def way_on(*rows: Finding, check_mode: bool = False) -> t.Any:
    """The waivers that the sentence tells to give; None when it tells of none."""
    told = concluded(rows, check_mode=check_mode)["sentence"]
    given = re.search(r"-e '(.*)'", told)
    return json.loads(given[1])["release_waivers"] if given else None


def test_where_only_messages_hold_the_sentence_says_how_to_release_without_them() -> None:
    waivers = way_on(SLACK, PAGER)
    assert set(waivers) == {"people_in_slack", "on_call"}
    with pytest.raises(InputError, match="who decided it and why"):
        read_waivers("release_waivers", waivers)
    rows = waive(
        [SLACK, PAGER], read_waivers("release_waivers", dict.fromkeys(waivers, WAIVER)), {}, AT
    )
    assert conclude(rows, check_mode=False)["verdict"] == "go"


def test_nobody_is_told_to_release_without_anything_else() -> None:
    assert way_on(SLACK, HEALTH) is None
    assert way_on(SLACK, replace(PAGER, status="fail")) is None
    assert way_on(SLACK, WINDOW) is None
    assert way_on(replace(SLACK, status="pass")) is None
    assert set(way_on(SLACK, WINDOW, check_mode=True)) == {"people_in_slack"}


@pytest.mark.parametrize(
    ("kind", "verdict"), [("launch_window", "go"), ("sign_offs", "go"), ("health", "stop")]
)
def test_a_rehearsal_tells_of_window_and_signatures_and_stops_at_all_else(
    kind: str, verdict: str
) -> None:
    rows = [row("x", kind, "fail", "closed")]
    result = concluded(rows, check_mode=True)
    assert result["verdict"] == verdict
    assert "closed" in result["sentence"]


WAIVER = {"by": "Jane Doe", "reason": "80 users is all the site has"}


def test_a_waived_row_stops_nothing_and_is_recorded() -> None:
    rows = rows_of(load=finding(failed("80 users")), unit=finding(passed("fine")))
    waivers = read_waivers("release_waivers", {"load": WAIVER, "unit": WAIVER})
    waived = waive(rows, waivers, {}, AT)
    assert [row.status for row in waived] == ["waived", "pass"]
    assert "waived by Jane Doe, because: 80 users is all" in waived[0].detail
    assert "was fail: 80 users" in waived[0].detail
    used = {"overrides": {"load": {**WAIVER, "what": "item of load: 80 users", "at": AT}}}
    assert conclude(waived, check_mode=False)["facts"] == used
    known = Record.read({"facts": used}).overrides
    again = waive(rows, waivers, known, "2025-11-11T07:00:00Z")
    assert again[0].facts == used, "a second run changes nothing"


@pytest.mark.parametrize(
    "waiver",
    [{"by": "Jane Doe"}, {"reason": "hurry"}, {"by": " ", "reason": "hurry"}, "Jane Doe",
     {**WAIVER, "until": "tomorrow"}],
    ids=["no reason", "no name", "blanks", "text", "something else"],
)  # fmt: skip
def test_a_waiver_needs_a_name_and_a_reason(waiver: t.Any) -> None:
    with pytest.raises(InputError, match="who decided it and why"):
        read_waivers("release_waivers", {"load": waiver})


def test_a_waiver_of_what_is_not_there_is_a_problem_of_its_own() -> None:
    rows = rows_of(load=finding(failed("80 users")))
    waived = waive(rows, read_waivers("release_waivers", {"lod": WAIVER}), {}, AT)
    assert [row.status for row in waived] == ["fail", "fail"]
    assert "no row is called lod; there are load" in waived[1].detail


def test_facts_of_several_rows_are_one() -> None:
    rows = [Finding("pass", "", facts={"sign_offs": {name: 1}}) for name in ("qa", "product")]
    facts = conclude([*rows, passed("b")], check_mode=False)["facts"]
    assert facts == {"sign_offs": {"qa": 1, "product": 1}}


def test_a_report_that_could_not_be_written_is_seen_before_anything_is_touched(
    tmp_path, monkeypatch
):
    def looked(folder: Path) -> Finding:
        return look_paths({"paths": [], "written": str(folder)}, ground())

    (tmp_path / "file").touch()
    assert looked(tmp_path / "to" / "be" / "made").status == "pass"
    assert f"{tmp_path}/file is no folder" in looked(tmp_path / "file" / "report").detail
    full = os.statvfs_result((4096, 4096, 100, 0, 0, 100, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: full)
    assert "has no room (0 MiB left)" in looked(tmp_path).detail
    monkeypatch.setattr(os, "access", lambda _path, mode: mode == os.F_OK)
    assert "can't be written" in looked(tmp_path).detail
