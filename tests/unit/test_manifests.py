"""Holds the manifests to what the plugins really ask of the API server, and to what fencing means."""

import ast
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import (
    FENCE_ANNOTATION,
    FIELD_MANAGER,
)
from ansible_collections.easymo.deploy.plugins.module_utils._lock.apply import LEASE
from ansible_collections.easymo.deploy.plugins.module_utils._release.pins import COMPONENT
from sandbox import cache
from sandbox.kubernetes.schema import decode_model
from tests import admission
from tests.admission import denied, policies
from tests.caches import SANDBOX_CACHE

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
RBAC = sorted((ROOT / "manifests/rbac").glob("*.yaml"))

VERBS = {
    "read": {"get"},
    "list_objects": {"list"},
    # A watch begins with a list.
    "watch": {"list", "watch"},
    "create": {"create"},
    "replace": {"update"},
    "patch": {"patch"},
    # Server-side apply is a patch that may create.
    "apply": {"patch", "create"},
    "delete": {"delete"},
}
GROUPS = {
    "ConfigMap": ("", "configmaps"),
    "Deployment": ("apps", "deployments"),
    "Event": ("", "events"),
    "HorizontalPodAutoscaler": ("autoscaling", "horizontalpodautoscalers"),
    "Lease": ("coordination.k8s.io", "leases"),
    "Pod": ("", "pods"),
    "PodDisruptionBudget": ("policy", "poddisruptionbudgets"),
    "PrometheusRule": ("monitoring.coreos.com", "prometheusrules"),
    "ReplicaSet": ("apps", "replicasets"),
    "ResourceQuota": ("", "resourcequotas"),
    "Secret": ("", "secrets"),
}
Rights = set[tuple[str, str, str]]

SUBRESOURCES: dict[str, Rights] = {
    "log": {("", "pods/log", "get")},
    "execute": {("", "pods/exec", "get"), ("", "pods/exec", "create")},
    "proxy": {("", "pods/proxy", "get")},
}

# Calls whose kind is in a variable, with what that may be: the preflight's, for what pod templates refer to, and of
# watches that are shared, which the observer of a rollout asks for by name.
INDIRECT: dict[str, Rights] = {
    "cluster.list_objects(kind)": set(),  # named where `listed` is called
    "cluster.watch(kind, self._woken)": set(),
    "self._cluster.watch(kind, wake, **selectors)": set(),
    "cluster.read(kind, name)": {("", "configmaps", "get"), ("", "secrets", "get")},
}


@functools.cache
def calls() -> list[tuple[str, ast.Call]]:
    found: list[tuple[str, ast.Call]] = []
    for path in sorted(PLUGINS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr=name)):
                    found.append((name, node))
                case ast.Call(func=ast.Name(id="listed")):
                    found.append(("list_objects", node))
    return found


def _receiver(call: ast.Call) -> str:
    return ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""


@functools.cache
def used() -> Rights:
    """Every verb on a resource that a plugin may ask for, read from its source."""
    rights: Rights = set()
    for name, call in calls():
        first = call.args[0] if call.args else None
        kind = first.value if isinstance(first, ast.Constant) else None
        if name in VERBS and kind in GROUPS:
            group, resource = GROUPS[kind]
            rights |= {(group, resource, verb) for verb in VERBS[name]}
        if name in VERBS:
            rights |= INDIRECT.get(ast.unparse(call), set())
        if name in SUBRESOURCES and "cluster" in _receiver(call):
            rights |= SUBRESOURCES[name]
    return rights


def roles() -> dict[str, t.Any]:
    bodies = [yaml.safe_load(path.read_text("utf-8")) for path in RBAC]
    return {body["metadata"]["name"]: body["rules"] for body in bodies if body["kind"] == "Role"}


def granted(role: str) -> Rights:
    return {
        (group, resource, verb)
        for rule in roles()[role]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


ALERTS: Rights = {("monitoring.coreos.com", "prometheusrules", v) for v in VERBS["apply"] | {"get"}}
"""In another namespace, by a Role that docs/rights.md tells."""


def test_no_role_grants_a_verb_that_no_plugin_asks_for():
    assert granted("easymo-deploy") == used() - ALERTS
    for role in ("easymo-guard", "easymo-sign", "easymo-look"):
        assert granted(role) - used() <= {("", "configmaps", verb) for verb in ("sign", "guard")}
        assert not any(resource == "secrets" for _group, resource, _verb in granted(role))


def test_a_name_cannot_be_asked_of_who_creates_lists_or_watches():
    """https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources: it would grant nothing."""
    named = [rule for rules in roles().values() for rule in rules if rule.get("resourceNames")]
    assert not any({"create", "list", "watch"} & {*rule["verbs"]} for rule in named)
    secrets = [r for rules in roles().values() for r in rules if "secrets" in r["resources"]]
    assert [(rule["verbs"], bool(rule["resourceNames"])) for rule in secrets] == [(["get"], True)]


def test_the_page_of_rights_has_each_of_them_with_what_fails_without_it():
    """`python -m tests.simulation.plays --rights` tries them, and writes it."""
    page = (ROOT / "docs/rights.md").read_text("utf-8").partition("<!-- roles -->\n")[2]
    head, _line, *rows = page.partition("\n<!--")[0].splitlines()
    heads = [cell.strip().split(": ") for cell in head.strip("|").split("|")[1:]]
    told, witnesses = set(), {main for _role, main in heads}
    for row in rows:
        resource, *cells = (cell.strip() for cell in row.strip("|").split(" | "))
        for (role, _main), cell in zip(heads, cells, strict=True):
            for part in filter(None, cell.split("; ")):
                name, _colon, verbs = part.rpartition(": ")
                witnesses |= {*re.findall(r"\((.+?)\)", verbs)}
                told |= {
                    (f"easymo-{role}", resource.strip("`"), name.strip("`"), verb)
                    for verb in re.sub(r" \(.+?\)", "", verbs).split(", ")
                }
    assert told == {
        (role, resource, name, verb)
        for role, rules in roles().items()
        for rule in rules
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
        for verb in rule["verbs"]
    }
    plays = json.loads((ROOT / "tests/simulation/plays/outcomes.json").read_text("utf-8"))
    assert witnesses <= {*plays, *(path.name for path in (ROOT / "tests").rglob("test_*.py"))}


def test_no_call_hides_its_kind_from_this_test():
    """A kind in a variable would be a right that nobody lists."""
    hidden = [
        ast.unparse(call)
        for name, call in calls()
        if name in VERBS
        and call.args
        and not isinstance(call.args[0], ast.Constant)
        and "cluster" in _receiver(call).lower()
    ]
    assert set(hidden) == set(INDIRECT)


def test_each_policy_is_bound_to_namespaces_with_the_label_and_denies():
    files = sorted((ROOT / "manifests/admission").glob("*-binding.yaml"))
    bindings = [yaml.safe_load(file.read_text("utf-8"))["spec"] for file in files]
    assert [one["policyName"] for one in bindings] == [*policies()]
    for binding, spec in zip(bindings, policies().values(), strict=True):
        assert binding["validationActions"] == ["Deny"]
        assert spec["failurePolicy"] == "Fail"
        assert ("paramKind" in spec) == ("paramRef" in binding)
    assert bindings[1]["paramRef"]["name"] == LEASE


def lock(holder: str = "jane@laptop", epoch: int = 7) -> dict[str, t.Any]:
    return {"spec": {"holderIdentity": holder, "leaseTransitions": epoch}}


def body(
    fence: str | None = None, name: str = "wallet", image: str = "1", **labels: str
) -> dict[str, t.Any]:
    annotations = {} if fence is None else {"annotations": {FENCE_ANNOTATION: fence}}
    return {"metadata": {"name": name, "labels": labels, **annotations}, "spec": {"image": image}}


OURS = {"options": {"fieldManager": FIELD_MANAGER}}
CONTROLLER = {"userInfo": {"username": "system:serviceaccount:kube-system:horizontal-pod"}}
SERVICE = {"resource": {"resource": "deployments"}}
CONFIG = {"resource": {"resource": "configmaps"}}
RELEASE = "easymo.com/release"
RECORD = body("7", "release-2.0.0", **{COMPONENT: "record", RELEASE: "2.0.0"})
UPDATE, CREATE, DELETE = ({"operation": name} for name in ("UPDATE", "CREATE", "DELETE"))
FLAGS = "feature-flags"


@pytest.mark.parametrize(("before", "after", "allowed"), [
    (None, "1", True),
    ("7", "7", True),
    ("7", "10", True),
    ("10", "9", False),
    ("7", None, False),
    ("garbage", "1", True),
    ("garbage", "garbage", True),
    ("7", "-8", False),
    ("7", "99999999999", False),
    ("7", "9999999999", False),
    ("7", "9" * 4301, False),
    (None, "9" * 4301, False),
    (None, None, True),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("what", [SERVICE, CONFIG], ids=["service", "config"])
def test_an_older_fence_is_refused_and_one_from_the_future(what, before, after, *, allowed):
    said = denied({**what, **UPDATE, **OURS}, body(before), body(after), lock())
    assert (said == []) is allowed, said


SCALE = {**SERVICE, **UPDATE, "subResource": "scale"}
ATTACKS: tuple[tuple[str, t.Any, t.Any, t.Any, bool], ...] = (
    ("set image", {**SERVICE, **UPDATE}, body("7"), body("7", image="2"), False),
    ("set image before an epoch", {**SERVICE, **UPDATE}, body(), body(image="2"), False),
    ("the playbooks' own", {**SERVICE, **UPDATE, **OURS}, body("7"), body("7", image="2"), True),
    ("label", {**SERVICE, **UPDATE}, body("7"), body("7", team="w"), True),
    ("scale", SCALE, body(), body(), False),
    ("autoscaler", {**SCALE, **CONTROLLER}, body(), body(), True),
    ("delete", {**SERVICE, **DELETE}, body("7"), None, False),
    ("create", {**SERVICE, **CREATE}, None, body(), False),
    ("edit flags", {**CONFIG, **UPDATE}, body("7", FLAGS), body("7", FLAGS, "2"), False),
    ("delete flags", {**CONFIG, **DELETE}, body("7", FLAGS), None, False),
    ("edit record", {**CONFIG, **UPDATE}, RECORD, RECORD, False),
    ("delete record", {**CONFIG, **DELETE}, RECORD, None, False),
    ("others' config", {**CONFIG, **UPDATE}, body(None, "other"), body(None, "other"), True),
    ("kill switch", {**CONFIG, **UPDATE, **OURS}, body("7", FLAGS), body("7", FLAGS), True),
)
"""What kubectl may try while a run holds the lock, and what is nobody's attack."""


@pytest.mark.parametrize(
    ("request_", "before", "after", "allowed"),
    [a[1:] for a in ATTACKS],
    ids=[a[0] for a in ATTACKS],
)
def test_while_a_release_runs_only_the_playbooks_change_it(request_, before, after, *, allowed):
    said = denied(request_, before, after, lock())
    assert (said == []) is allowed, said
    assert allowed or "jane@laptop" in said[0]
    assert denied(request_, before, after, lock("")) == []
    assert denied(request_, before, after, None) == []


def labelled(name: str, component: str, release: str = "2.0.0") -> dict[str, t.Any]:
    labels = {COMPONENT: component, RELEASE: release}
    return body(None, name, **{key: value for key, value in labels.items() if value})


PINS, KEPT = "release-2.0.0-pins", "release-2.0.0-functions"


@pytest.mark.parametrize(("may", "before", "after", "allowed"), [
    (["sign"], None, labelled("release-2.0.0", "record"), True),
    (["sign"], labelled("release-2.0.0", "record"), labelled("release-2.0.0", "record"), True),
    (["guard"], labelled("release-2.0.0", "record"), labelled("release-2.0.0", "record"), True),
    (["guard"], None, labelled("release-2.0.0-guard", "attachment"), True),
    (["guard", "patch"], labelled(FLAGS, "", ""), labelled(FLAGS, "", ""), True),
    ([], labelled("platform-config", "", ""), labelled("platform-config", "", ""), True),
    (["sign"], None, labelled("release-2.0.0-guard", "attachment"), False),
    (["guard"], labelled(KEPT, "attachment"), labelled(KEPT, "attachment"), False),
    (["sign"], labelled(PINS, "pins"), labelled(PINS, "record"), False),
    (["guard"], labelled(PINS, "pins"), labelled(PINS, "attachment"), False),
    (["sign"], labelled(PINS, "pins"), labelled(PINS, "record", "2.0.0-pins"), False),
    (["sign"], None, labelled(PINS, "record", "2.0.0-pins"), False),
    (["guard"], None, labelled(KEPT, "record", "2.0.0-functions"), False),
    (["sign"], body(None, "release-notes"), labelled("release-notes", "record", "notes"), False),
    (["sign"], labelled("release-2.0.0", "record"), labelled("release-2.0.0", "pins"), False),
    (["sign"], labelled(FLAGS, "", ""), labelled(FLAGS, "record"), False),
    (["guard"], labelled(FLAGS, "", ""), labelled(FLAGS, "", ""), False),
], ids=str)  # fmt: skip
def test_who_signs_writes_records_alone(may, before, after, *, allowed):
    operation = CREATE if before is None else UPDATE
    said = denied({**CONFIG, **operation}, before, after, None, lambda verb, _name: verb in may)
    assert (said == []) is allowed, said


@pytest.mark.parametrize("name", ["easymo-deploy-fence", "easymo-deploy-locked"])
def test_a_policy_compiles_with_types(name):
    assert admission.programs(name)


# The first is what a real API server (1.36.2) refused, in these words.
@pytest.mark.parametrize(("expression", "words"), [
    ("variables.written in ['', variables.known]", "expected type 'string' but found 'dyn'"),
    ("variables.last", "expected type 'bool' but found"),
    ("variables.held + 1 == 2", "found no matching overload"),
    ("variables.nothing", "undeclared reference"),
])  # fmt: skip
def test_what_an_api_server_refuses_does_not_compile(expression, words):
    spec = admission.policies()["easymo-deploy-locked"]
    with pytest.raises((ValueError, RuntimeError), match=words):
        admission.compiled({**spec, "validations": [{"expression": expression}]})


def test_each_attack_names_the_test_that_tries_it():
    attacks = yaml.safe_load((ROOT / "tests/attacks.yml").read_text("utf-8"))
    trials = [trial for rows in attacks.values() for _attack, _outcome, trial in rows]
    plays = json.loads((ROOT / "tests/simulation/plays/outcomes.json").read_text("utf-8"))
    tests = {
        f"{path.name}::{name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
    }
    assert len(trials) >= 50
    assert {*trials} - {*plays} - tests == set()


def test_the_cron_job_is_one_and_runs_with_rights_of_its_own():
    job = yaml_load((ROOT / "manifests/guard/cronjob.yaml").read_text("utf-8"))
    decoded = decode_model("V1CronJob", job)
    assert (decoded.unknown, decoded.field_errors) == ([], [])
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "easymo-guard"
    [container] = pod["containers"]
    assert container["command"][:2] == ["ansible-playbook", "easymo.deploy.guard"]


def test_the_overlay_of_the_docs_moves_all_of_it_to_another_namespace(tmp_path):
    [overlay] = re.findall(
        r"```yaml\n(namespace: .*?)```", (ROOT / "docs/rights.md").read_text("utf-8"), re.DOTALL
    )
    (tmp_path / "deploy").symlink_to(ROOT)
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay/kustomization.yaml").write_text(overlay, "utf-8")
    kubectl = Path(sys.executable).with_name("kubectl")
    built = subprocess.run(
        [kubectl, "kustomize", tmp_path / "overlay"], capture_output=True, text=True, check=True
    )
    objects = [yaml_load(text) for text in built.stdout.split("\n---\n")]
    assert {each["metadata"]["namespace"] for each in objects} == {"my-namespace"}
    assert {each["kind"] for each in objects} == {
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "CronJob",
    }
    bindings = [each for each in objects if each["kind"] == "RoleBinding"]
    assert {each["subjects"][0]["namespace"] for each in bindings} == {"my-namespace"}


def test_systemd_takes_the_units_as_they_are(tmp_path):
    variables: dict[str, str] = {}
    systemd = shutil.which("systemd-analyze")
    if systemd is None:
        root = cache.unpack(SANDBOX_CACHE, "systemd", dependencies=True)
        systemd = str(root / "usr/bin/systemd-analyze")
        variables["LD_LIBRARY_PATH"] = cache.libraries(root)
    folder = ROOT / "manifests/guard"
    for name in ("guard.service", "guard.timer"):
        text = (folder / name).read_text("utf-8")
        # It looks whether the program is there.
        program = "ExecStart=/srv/releases/.venv/bin/ansible-playbook "
        text = text.replace(program, f"ExecStart={sys.executable} ")
        # The one line that a user's manager refuses.
        (tmp_path / name).write_text(text.replace("DynamicUser=yes\n", ""), "utf-8")
    ended = subprocess.run(
        # As a user's manager, which keeps to a folder of its own: the system's wants to make /run/systemd.
        [systemd, "verify", "--user", "--man=no", *sorted(tmp_path.glob("guard.*"))],
        env={**os.environ, **variables, "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    ours = [line for line in ended.stderr.splitlines() if str(tmp_path) in line]
    assert (ended.returncode, ours) == (0, []), ended.stderr
