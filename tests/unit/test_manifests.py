"""Holds the manifests to what the plugins really ask of the API server, and to what fencing means."""

import ast
import functools
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import celpy
import pytest
from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import FENCE_ANNOTATION
from sandbox import cache
from sandbox.kubernetes.schema import decode_model
from tests.caches import SANDBOX_CACHE

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"

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


def granted() -> Rights:
    role = yaml_load((ROOT / "manifests/rbac/role.yaml").read_text("utf-8"))
    assert role["kind"] == "Role", "rights beyond the namespace are nobody's"
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_role_grants_exactly_the_verbs_that_are_used():
    assert granted() - used() == set(), "granted and never used"
    assert used() - granted() == set(), "used and not granted"


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


def policy() -> tuple[dict[str, t.Any], dict[str, t.Any]]:
    names = ("validating-admission-policy", "validating-admission-policy-binding")
    found, binding = (
        yaml_load((ROOT / f"manifests/{name}.yaml").read_text("utf-8")) for name in names
    )
    return found, binding


def test_the_policy_is_bound_and_denies():
    found, binding = policy()
    assert binding["spec"]["policyName"] == found["metadata"]["name"]
    assert binding["spec"]["validationActions"] == ["Deny"]
    assert found["spec"]["failurePolicy"] == "Fail"
    (rule,) = found["spec"]["matchConstraints"]["resourceRules"]
    # Not deployments/status or deployments/scale: controllers and autoscalers know no fence.
    assert (rule["resources"], rule["operations"]) == (["deployments"], ["UPDATE"])
    assert all(FENCE_ANNOTATION in one["expression"] for one in found["spec"]["variables"])


@pytest.mark.parametrize(("before", "after", "allowed"), [
    (None, {FENCE_ANNOTATION: "1"}, True),
    ({FENCE_ANNOTATION: "7"}, {FENCE_ANNOTATION: "7"}, True),
    ({FENCE_ANNOTATION: "7"}, {FENCE_ANNOTATION: "10"}, True),
    ({FENCE_ANNOTATION: "10"}, {FENCE_ANNOTATION: "9"}, False),
    ({FENCE_ANNOTATION: "7"}, {"team": "w"}, False),
    ({FENCE_ANNOTATION: "7"}, None, False),
    ({FENCE_ANNOTATION: "garbage"}, {FENCE_ANNOTATION: "1"}, True),
    ({FENCE_ANNOTATION: "7"}, {FENCE_ANNOTATION: "-8"}, False),
    ({"team": "w"}, None, True),
], ids=str)  # fmt: skip
def test_the_policy_rejects_an_older_fence(before, after, *, allowed):
    def evaluate(expression: str, context: dict[str, t.Any]) -> t.Any:
        environment = celpy.Environment()
        program = environment.program(environment.compile(expression))
        return program.evaluate(context)

    def body(annotations: dict[str, str] | None) -> t.Any:
        metadata = {"name": "a"} if annotations is None else {"annotations": annotations}
        return celpy.json_to_cel({"metadata": metadata})

    found, _binding = policy()
    objects = {"oldObject": body(before), "object": body(after)}
    variables = {
        one["name"]: evaluate(one["expression"], objects) for one in found["spec"]["variables"]
    }
    (validation,) = found["spec"]["validations"]
    context = {"variables": celpy.celtypes.MapType(variables)}
    assert bool(evaluate(validation["expression"], context)) is allowed
    assert "epoch" in str(evaluate(validation["messageExpression"], context))


def test_the_cron_job_is_one_and_runs_with_the_rights_of_the_deployer():
    job = yaml_load((ROOT / "manifests/guard/cronjob.yaml").read_text("utf-8"))
    decoded = decode_model("V1CronJob", job)
    assert (decoded.unknown, decoded.field_errors) == ([], [])
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    account = yaml_load((ROOT / "manifests/rbac/service-account.yaml").read_text("utf-8"))
    assert pod["serviceAccountName"] == account["metadata"]["name"]
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
    [binding] = [each for each in objects if each["kind"] == "RoleBinding"]
    assert binding["subjects"][0]["namespace"] == "my-namespace"


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
