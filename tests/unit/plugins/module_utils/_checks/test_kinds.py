"""What each kind of check makes of what it sees."""

import base64
import json
import math
import re
import typing as t
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import (
    ActiveAlert,
    LoadedRule,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks import cluster as cluster_checks
from ansible_collections.easymo.deploy.plugins.module_utils._checks import (
    database,
    documents,
    git,
    metrics,
    people,
    preflight,
    web,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import (
    Ground,
    Known,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks.rollout import (
    RolloutProblem,
)
from ansible_collections.easymo.deploy.plugins.module_utils._decode import restored
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    NotReadyError,
    RefusedError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._flags.apply import KillSwitch
from ansible_collections.easymo.deploy.plugins.module_utils._http import Answer
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import ReplicaSet
from tests.fakes.cluster import MemoryCluster
from tests.fakes.controller import NAME, Controller
from tests.tables import cases
from tests.unit.plugins.module_utils._checks.ground import COMMIT, NOW, ground

ON = ground()


def record(**more: t.Any) -> Record:
    return Record.read({"version": "2.0.0", "attempt": 1, "status": "running", **more})


# Tests and load tests


def summary(**body: t.Any) -> str:
    return json.dumps({"version": "2.0.0", "passed": 84, "failed": 0, **body})


JUNIT = """<testsuites><testsuite name="u" tests="9"><properties><property name="version" value="v2.0.0"/>
<property name="commit" value="{commit}"/></properties>{cases}</testsuite></testsuites>"""
GOOD_CASE, BAD_CASE = "<testcase name='a'/>", "<testcase name='b'><failure/></testcase>"
ERROR_CASE, SKIPPED_CASE = "<testcase><error/></testcase>", "<testcase><skipped/></testcase>"


def junit(*cases: str, commit: str = COMMIT) -> str:
    return JUNIT.format(cases="".join(cases), commit=commit)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"


def results_of_tests(here: Path, text: str, least: int, on: Ground = ON) -> t.Any:
    here.write_text(text, "utf-8")
    return documents.look_test_results({"path": str(here), "url": "", "least": least}, on)


def load_test(here: Path, body: dict[str, t.Any], **bounds: float | None) -> t.Any:
    here.write_text(json.dumps({"version": "2.0.0", **body}), "utf-8")
    return documents.look_load_test({"path": str(here), "url": "", **bounds}, ON)


@pytest.mark.parametrize(
    ("text", "least", "status", "told"),
    [
        (summary(), 84, "pass", "84 passed, 0 failed"),
        (summary(passed=83), 84, "fail", "83 tests passed, 84 are required"),
        (summary(passed=83, skipped=1), 84, "fail", "1 were skipped"),
        (summary(failed=1), 84, "fail", "1 tests failed"),
        (summary(errors=2), 84, "fail", "2 tests failed"),
        (summary(passed=None), 84, "hold", "has no numbers of passed"),
        (summary(passed=math.nan), 84, "hold", "has no numbers of passed"),
        (summary(passed=True), 1, "hold", "has no numbers of passed"),
        (summary(version="1.9.0"), 84, "fail", "is of version 1.9.0 and not of 2.0.0"),
        (summary(version=""), 84, "hold", "has neither a version nor a commit"),
        (summary(commit="b2" * 20), 84, "fail", "is of commit b2b2b2b2b2b2 but a1a1a1a1a1a1"),
        (summary(commit=COMMIT[:7]), 84, "pass", "84 passed"),
        (summary(commit="a"), 84, "fail", "is of commit a but"),
        (junit(*[GOOD_CASE] * 21), 21, "pass", "21 passed"),
        (junit(*[GOOD_CASE] * 20, BAD_CASE), 21, "fail", "1 tests failed and 20 passed"),
        (junit(*[GOOD_CASE] * 20, ERROR_CASE), 20, "fail", "1 tests failed"),
        (junit(*[GOOD_CASE] * 20, SKIPPED_CASE), 21, "fail", "20 tests passed, 21"),
        (junit(), 21, "hold", "has no numbers of passed"),
        (junit(GOOD_CASE, commit="b2" * 20), 1, "fail", "is of commit"),
    ],
    ids=[
        "enough",
        "too few",
        "skipped",
        "failed",
        "errors",
        "no number",
        "not a number",
        "a boolean",
        "stale version",
        "of nothing",
        "other commit",
        "short commit",
        "too short a commit",
        "junit",
        "junit failure",
        "junit error",
        "junit skipped",
        "junit without cases",
        "junit of another commit",
    ],
)
def test_results_of_tests(here: Path, text: str, least: int, status: str, told: str) -> None:
    found = results_of_tests(here, text, least)
    assert (found.status, told in found.detail) == (status, True), found


@pytest.mark.parametrize("text", ["", "[]", "{", "<testsuites>"])
def test_results_that_cannot_be_read_are_said_to_be_so(here: Path, text: str) -> None:
    with pytest.raises(VerificationError, match="here is not"):
        results_of_tests(here, text, 1)


def test_results_of_a_commit_while_none_is_known_prove_nothing(here: Path) -> None:
    nowhere = ground(commit=Known("", NotReadyError("The program git is not here.")))
    with pytest.raises(NotReadyError, match="program git"):
        results_of_tests(here, summary(commit=COMMIT), 84, nowhere)


@cases(
    ("body", "status", "told"),
    {
        "good": (
            {},
            "pass",
            "100 users (at least 100), error rate 0.40% (below 2.00%), p95 0.41 s",
        ),
        "too few users": ({"users": 99}, "fail", "99 users (at least 100)"),
        "just too many errors": ({"error_rate": 0.02}, "fail", "error rate 2.00%"),
        "nonsense": ({"error_rate": -1}, "fail", "error rate"),
        "just too slow": ({"p95_seconds": 1.0}, "fail", "p95 1 s"),
        "missing": ({"p95_seconds": None}, "hold", "no number as p95_seconds"),
        "text": ({"users": "100"}, "hold", "no number as users"),
        "not a number": ({"error_rate": math.nan}, "hold", "no number as error_rate"),
        "bad beats missing": ({"users": 1, "p95_seconds": None}, "fail", "1 users"),
        "stale": ({"version": "1.9.0"}, "fail", "is of version 1.9.0"),
    },
)
def test_load_tests(here: Path, body: dict[str, t.Any], status: str, told: str) -> None:
    good = {"users": 100, "error_rate": 0.004, "p95_seconds": 0.41}
    found = load_test(here, {**good, **body}, least_users=100, error_rate=0.02, p95=1)
    assert (found.status, told in found.detail) == (status, True), found


def test_a_load_test_is_held_to_the_bounds_that_are_set_alone(here: Path) -> None:
    found = load_test(here, {"p95_seconds": 0.5}, least_users=None, error_rate=None, p95=1)
    assert (found.status, found.detail) == ("pass", "p95 0.5 s (below 1 s)")


# Git and CI


class Clone(git.Git):
    """With a branch of origin at a commit, or not; the tag is in it, so many commits ago, or not."""

    def __init__(self, at: str = COMMIT, behind: int | None = 0, status: str = "") -> None:
        self.checkout, self.at, self.behind, self.status = "/srv", at, behind, status

    def ask(self, *arguments: str) -> t.Any:
        answers = {"rev-parse": self.at, "rev-list": str(self.behind), "status": self.status}
        lost = self.behind is None and arguments[0] == "merge-base"
        return SimpleNamespace(rc=int(lost), stdout=answers.get(arguments[0], ""))


@pytest.mark.parametrize(
    ("tagged", "status", "told"),
    [
        (COMMIT, "pass", "v2.0.0 is a1a1a1a1a1a1"),
        ("", "fail", "there is no tag v2.0.0"),
        ("b2" * 20, "fail", "the checkout is at a1a1a1a1a1a1 and v2.0.0 at b2b2"),
    ],
    ids=["at the tag", "no tag", "elsewhere"],
)
def test_the_tag(tagged: str, status: str, told: str) -> None:
    found = git.judge_tag("v2.0.0", tagged, COMMIT)
    assert (found.status, told in found.detail) == (status, True), found


@pytest.mark.parametrize(
    ("clone", "tagged", "status", "told"),
    [
        (Clone(), COMMIT, "pass", "is in origin/main, its newest commit"),
        (Clone(behind=3), COMMIT, "pass", "which has 3 commits since"),
        (Clone(behind=None), COMMIT, "fail", "origin/main does not contain v2.0.0"),
        (Clone(at=""), COMMIT, "hold", "there is no branch main"),
        (Clone(), "", "hold", "without the tag"),
    ],
    ids=["newest", "moved on", "not merged", "no branch", "no tag"],
)
def test_the_branch(clone: Clone, tagged: str, status: str, told: str) -> None:
    found = git.judge_branch(clone, "main", "v2.0.0", tagged)
    assert (found.status, told in found.detail) == (status, True), found


def test_what_is_not_in_the_commit_is_named() -> None:
    found = git.judge_clean(Clone(status="\0".join(f"?? file{n}" for n in range(7))))
    assert found.status == "fail"
    assert "file0, file1, file2, file3, file4 and 2 more" in found.detail


@pytest.mark.parametrize(
    ("text", "status"),
    [
        pytest.param("# Changelog\n\n## 2.0.0 - 2025-11-11\n", "pass", id="heading"),
        pytest.param("## [v2.0.0]\n", "pass", id="in brackets"),
        pytest.param("v2.0.0\n======\n", "pass", id="underlined"),
        pytest.param("## 12.0.0\n", "fail", id="longer"),
        pytest.param("## 2.0.01\n", "fail", id="longer at its end"),
        pytest.param("## 2.0.0.1\n", "fail", id="a patch of it"),
        pytest.param("We plan 2.0.0 for later.\n", "fail", id="only named"),
        pytest.param("", "fail", id="empty"),
        pytest.param(None, "fail", id="no file"),
    ],
)
def test_the_changelog_has_a_heading_for_the_version(text: str | None, status: str) -> None:
    assert git.judge_changelog(text, "2.0.0", "CHANGELOG.md").status == status


def commit_status(
    monkeypatch: pytest.MonkeyPatch, states: dict[str, str], contexts: list[str]
) -> t.Any:
    monkeypatch.setattr(git, "_told", lambda *_: states.items())
    return git.look_commit_status({"contexts": contexts, "ignore": ["deploy"]}, ON)


@pytest.mark.parametrize(
    ("states", "status", "told"),
    [
        ({"unit": "success", "lint": "success"}, "pass", "lint, unit passed"),
        ({"unit": "success"}, "hold", "no status of lint"),
        ({"unit": "success", "lint": "pending"}, "hold", "lint is pending on"),
        ({"unit": "failure", "lint": "pending"}, "fail", "unit failed"),
        ({"unit": "success", "lint": "success", "extra": "error"}, "fail", "extra failed"),
        ({"unit": "success", "lint": "success", "deploy": "pending"}, "pass", "lint, unit passed"),
        ({}, "hold", "no status of lint, unit"),
        ({"unit": "success", "lint": "queued"}, "hold", "lint is queued"),
        ({"unit": "success", "lint": "cancelled"}, "hold", "lint is cancelled on"),
        ({"unit": "success", "lint": "skipped"}, "hold", "lint is skipped on"),
        ({"unit": "success", "lint": "neutral"}, "hold", "lint is neutral"),
        ({"unit": "success", "lint": "success", "docs": "skipped"}, "pass", "skipped or neutral: docs"),
        ({"unit": "success", "lint": "timed_out"}, "fail", "lint failed"),
        ({"unit": "success", "lint": "action_required"}, "hold", "lint is action_required"),
    ],
    ids=["green", "missing", "running", "red", "red though not wanted", "our own", "nothing", "queued",
         "cancelled", "skipped", "neutral", "skipped and not wanted", "timed out", "asks a person"],
)  # fmt: skip
def test_statuses_of_ci(
    monkeypatch: pytest.MonkeyPatch, states: dict[str, str], status: str, told: str
) -> None:
    found = commit_status(monkeypatch, states, ["unit", "lint"])
    assert (found.status, told in found.detail) == (status, True), found


@pytest.mark.parametrize("states", [{}, {"docs": "skipped"}], ids=["nothing", "nothing that ran"])
def test_a_commit_without_any_success_holds(
    monkeypatch: pytest.MonkeyPatch, states: dict[str, str]
) -> None:
    assert commit_status(monkeypatch, states, []).status == "hold"


def test_of_several_of_one_name_the_worst_counts() -> None:
    told = [("unit", "success"), ("unit", "failure"), ("unit", "queued"), ("e2e", "skipped"), ("e2e", "success"),
            ("lint", "success"), ("lint", "queued")]  # fmt: skip
    assert git.worst(told) == {"unit": "failure", "e2e": "success", "lint": "queued"}


# The platform


@pytest.mark.parametrize(
    ("ages", "required", "status"),
    [
        ({"a": 60, "b": 3599}, True, "pass"),
        ({"a": 60, "b": 3600}, True, "hold"),
        ({"a": 60}, True, "hold"),
        ({"a": 60}, False, "pass"),
    ],
    ids=["fresh", "just too old", "missing", "missing and only told"],
)
def test_ages_of_backups(
    monkeypatch: pytest.MonkeyPatch, ages: dict[str, int], required: bool, status: str
) -> None:
    backups = [
        SimpleNamespace(manifest=SimpleNamespace(name=name), age=lambda _now, age=age: age)
        for name, age in ages.items()
    ]
    monkeypatch.setattr(database.S3Bucket, "from_params", lambda *_, **_more: mock.Mock())
    monkeypatch.setattr(database, "read_catalog", lambda *_, **_more: mock.Mock(backups=backups))
    monkeypatch.setattr(database, "newest_first", list)
    options = {"prefix": "", "names": ["a", "b"], "max_age": 3600, "required": required}
    found = database.look_backup_age(options, ON)
    assert found.status == status
    assert "a 1 minutes old" in found.detail


WALLET = {"alertname": "B", "severity": "page", "service": "wallet-service"}


def rule(name: str, health: str = "ok", error: str = "") -> LoadedRule:
    return LoadedRule(name, "up", 0, {}, {}, "release", health, error)


@pytest.mark.parametrize(
    ("rules", "problems", "status", "told"),
    [
        ([rule("A"), rule("B")], [], "pass", "2 alerts are loaded and evaluated, none fires"),
        ([rule("A")], [], "fail", "no alert 'B' loaded"),
        ([rule("A"), rule("B", "err", "many-to-many")], [], "fail", "'B' fails: many-to-many"),
        ([rule("A"), rule("B", "unknown")], [], "hold", "B was not evaluated yet"),
        ([rule("A"), rule("B")], ["no receiver 'r'"], "fail", "no receiver 'r'"),
        (
            [rule("A"), replace(rule("B"), firing=(ActiveAlert(WALLET, 1795685700.0),))],
            [],
            "fail",
            "firing now: B (service=wallet-service) since 2026-11-26T09:35:00Z",
        ),
    ],
    ids=["active", "not loaded", "broken", "not evaluated", "nobody to tell", "firing"],
)
def test_alerts(
    monkeypatch: pytest.MonkeyPatch,
    rules: list[LoadedRule],
    problems: list[str],
    status: str,
    told: str,
) -> None:
    api = SimpleNamespace(rules=lambda: rules, count=lambda _query: 1)
    routing = SimpleNamespace(problem=lambda _rule: "".join(problems))
    monkeypatch.setattr(metrics, "alerts_api", lambda *_: api)
    monkeypatch.setattr(metrics.Routing, "read", lambda _api: routing)
    options = {"alerts": ["A", "B"], "alertmanager": problems, "pods": "", "new_metrics": []}
    found = metrics.look_alert_rules(options, ON)
    assert (found.status, told in found.detail) == (status, True), found


SERIES = [
    {"__name__": "up", "job": "pods", "service": "a"},
    {"__name__": "http_requests_total", "job": "pods", "status": "200"},
    {"__name__": "errors_total", "job": "other"},
]


def count(selector: str) -> int:
    """As Prometheus does of these series, which it has by equality and by what is there alone."""
    name, _, rest = selector.partition("{")
    wanted = [re.fullmatch(r'(\w+)(!?=)"(.*)"', one) for one in rest.rstrip("}").split(",") if one]
    assert all(wanted), selector
    return sum(
        one["__name__"] == name
        and all(m and (one.get(m[1], "") == m[3]) == (m[2] == "=") for m in wanted)
        for one in SERIES
    )


@pytest.mark.parametrize(
    ("query", "told", "later"),
    [
        ('up{job="pods"} < 1', [], []),
        ('count by (service) (up{job="pods"}) < 1', [], []),
        ('sum(rate(http_requests_total{job="pods",status=~"5.."}[5m]))', [], []),
        ('sum(rate(errors_total{job="pods"}[5m]))', ['there are series of errors_total, but none with job="pods"'], []),
        ('errors_total{job="pods"} / up{job="nobody"}',
         ['there are series of errors_total, but none with job="pods"',
          'there are series of up, but none with job="nobody"'], []),
        ('sum by (service) (http_requests_total{job="pods"})',
         ['there are series of http_requests_total{job="pods"}, but none with the label service'], []),
        ('new_total{job="pods",reason!="disabled"}', [], ["new_total"]),
    ],
    ids=["there", "grouped", "no error yet", "other pods", "two", "no such label", "with the release"],
)  # fmt: skip
def test_what_an_alert_asks_for_in_vain_is_named(
    query: str, told: list[str], later: list[str]
) -> None:
    rules = [replace(rule("A"), query=query)]
    found = metrics.unseen(rules, count, ('job="pods"',), ["new_total"])
    assert found == ([f"'A' can't fire: {one}" for one in told], later)


PERCENT, ENABLED = "FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE", "FEATURE_AI_AGENTS"


def flags_start(
    data: dict[str, str], annotations: dict[str, str], flag: str, *, own: bool
) -> t.Any:
    cluster, name = MemoryCluster(), "feature-flags"
    cluster.put("ConfigMap", {"metadata": {"name": name, "annotations": annotations}, "data": data})
    known = record(phases={"feature_flags": {"status": "done"}}) if own else None
    here = ground(cluster=lambda: cluster, record=Known(known))
    options = {"name": name, "flag": flag, "enabled_by": ENABLED}
    return cluster_checks.look_flags_start(options, here)


def switched_off_by_a_phase() -> dict[str, str]:
    switch = KillSwitch("2025-11-11T05:00:00Z", "ann", "errors", automatic=True)
    return {"easymo.com/kill-switch": switch.to_annotation()}


@pytest.mark.parametrize(
    ("data", "annotations", "own", "status", "told"),
    [
        ({}, {}, False, "pass", "is not set"),
        ({PERCENT: "0", ENABLED: "true"}, {}, False, "pass", "is 0"),
        ({PERCENT: "5", ENABLED: "false"}, {}, False, "pass", "no user is in the feature"),
        ({PERCENT: "5", ENABLED: "true"}, {}, False, "fail", "is 5, but a release starts"),
        (
            {PERCENT: "5", ENABLED: "true"},
            {},
            True,
            "pass",
            "which this attempt of the release set",
        ),
        ({PERCENT: "0"}, switched_off_by_a_phase(), False, "pass", "which the deployment resets"),
    ],
    ids=[
        "absent",
        "at 0",
        "switched off",
        "somebody's users",
        "its own",
        "killed by a phase",
    ],
)
def test_flags_at_their_start(
    data: dict[str, str], annotations: dict[str, str], own: bool, status: str, told: str
) -> None:
    found = flags_start(data, annotations, PERCENT, own=own)
    assert (found.status, told in found.detail) == (status, True), found


@pytest.mark.parametrize(
    ("data", "status", "told"),
    [
        ({}, "pass", "FEATURE_X is not set, no user is in the feature"),
        ({ENABLED: "false"}, "pass", "FEATURE_X is false"),
        ({ENABLED: "true"}, "fail", "FEATURE_X is true, but a release starts"),
    ],
)
def test_a_feature_without_a_percentage_starts_switched_off(
    data: dict[str, str], status: str, told: str
) -> None:
    found = flags_start(data, {}, "", own=False)
    assert (found.status, told.replace("FEATURE_X", ENABLED) in found.detail) == (status, True)


def cluster_with(image: str, **spec: t.Any) -> MemoryCluster:
    cluster = MemoryCluster()
    Controller(cluster, image)
    cluster.objects["Deployment", NAME]["spec"] |= spec
    return cluster


@pytest.mark.parametrize(
    ("cluster", "pinned", "told"),
    [
        (cluster_with(f"easymo/{NAME}:v1.9.0"), False, ""),
        (cluster_with(f"easymo/{NAME}:v2.0.0"), False, "already, but not by this attempt"),
        (cluster_with(f"easymo/{NAME}:v2.0.0"), True, ""),
        (
            cluster_with(f"easymo/{NAME}:v1.9.0", revisionHistoryLimit=0),
            False,
            "revisionHistoryLimit from 0 to at least 1",
        ),
        (cluster_with(f"easymo/{NAME}:v1.9.0", revisionHistoryLimit=1), False, ""),
        (MemoryCluster(), False, "has no Deployment"),
    ],
    ids=[
        "the old one",
        "the release, by others",
        "the release, by this attempt",
        "no history",
        "the least history that is asked for",
        "missing",
    ],
)
def test_whether_a_service_can_return(cluster: MemoryCluster, pinned: bool, told: str) -> None:
    sets = [ReplicaSet.from_json(body) for body in cluster.list_objects("ReplicaSet")]
    body = cluster.objects.get(("Deployment", NAME))
    found = cluster_checks.pin_problem(body, sets, "2.0.0", pinned=pinned)
    assert (told in found) if told else found == ""


def test_a_service_that_never_ran_has_nothing_to_return_to() -> None:
    cluster = cluster_with(f"easymo/{NAME}:v1.9.0")
    here = ground(cluster=lambda: cluster)
    assert cluster_checks.look_pins({"services": [NAME]}, here).status == "pass"
    del cluster.objects[next(key for key in cluster.objects if key[0] == "ReplicaSet")]
    assert "never ran" in cluster_checks.look_pins({"services": [NAME]}, here).detail


def test_rights_that_are_missing_are_all_named_with_what_they_are_for() -> None:
    cluster = MemoryCluster()
    cluster.denied = {"patch deployments", "create leases", "watch pods"}
    row = cluster_checks.look_rbac({}, ground(cluster=lambda: cluster))
    assert row.status == "fail"
    assert "patch deployments.apps (to release, restart and undo)" in row.detail
    assert "create leases.coordination.k8s.io (to take the deploy lock)" in row.detail
    assert [one for one in row.warnings if "watch pods" in one]


def test_a_rollout_that_only_warns_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [RolloutProblem("wallet-service", "Replicas", "warning", "it has one pod")]
    monkeypatch.setattr(cluster_checks, "observe_facts", lambda *_, **_more: None)
    monkeypatch.setattr(cluster_checks, "find_problems", lambda _facts: problems)
    found = cluster_checks.look_rollout({"services": ["w"]}, ON)
    assert (found.status, found.warnings) == ("pass", ("wallet-service: it has one pod.",))
    problems.append(RolloutProblem("w", "Paused", "error", "it is paused"))
    assert cluster_checks.look_rollout({"services": ["w"]}, ON).status == "fail"


# Clocks, certificates, tokens

HEADER = "Tue, 11 Nov 2025 06:30:00 GMT"
CLOCK = {"url": "https://x", "ca_cert": None, "client_cert": None, "client_key": None}


def clock(monkeypatch: pytest.MonkeyPatch, header: str, before: float, after: float) -> t.Any:
    """`before` and `after` the question, in seconds since the server's Date."""
    times = iter((NOW.timestamp() + before, NOW.timestamp() + after))
    monkeypatch.setattr(web, "time", SimpleNamespace(time=lambda: next(times)))
    monkeypatch.setattr(web._http, "ask", lambda *_, **_how: Answer(404, {"Date": header}))
    return web.look_clock({**CLOCK, "max_skew": 5}, ON)


@pytest.mark.parametrize(
    ("before", "after", "status", "told"),
    [
        (0.1, 0.4, "pass", "within 1 s"),
        (0.9, 1.4, "pass", "within 1 s"),
        (-30, 0.1, "pass", "within 1 s"),
        (5.5, 5.6, "pass", "within 4 s"),
        (7.0, 7.1, "fail", "6 s ahead of"),
        (-9.0, -8.0, "fail", "8 s behind"),
    ],
    ids=["same", "a second begins", "a slow answer", "within the bound", "ahead", "behind"],
)
def test_only_a_difference_that_is_certain_counts(
    monkeypatch: pytest.MonkeyPatch, before: float, after: float, status: str, told: str
) -> None:
    found = clock(monkeypatch, HEADER, before, after)
    assert (found.status, told in found.detail) == (status, True), found


@pytest.mark.parametrize("header", ["", "yesterday"])
def test_a_server_without_a_date_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, header: str
) -> None:
    assert clock(monkeypatch, header, 0, 0).status == "hold"


@pytest.mark.parametrize(
    ("days", "status"), [(15, "pass"), (13, "fail")], ids=["long enough", "too short"]
)
def test_a_certificate_is_valid_for_days(
    monkeypatch: pytest.MonkeyPatch, days: int, status: str
) -> None:
    monkeypatch.setattr(web, "_read_end", lambda *_: NOW + timedelta(days=days))
    options = {"url": "https://x", "ca_cert": None, "client_cert": None, "days": 14}
    assert web.look_certificate(options, ON).status == status


def jwt(**claims: t.Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        (jwt(exp=(NOW + timedelta(hours=3)).timestamp()), "pass", "valid until 2025-11-11 09:30"),
        (jwt(exp=(NOW + timedelta(hours=2)).timestamp()), "fail", "in 120 minutes"),
        (jwt(exp=(NOW - timedelta(hours=1)).timestamp()), "fail", "it expired at"),
        (jwt(role="service_role"), "pass", "never expires"),
        (jwt(exp="soon"), "hold", "cannot be read"),
        ("sb_secret_abcdefgh", "skipped", "opaque"),
        ("a.b.c", "skipped", "opaque"),
        ("", "hold", "empty"),
    ],
    ids=[
        "outlives it",
        "ends meanwhile",
        "ended",
        "endless",
        "nonsense",
        "opaque",
        "only dots",
        "none",
    ],
)
def test_tokens_are_read_and_never_shown(text: str, status: str, told: str) -> None:
    found = web.look_token({"token": text, "minutes": 150}, ON)
    assert (found.status, told in found.detail) == (status, True), found
    assert not text or text not in found.detail


# People


def workspace(refuses: dict[str, DeployError]) -> people.Ask:
    """A directory of Slack in memory. `refuses` is Slack's word for a method."""
    groups = [{"handle": "on-call", "date_delete": 0}, {"handle": "old-team", "date_delete": 9}]
    channels = [
        {"name": "v2-deployment", "is_member": True},
        {"name": "general", "is_member": False},
        {"name": "v1-deployment", "is_archived": True, "is_member": True},
    ]
    second = {"response_metadata": {"next_cursor": "second"}}
    answers: dict[str, t.Any] = {
        "users.info": {"user": {"deleted": False}},
        "users.lookupByEmail": {"user": {"deleted": True}},
        "users.list": {"members": [{"name": "amina"}], **second},
        "users.list second": {"members": [{"name": "kwame"}]},
        "usergroups.list": {"usergroups": groups},
        "conversations.info": {"channel": {"is_archived": False, "is_member": True}},
        "conversations.list": {"channels": channels},
    }

    def ask(method: str, cursor: str = "", **_params: t.Any) -> people.SlackLookup:
        if method in refuses:
            raise refuses[method]
        return restored(people.SlackLookup, answers[f"{method} {cursor}".strip()], "answer")

    return ask


def refusal(word: str) -> RefusedError:
    return RefusedError(f"Slack refused ({word}).", word=word)


@cases(
    ("name", "refuses", "status", "told"),
    {
        "group": ("@on-call", {}, "pass", "@on-call"),
        "member on the second page": ("@kwame", {}, "pass", "@kwame"),
        "id": ("U0ONCALL01", {}, "pass", "U0ONCALL01"),
        "disabled group": ("@old-team", {}, "fail", "was disabled"),
        "deactivated": ("jonas@easymo.example", {}, "fail", "was deactivated"),
        "stranger": ("@stranger", {}, "fail", "is not a member or user group"),
        "unknown id": (
            "U0ONCALL01",
            {"users.info": refusal("user_not_found")},
            "fail",
            "is not in the workspace",
        ),
        "no scope": (
            "@on-call",
            {"usergroups.list": refusal("missing_scope")},
            "hold",
            "cannot be looked up",
        ),
        "no token": (
            "@on-call",
            {"usergroups.list": refusal("token_revoked")},
            "fail",
            "token_revoked",
        ),
        "rate limited": ("@on-call", {"usergroups.list": UnreachableError("429")}, "hold", "429"),
        "channel": ("#v2-deployment", {}, "pass", "#v2-deployment"),
        "not in the channel": ("#general", {}, "fail", "does not have the app"),
        "archived": ("#v1-deployment", {}, "fail", "is archived"),
        "no channel": ("#nowhere", {}, "fail", "is not a channel"),
        "channel's id": ("C0DEPLOY01", {}, "pass", "C0DEPLOY01"),
        "unknown channel's id": (
            "C0DEPLOY01",
            {"conversations.info": refusal("channel_not_found")},
            "fail",
            "is not in",
        ),
    },
)
def test_people_and_channels_in_slack(
    name: str, refuses: dict[str, DeployError], status: str, told: str
) -> None:
    find = people.find_channel if name[0] in "#C" else people.find_person
    found = people.look_up(find, workspace(refuses), name)
    assert (found.status, told in found.detail) == (status, True), found


def shift(who: str, start: int, end: int | None) -> people.Shift:
    until = None if end is None else NOW + timedelta(minutes=end)
    return who, NOW + timedelta(minutes=start), until


@pytest.mark.parametrize(
    ("shifts", "status", "told"),
    [
        ([shift("Amina", -60, 600)], "pass", "Amina on call to 09:00 UTC"),
        ([shift("Amina", -60, None)], "pass", "Amina"),
        ([shift("Amina", -60, 30), shift("Kwame", 30, 600)], "pass", "Amina, then Kwame"),
        ([shift("Kwame", 30, 600), shift("Amina", -60, 30)], "pass", "Amina, then Kwame"),
        ([shift("Amina", -60, 150)], "pass", "Amina"),
        ([shift("Amina", -60, 149)], "fail", "Amina is on call only until 2025-11-11 08:59 UTC"),
        ([shift("Amina", -60, 30), shift("Kwame", 45, 600)], "fail", "only until 2025-11-11 07:00"),
        ([shift("Kwame", 10, 600)], "fail", "no person is on call"),
        ([], "fail", "no person is on call"),
    ],
    ids=[
        "one",
        "always",
        "two",
        "two in disorder",
        "to the minute",
        "a minute short",
        "a gap",
        "only later",
        "nobody",
    ],
)
def test_somebody_is_on_call_all_the_time(
    shifts: list[people.Shift], status: str, told: str
) -> None:
    found = people.on_call("PONCALL", shifts, NOW, NOW + timedelta(minutes=150))
    assert (found.status, told in found.detail) == (status, True), found


# The launch window

TUESDAYS = {"timezone": "Africa/Nairobi", "days": ["tuesday"], "start": "09:00", "end": "11:00"}
WINDOW = {"window": TUESDAYS, "lead_minutes": 15, "needed_minutes": 50, "wait_minutes": 0,
          "override_by": "", "override_reason": ""}  # fmt: skip


def window(at: str, known: Record | None = None, **more: t.Any) -> t.Any:
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    here = ground(now=now, record=Known(known))
    return preflight.look_launch_window({**WINDOW, **more}, here)


@pytest.mark.parametrize(
    ("at", "status", "told"),
    [
        (
            "2025-11-11 05:44",
            "fail",
            "it opens next Tuesday 2025-11-11 09:00 EAT (2025-11-11 06:00",
        ),
        ("2025-11-11 05:45", "pass", "it opens Tuesday 2025-11-11 09:00 EAT"),
        ("2025-11-11 06:30", "pass", "90 minutes later"),
        ("2025-11-11 07:10", "pass", "50 minutes later"),
        ("2025-11-11 07:11", "hold", "49 minutes are left, the plan needs 50"),
        ("2025-11-11 08:00", "fail", "it opens next Tuesday 2025-11-18 09:00 EAT"),
    ],
    ids=[
        "too early",
        "for the final checks",
        "open",
        "just enough",
        "too late for all of it",
        "over",
    ],
)
def test_the_launch_window(at: str, status: str, told: str) -> None:
    found = window(at)
    assert (found.status, told in found.detail) == (status, True), found
    assert ("release_window_override" in found.detail) == (status != "pass")


@pytest.mark.parametrize(
    ("at", "check_mode", "waited", "status"),
    [
        ("2025-11-11 05:50", False, [600.0], "pass"),
        ("2025-11-11 05:50", True, [], "fail"),
        ("2025-11-11 05:44", False, [], "fail"),
        ("2025-11-11 06:00", False, [], "pass"),
    ],
    ids=["soon", "soon, in check mode", "not soon", "open"],
)
def test_a_phase_that_comes_a_little_too_early_waits_for_the_window(
    at: str, check_mode: bool, waited: list[float], status: str
) -> None:
    told: list[tuple[float, str]] = []
    now = datetime.fromisoformat(at).replace(tzinfo=UTC)
    here = ground(now=now, check_mode=check_mode, wait=lambda *how: told.append(how))
    found = preflight.look_launch_window({**WINDOW, "lead_minutes": 0, "wait_minutes": 15}, here)
    assert (found.status, [seconds for seconds, _why in told]) == (status, waited)
    assert all("opens Tuesday 2025-11-11 09:00 EAT" in why for _seconds, why in told)


def test_somebody_by_name_lets_it_go_outside_of_the_window_and_the_record_keeps_that() -> None:
    given = {"override_by": "Jane Doe", "override_reason": "the fix cannot wait"}
    found = window("2025-11-12 06:30", **given)
    assert found.status == "waived"
    override = found.facts["overrides"]["launch_window"]
    assert override == {
        "by": "Jane Doe",
        "reason": "the fix cannot wait",
        "at": "2025-11-12T06:30:00Z",
        "what": "the launch window is closed; it opens next Tuesday 2025-11-18 09:00 EAT (2025-11-18 06:00 UTC)",
    }
    again = window("2025-11-12 06:50", record(facts=found.facts), **given)
    assert again.facts == found.facts, "a second run changes nothing"
    other = {**given, "override_by": "Joe Bloggs"}
    assert window("2025-11-12 06:50", record(facts=found.facts), **other).facts != found.facts


def test_what_is_open_needs_nobody_to_overrule_it() -> None:
    found = window("2025-11-11 06:30", override_by="Jane Doe", override_reason="to be sure")
    assert (found.status, found.facts) == ("pass", None)


@pytest.mark.parametrize(
    "given",
    [{"override_by": "Jane Doe"}, {"override_reason": "hurry"}],
    ids=["no reason", "no name"],
)
def test_an_override_needs_a_name_and_a_reason(given: dict[str, str]) -> None:
    with pytest.raises(DeployError, match="'launch_window'"):
        window("2025-11-12 06:30", **given)


# Sign-offs

REQUIRED = [
    {"name": "qa", "what": "QA sign-off received", "of": "the QA lead", "section": "1 Staging"},
    {"name": "product", "what": "Product sign-off received", "of": "", "section": ""},
]


def signed(name: str, **more: t.Any) -> dict[str, t.Any]:
    entry = {
        "by": "Jane Doe",
        "at": "then",
        "what": "",
        "note": "",
        "attempt": 1,
        "git_sha": COMMIT,
    }
    return {name: {**entry, **more}}


def test_each_line_that_people_sign_is_a_row() -> None:
    known = record(facts={"sign_offs": signed("qa")})
    rows = people.look_sign_offs(
        {"required": REQUIRED, "given": {}, "identity": {}}, ground(record=Known(known))
    )
    assert [(row.name, row.item, row.status) for row in rows] == [
        ("sign_off_qa", "1 Staging: QA sign-off received", "pass"),
        ("sign_off_product", "Product sign-off received", "hold"),
    ]


def test_those_that_come_with_the_run_count_and_are_kept() -> None:
    given = {"product": "Joe Bloggs"}
    qa, product = people.look_sign_offs({"required": REQUIRED, "given": given, "identity": {}}, ON)
    assert (qa.status, product.status) == ("hold", "pass")
    assert product.facts["sign_offs"]["product"]["by"] == "Joe Bloggs"
    assert product.facts["sign_offs"]["product"]["at"] == "2025-11-11T06:30:00Z"


def test_one_that_a_person_gave_is_not_replaced_by_one_of_the_run() -> None:
    known = record(facts={"sign_offs": signed("qa")})
    rows = people.look_sign_offs(
        {"required": REQUIRED[:1], "given": {"qa": "Rehearser"}, "identity": {}},
        ground(record=Known(known)),
    )
    assert [(row.status, row.facts) for row in rows] == [("pass", None)]


def test_a_bad_one_of_the_run_fails_beside_the_others() -> None:
    given = {"qa": "nobody", "typo": "Jane Doe", "product": "Joe Bloggs"}
    rows = people.look_sign_offs({"required": REQUIRED, "given": given, "identity": {}}, ON)
    assert [(row.name, row.status) for row in rows] == [
        ("sign_off_qa", "hold"),
        ("sign_off_product", "pass"),
        ("given_sign_off_qa", "fail"),
        ("given_sign_off_typo", "fail"),
    ]
