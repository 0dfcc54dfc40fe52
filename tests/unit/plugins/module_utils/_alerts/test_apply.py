"""Waiting for Prometheus, and the file that it reads, with a Prometheus in memory."""

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.apply import (
    LoadedRules,
    Routing,
    RuleFile,
    check_routes,
)
from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import (
    AlertmanagerConfig,
    LoadedRule,
    Silence,
    wanted_rules,
)
from ansible_collections.easymo.deploy.plugins.module_utils._decode import restored
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    InputError,
    NotReadyError,
    RefusedError,
    UnreachableError,
    VerificationError,
)
from tests.fakes.cluster import FakeClock
from tests.tables import cases

GROUPS = [{"name": "g", "rules": [{"alert": "a", "expr": "up < 1", "for": "1m"}]}]
GOOD = LoadedRule("a", "up < 1", 60.0, {}, {}, "g", "ok", "")


class Prometheus:
    """What it answers to each look, the last for ever."""

    def __init__(self, *answers: list[LoadedRule] | DeployError) -> None:
        self._answers = list(answers)

    def rules(self) -> list[LoadedRule]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, DeployError):
            raise answer
        return answer

    def formatted(self, query: str) -> str:
        return query


def wait(*answers: list[LoadedRule] | DeployError) -> tuple[list[LoadedRule], list[str]]:
    told: list[str] = []
    watch = LoadedRules(Prometheus(*answers), wanted_rules(GROUPS))
    return watch.wait(FakeClock(), 30, 2, told.append), told


def test_it_waits_while_prometheus_is_away_or_behind_and_tells_each_reason_once():
    away = UnreachableError("Prometheus cannot be reached.")
    loaded, told = wait(away, away, [], [], [GOOD])
    assert loaded == [GOOD]
    assert told == [
        "waiting for Prometheus: Prometheus cannot be reached",
        "waiting for Prometheus: a is not loaded",
    ]


def test_when_the_time_is_up_it_says_what_is_lacking():
    with pytest.raises(NotReadyError, match=r"After 30 s .*\(a is not loaded\)") as caught:
        wait([])
    assert caught.value.details == {"lacking": {"a": "not loaded"}}


def test_who_is_out_of_sight_to_the_end_is_no_success():
    with pytest.raises(NotReadyError, match=r"cannot be reached"):
        wait(UnreachableError("Prometheus cannot be reached."))


class Alertmanager:
    """One that takes what comes from the cluster `prod` to `r`, and the rest nowhere."""

    def __init__(self, external: dict[str, str] | DeployError) -> None:
        self._external = external

    def alertmanager(self) -> AlertmanagerConfig:
        child = {"receiver": "r", "match": {"cluster": "prod"}}
        receivers = [{"name": "null"}, {"name": "r", "webhook_configs": [{"url": "<secret>"}]}]
        return restored(
            AlertmanagerConfig,
            {"route": {"receiver": "null", "routes": [child]}, "receivers": receivers},
            "config",
        )

    def silences(self) -> list[Silence]:
        return []

    def external_labels(self) -> dict[str, str]:
        if isinstance(self._external, DeployError):
            raise self._external
        return self._external


@cases(
    ("external", "told"),
    {
        "labels of Prometheus": ({"cluster": "prod"}, ""),
        "none": ({}, "routes take 'a' to 'null' and not to 'r'"),
        "not told": (RefusedError("No."), "routes take 'a' to 'null' and not to 'r'"),
    },
)
def test_the_labels_that_prometheus_adds_decide_on_the_way_too(external, told):
    routing = Routing.read(Alertmanager(external))
    found = routing.problem(LoadedRule("a", "up", 0, {"notify": "r"}, {}, "g", "ok", ""))
    assert (told in found) if told else found == ""


def test_all_alerts_that_go_astray_are_named_at_once():
    assert check_routes(Alertmanager({}), []) == {"receivers": ["null", "r"], "misrouted": {}}
    rules = [LoadedRule(name, "up", 0, {"notify": "r"}, {}, "g", "ok", "") for name in ("x", "y")]
    with pytest.raises(VerificationError, match=r"take 'x' .*; .* take 'y' .*\. Correct") as caught:
        check_routes(Alertmanager({}), rules)
    assert set(caught.value.details["misrouted"]) == {"x", "y"}


def test_a_file_is_written_whole_and_found_to_be_right_the_next_time(tmp_path):
    reloads: list[str] = []
    path = tmp_path / "release.yml"
    file = RuleFile(path, lambda: reloads.append(path.read_text("utf-8")))
    assert file.compare(GROUPS) == (None, True)
    file.write(GROUPS, dry_run=True)
    assert list(tmp_path.iterdir()) == []
    file.write(GROUPS, dry_run=False)
    assert file.compare(GROUPS) == (GROUPS, False)
    assert (len(reloads), path.stat().st_mode & 0o777) == (1, 0o644)
    assert [one.name for one in tmp_path.iterdir()] == ["release.yml"]


@pytest.mark.parametrize("before", [None, "groups: []\n"])
def test_what_prometheus_does_not_take_is_put_back(tmp_path, before):
    path = tmp_path / "release.yml"
    if before is not None:
        path.write_text(before, "utf-8")

    def refuse() -> None:
        assert "up < 1" in path.read_text("utf-8")
        raise VerificationError("It does not take its files.")

    with pytest.raises(VerificationError):
        RuleFile(path, refuse).write(GROUPS, dry_run=False)
    assert (path.read_text("utf-8") if path.exists() else None) == before


@pytest.mark.parametrize("text", ["{", "", "groups:\n", "- 1\n", "groups: 5\n"])
def test_a_spoilt_file_is_replaced(tmp_path, text):
    path = tmp_path / "release.yml"
    path.write_text(text, "utf-8")
    file = RuleFile(path, lambda: None)
    assert file.compare(GROUPS) == ([], True)
    file.write(GROUPS, dry_run=False)
    assert file.compare(GROUPS) == (GROUPS, False)


def test_a_folder_that_is_missing_is_bad_input_in_check_mode_too(tmp_path):
    with pytest.raises(InputError, match="does not exist: set 'path'"):
        RuleFile(tmp_path / "nowhere" / "x.yml", lambda: None).write(GROUPS, dry_run=True)
