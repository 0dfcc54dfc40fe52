"""A value of a wrong kind, wherever one may be given, is taken for what it says or refused in one short sentence.

Each option of each module and role, by their own argument specs, and each value that a release is read from.
"""

import copy
import importlib
import json
import math
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._arguments import read_options
from ansible_collections.easymo.deploy.plugins.module_utils._errors import MOST
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import epoch_in
from ansible_collections.easymo.deploy.plugins.module_utils._release_variables import (
    READERS,
    misread,
)
from ansible_collections.easymo.deploy.plugins.modules import deploy_lock
from ansible_collections.easymo.deploy.plugins.plugin_utils._role_contracts import entry_points_of
from tests.module_runner import run_module
from tests.tables import cases

REPOSITORY = Path(__file__).parents[2]
ROLES = [path.parents[1] for path in sorted(REPOSITORY.glob("roles/*/meta/argument_specs.yml"))]
MODULES = sorted((REPOSITORY / "plugins" / "modules").glob("*.py"))
GUARD = entry_points_of(REPOSITORY / "roles" / "release_variables")["main"]["options"]

ITSELF: dict[str, t.Any] = {"a": 1}
ITSELF["itself"] = ITSELF
ITS_LIST: list[t.Any] = [1]
ITS_LIST.append(ITS_LIST)
KINDS: dict[str, t.Any] = {
    "integer": 5,
    "zero": 0,
    "negative": -1,
    "huge": 10**40,
    "beyond Python's digits": 10**5000,
    "5,000 digits": "9" * 5000,
    "float's end": 1e308,
    "infinite": math.inf,
    "infinite downwards": -math.inf,
    "no number": math.nan,
    "infinite, a text": "inf",
    "true": True,
    "none": None,
    "empty": "",
    "text": "some text",
    "a megabyte": "x" * 2**20,
    "right to left": "a\u202eb",
    "NUL": "a\0b",
    "half of a character": "\ud800",
    "bytes": b"\xff",
    "list": [1],
    "list of a list": [[1]],
    "list of none": [None],
    "list of a dictionary": [{"x": 1}],
    "list of a megabyte": ["x" * 2**20],
    "list in itself": ITS_LIST,
    "dictionary": {"a": 1},
    "dictionary of no number": {"a": math.nan},
    "dictionary in dictionary": {"a": {"b": [None]}},
    "dictionary in itself": ITSELF,
    "nested 80 times": json.loads("[" * 80 + "]" * 80),
    "nested 300 times": json.loads("[" * 300 + "]" * 300),
}
RELEASE: dict[str, t.Any] = {
    "release_version": "2.0.0",
    "release_launch_window": {
        "timezone": "Africa/Nairobi", "days": ["tuesday"], "start": "09:00", "end": "11:00",
        "holidays": ["2025-12-25"], "freezes": [{"from": "2025-12-20", "to": "2025-12-21", "why": "x"}],
    },
    "release_ramp": [{"day": 1, "percentage": 1, "users": 100, "must_detect": 2.0},
                     {"day": 2, "percentage": 5}],
    "release_ramp_watch_duration": 7200,
    "release_ramp_day_length": 86400,
    "release_watch_duration": 3600,
    "release_watch_interval": 10,
    "release_watch_delay": 0,
    "release_metrics": [
        {"name": "ratio", "query": "up", "pass": {"max": 5}, "rollback": {"above": 6},
         "volume": {"query": "x", "at_least": 5}, "breaches": 2, "count": 3, "interval": 5,
         "initial_delay": 0, "max_missing": 0.1},
        {"name": "users", "treated": {"seen": "a", "failed": "b"}, "control": {"seen": "a", "failed": "b"},
         "worse_than": 1.2},
        {"name": "log", "kind": "kubernetes_log", "deployment": "x", "query": "E", "window": 60},
        {"name": "rows", "kind": "postgres", "query": "SELECT 1", "connection": {
            "login_host": "h", "login_user": "u", "login_db": "d", "login_password": "hunter2"}},
    ],
    "release_feedback": [
        {"name": "q", "question": "?", "source": {"query": "up", "pass": {"max": 1}}}
    ],
    "release_smoke_metrics": [{"name": "a", "query": "up", "pass": {"max": 5}}],
    **{name: [{"name": "h", "kind": "health", "health": {
            "checks": [{"name": "x", "kind": "http", "http": {"url": "https://x"}}]}}]
       for name in ("release_smoke_tests", "release_smoke_tests_without_feature", "release_rollback_tests")},
    "release_flags": {"ON": True, "PERCENT": 1, "TEXT": "x"},
    "release_percentage_flag": "PERCENT",
    "release_feature_flag": "ON",
    "release_flags_messages": [{"name": "m", "from": "1", "text": "t", "route": "agent"}],
    "release_sign_offs": [{"name": "qa", "what": "w", "of": "o", "section": "s"}],
    "release_identity": {
        "verified": "ssh",
        "allowed_signers": "a",
        "other_than_deployer": True,
        "different_people": ["qa"],
        "approvers": ["ann"],
    },
    "release_sign_offs_given": {"qa": {"by": "Ann Doe", "note": "n"}, "dev": "Bob"},
    "release_waivers": {"images": {"by": "Ann", "reason": "r"}},
    "release_phases_waived": {"preflight": {"by": "Ann", "reason": "r"}},
    "release_supersedes": {"1.9": {"by": "Ann", "reason": "r"}},
    "release_page_holds": {"from": "20:00", "until": "07:00", "timezone": "Africa/Nairobi"},
}  # fmt: skip
TOGETHER = (
    ("release_ramp", "release_ramp_watch_duration", "release_ramp_day_length"),
    ("release_metrics", "release_watch_duration", "release_watch_interval", "release_watch_delay"),
    ("release_flags", "release_percentage_flag", "release_feature_flag"),
)
"""Variables that are read together."""

Path_ = tuple[t.Any, ...]


def refused(release: dict[str, t.Any]) -> list[str]:
    """As the first step of a run refuses what stands in an inventory."""
    values, wrong = read_options({name: GUARD[name] for name in release}, release)
    raw = {name: one for name, one in release.items() if isinstance(one, dict)}
    fine = {
        name: value
        for name, value in {**values, **raw}.items()
        if not any(name in sentence for sentence in wrong)
    }
    return wrong + misread(fine)


def paths_in(value: t.Any, before: Path_ = ()) -> t.Iterator[Path_]:
    lists = enumerate(value) if isinstance(value, list) else ()
    inner = value.items() if isinstance(value, dict) else lists
    for key, one in inner:
        yield (*before, key)
        yield from paths_in(one, (*before, key))


def changed(release: dict[str, t.Any], path: Path_, value: t.Any) -> dict[str, t.Any]:
    whole = copy.deepcopy(release)
    place: t.Any = whole
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return whole


def options_of(module: Path) -> dict[str, t.Any]:
    name = f"ansible_collections.easymo.deploy.plugins.modules.{module.stem}"
    spec = getattr(importlib.import_module(name), "module_spec", None)
    return spec()["argument_spec"] if spec else {}


def bad_sentences(named: str, sentences: list[str]) -> list[str]:
    """Without the option's name, too long, or with a secret."""
    return [
        one for one in sentences if named not in one or len(one) > MOST + 100 or "hunter2" in one
    ]


def test_a_release_without_fault_is_not_refused():
    assert refused(RELEASE) == []
    assert READERS.keys() <= RELEASE.keys()


@pytest.mark.parametrize("name", RELEASE)
def test_whatever_stands_in_a_release_is_read_or_refused_by_its_name(name):
    names = next((one for one in TOGETHER if name in one), (name,))
    given = {one: RELEASE[one] for one in names}
    for path in paths_in({name: RELEASE[name]}):
        for kind, value in KINDS.items():
            told = refused(changed(given, path, value))
            unclear = bad_sentences(names[0], bad_sentences(name, told))
            assert not unclear, (path, kind)


@pytest.mark.parametrize("module", MODULES, ids=lambda one: one.stem)
def test_every_option_of_a_module_takes_or_refuses_every_kind(module):
    _each_is_taken_or_refused(options_of(module))


@pytest.mark.parametrize("role", ROLES, ids=lambda one: one.name)
def test_every_option_of_a_role_takes_or_refuses_every_kind(role):
    for entry_point in entry_points_of(role).values():
        _each_is_taken_or_refused(entry_point.get("options", {}))


TRIED: set[str] = set()
"""Options that were, as JSON: modules share those of connections."""


def _each_is_taken_or_refused(options: dict[str, t.Any]) -> None:
    """Of options in an option too."""
    for name, option in options.items():
        text = json.dumps({name: option}, sort_keys=True, default=repr)
        if text in TRIED:
            continue
        TRIED.add(text)
        bare = {key: one for key, one in option.items() if not key.startswith("required")}
        for kind, value in KINDS.items():
            _values, told = read_options({name: bare}, {name: value})
            assert not bad_sentences("", told), (name, kind)
        _each_is_taken_or_refused(option.get("options") or {})


@cases(("wrong", "sentence"), {
    "a-number-for-bounds": ({"release_metrics": [{"name": "a", "query": "up", "pass": 5}]},
        "Option 'release_metrics[a].pass' is 5: it must be a dictionary, of min, max."),
    "true-for-bounds": ({"release_metrics": [{"name": "a", "query": "up", "rollback": True}]},
        "Option 'release_metrics[a].rollback' is True: it must be a dictionary, of below, above."),
    "a-day-without-end": ({"release_ramp": [{"day": math.inf, "percentage": 1}]},
        "Option 'release_ramp[0].day' is inf: it must be a number within ±1e+15."),
    "days-beyond-any-calendar": ({"release_ramp": [{"day": 10**9, "percentage": 1}]},
                                 "longer than 3650 days"),
    "a-watch-without-end": ({"release_watch_duration": math.inf},
                            "Option 'release_watch_duration' is inf"),
    "a-number-for-holidays": ({"release_launch_window": {"timezone": "UTC", "holidays": 1}},
        "release_launch_window is wrong: A holiday of the launch window is '1'"),
    "true-for-freezes": ({"release_launch_window": {"timezone": "UTC", "freezes": True}},
                         "'freezes'"),
    "a-holiday-after-which-no-day-is": ({"release_launch_window": {"timezone": "UTC",
                                        "freezes": [{"from": "2025-01-01", "to": "9999-12-31"}]}},
                                        "A freeze of the launch window is '9999-12-31'"),
    "a-megabyte-for-a-time-zone": ({"release_launch_window": {"timezone": "x" * 2**20}},
                                   "has 1048576 characters"),
    "flags-in-themselves": ({"release_flags": ITSELF}, "Option 'release_flags' contains itself"),
    "a-flag-no-environment-holds": ({"release_flags": {"TEXT": "x" * 200_000}},
                                    "release_flags is wrong: The flag TEXT is 'xxx"),
    "a-version-that-leaves-its-folder": ({"release_version": "../../etc/x"},
        "release_version is wrong: The release '../../etc/x' cannot name a ConfigMap"),
    "a-text-for-a-waiver": ({"release_phases_waived": {"preflight": "text"}},
        "'release_phases_waived' must say for 'preflight' who decided it and why"),
    "a-list-for-a-name": ({"release_waivers": {"images": {"by": ["Ann"], "reason": "r"}}},
                          "must say for 'images' who decided it and why"),
})  # fmt: skip
def test_what_a_phase_could_not_work_with_is_told_before_the_first(wrong, sentence):
    (told,) = refused(wrong)
    assert sentence in told
    assert len(told) <= MOST + 100


@cases(
    ("text", "epoch"),
    {
        "as-the-lock-writes-it": ("12", 12),
        "5,000-digits": ("9" * 5000, 0),
        "eleven-digits": ("9" * 11, 0),
        "other-digits": ("١٢", 0),
    },
)
def test_a_fence_that_no_run_writes_is_none(text, epoch):
    assert epoch_in({"easymo.com/fence": text}) == epoch


@pytest.mark.parametrize(
    "given", [{"fence": "9" * 5000}, {"state": "x" * 2**20}], ids=("digits", "megabyte")
)
def test_a_module_refuses_as_briefly_by_itself(given):
    ((option, _value),) = given.items()
    refused_by = run_module(deploy_lock, namespace="easymo-prod", release="2.0.0", **given)
    assert option in refused_by["msg"]
    assert len(refused_by["msg"]) <= 5_000
