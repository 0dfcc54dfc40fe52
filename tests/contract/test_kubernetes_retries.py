"""What the adapter makes of an API server that stumbles: a scripted one, on loopback."""

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    ConflictError,
    InputError,
    RefusedError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from tests.fakes.cluster import FakeClock
from tests.fakes.http_server import Handler, serving
from tests.tables import cases

TOKEN = "a-very-secret-token"
FOUND = (200, {}, {"metadata": {"name": "x"}})
Answer = tuple[int, dict[str, str], dict[str, t.Any]]


class Script:
    """Answers in order, the last one for ever; status 0 closes the connection without a word."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.requests: list[str] = []

    def next(self, line: str) -> Answer:
        self.requests.append(line)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(script) -> t.Iterator[str]:
    """The URL of an API server that answers as scripted."""

    class Scripted(Handler):
        def do_GET(self) -> None:
            self.body()
            status, headers, document = script.next(f"{self.command} {self.path}")
            if status == 0:
                self.connection.close()
            else:
                self.answer_json(document, status, headers)

        do_PATCH = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    with serving(Scripted) as url:
        yield url


@pytest.fixture
def cluster(server, clock) -> KubernetesCluster:
    return KubernetesCluster(Connection("easymo-prod", host=server, api_key=TOKEN), clock=clock)


def status(code: int, message: str, **details: t.Any) -> Answer:
    return code, {}, {"kind": "Status", "message": message, "details": details, "code": code}


@pytest.mark.parametrize("stumble", [429, 500, 502, 503, 504, 0])
def test_a_stumble_is_tried_again(cluster, script, stumble):
    script.answers = [status(stumble, "later"), FOUND]
    assert cluster.read("ConfigMap", "x") == FOUND[2]
    assert len(script.requests) == 2


def test_retry_after_is_honoured(cluster, script, clock):
    script.answers = [(429, {"Retry-After": "7"}, {"message": "slow down"}), FOUND]
    began = clock.now()
    cluster.read("ConfigMap", "x")
    assert clock.now() - began == 7


def test_trying_ends_at_the_deadline_and_says_what_it_last_saw(cluster, script, clock):
    script.answers = [status(503, "etcd has no leader")]
    deadline = clock.now() + 60
    with pytest.raises(UnreachableError, match="etcd has no leader"):
        cluster.until(deadline).read("ConfigMap", "x")
    assert deadline - 10 <= clock.now() <= deadline


@pytest.mark.parametrize("refusal", [400, 401])
def test_a_refusal_is_final_and_keeps_the_token_to_itself(cluster, script, refusal):
    script.answers = [status(refusal, "no, and you know why")]
    with pytest.raises(RefusedError, match="no, and you know why") as caught:
        cluster.read("ConfigMap", "x")
    assert TOKEN not in str(caught.value) + repr(caught.value.details)
    assert len(script.requests) == 1


def test_a_failed_test_is_a_conflict_and_an_invalid_value_is_not(cluster, script):
    operations = [{"op": "test", "path": "/metadata/uid", "value": "1"}]
    script.answers = [status(422, "the server rejected our request")]
    with pytest.raises(ConflictError):
        cluster.patch("Deployment", "x", operations)
    script.answers = [status(422, "image is invalid", causes=[{"field": "image"}])]
    with pytest.raises(RefusedError, match="image is invalid"):
        cluster.patch("Deployment", "x", operations)


def test_a_dry_run_and_its_field_manager_are_asked_for_by_name(cluster, script):
    script.answers = [FOUND]
    cluster.patch("Deployment", "x", [], dry_run=True)
    [line] = script.requests
    assert "dryRun=All" in line
    assert "fieldManager=easymo-deploy" in line


@pytest.mark.parametrize(("namespace", "name"), [("easymo-prod", ".."), ("..", "a")])
def test_a_name_is_no_step_of_the_path(server, script, namespace, name):
    """A client sends `configmaps/..` as the namespace's own path."""
    cluster = KubernetesCluster(Connection(namespace=namespace, host=server, api_key=TOKEN))
    with pytest.raises(InputError, match=r"can be named '\.\.'"):
        cluster.delete("ConfigMap", name)
    assert script.requests == []


def test_an_answer_without_json_is_told_in_short(cluster, script):
    script.answers = [(403, {}, {"no": "message"})]
    with pytest.raises(RefusedError, match="in namespace 'easymo-prod'"):
        cluster.read("ConfigMap", "x")


EXPIRED = status(401, "Unauthorized")


@pytest.fixture
def renewing(server, clock, tmp_path) -> KubernetesCluster:
    """With credentials that can be read anew."""
    connection = Connection("easymo-prod", kubeconfig=str(kubeconfig(tmp_path, server)))
    return KubernetesCluster(connection, clock=clock)


def test_credentials_that_expire_are_awaited_and_read_anew(renewing, script, clock):
    script.answers = [FOUND]
    renewing.read("ConfigMap", "x")
    script.answers = [EXPIRED, EXPIRED, EXPIRED, FOUND]
    assert renewing.until(clock.now() + 60).read("ConfigMap", "x") == FOUND[2]
    script.answers = [EXPIRED]
    with pytest.raises(RefusedError, match="renew them"):
        renewing.until(clock.now() + 60).read("ConfigMap", "x")


def test_credentials_that_never_worked_are_refused_at_once(renewing, script, clock):
    script.answers = [EXPIRED]
    with pytest.raises(RefusedError):
        renewing.until(clock.now() + 60).read("ConfigMap", "x")
    assert len(script.requests) == 2


@pytest.mark.parametrize(("allowed", "asked"), [(True, 1), (False, 11)])
def test_a_right_is_asked_for_until_it_is_sure_and_then_remembered(cluster, script, allowed, asked):
    """A restarting server denies in a review what it allows, so a denial is asked again for five seconds."""
    script.answers = [(201, {}, {"status": {"allowed": allowed}})] * asked
    assert [cluster.may("get", "pods", subresource="log") for _again in range(2)] == [allowed] * 2
    review = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert script.requests == [review] * asked


ROLE_UNKNOWN = 'RBAC: role.rbac.authorization.k8s.io "easymo-deployer" not found'
FILLING = status(403, f"configmaps is forbidden: User x cannot get it: {ROLE_UNKNOWN}")
AWAY: Answer = (0, {}, {})
DENIED = status(403, "configmaps is forbidden: User x cannot get it")


@pytest.mark.parametrize("before", [[], [FOUND]], ids=["at first", "later"])
def test_a_denial_for_a_role_that_is_not_known_yet_is_asked_again(cluster, script, clock, before):
    script.answers = [*before, FILLING, FILLING, FILLING, FOUND]
    for _read in range(len(before) + 1):
        assert cluster.read("ConfigMap", "x") == FOUND[2]
    assert len(script.requests) == len(before) + 4


@cases(
    "call",
    {
        "read": lambda cluster: cluster.read("ConfigMap", "y"),
        "list": lambda cluster: cluster.list_objects("Pod"),
        "create": lambda cluster: cluster.create("ConfigMap", {"metadata": {"name": "y"}}),
        "replace": lambda cluster: cluster.replace("ConfigMap", {"metadata": {"name": "y"}}),
        "patch": lambda cluster: cluster.patch("Deployment", "y", []),
        "apply": lambda cluster: cluster.apply("ConfigMap", {"metadata": {"name": "y"}}),
        "delete": lambda cluster: cluster.delete("Pod", "y"),
        "log": lambda cluster: cluster.log("y", "z"),
        "proxy": lambda cluster: cluster.proxy("y", 8080, "/"),
    },
)
@pytest.mark.parametrize("before", [[], [FOUND]], ids=["at first", "later"])
def test_any_denial_is_asked_again(cluster, script, before, call):
    """A real server of 1.36 that restarts denies a session's first call without a word of a missing role."""
    script.answers = [*before, DENIED, DENIED, FOUND]
    for _read in before:
        cluster.read("ConfigMap", "x")
    call(cluster)
    assert len(script.requests) == len(before) + 3


def test_a_refusal_by_an_admission_policy_is_believed_at_once(cluster, script, clock):
    policy = "configmaps 'y' is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"
    script.answers = [status(403, policy)]
    began = clock.now()
    with pytest.raises(RefusedError, match="denied request: no"):
        cluster.create("ConfigMap", {"metadata": {"name": "y"}})
    assert (len(script.requests), clock.now()) == (1, began)


def test_a_denial_after_the_server_was_away_is_doubted_although_another_lasted(cluster, script):
    script.answers = [DENIED]
    with pytest.raises(RefusedError):
        cluster.read("ConfigMap", "x")
    script.answers = [AWAY, DENIED, DENIED, FOUND]
    assert cluster.read("ConfigMap", "y") == FOUND[2]


@pytest.mark.parametrize("denial", [FILLING, DENIED], ids=["no such role", "no such right"])
def test_a_denial_that_lasts_is_told_within_seconds_and_spares_others_the_wait(
    cluster, script, clock, denial
):
    script.answers = [FOUND, denial]
    cluster.read("ConfigMap", "x")
    began = clock.now()
    with pytest.raises(RefusedError, match="User x cannot get it"):
        cluster.until(began + 300).read("Secret", "y")
    assert clock.now() - began <= 6
    began = clock.now()
    with pytest.raises(RefusedError):
        cluster.until(began + 300).list_objects("Event")
    assert clock.now() == began
    script.answers = [denial, FOUND]
    assert cluster.read("ConfigMap", "x") == FOUND[2], "what was allowed is still doubted"


def test_a_review_by_a_server_that_does_not_know_the_roles_yet_is_no_denial(cluster, script):
    unknown = (201, {}, {"status": {"allowed": False, "reason": ROLE_UNKNOWN}})
    script.answers = [unknown, unknown, (201, {}, {"status": {"allowed": True}})]
    assert cluster.may("list", "pods") is True
    script.answers = [unknown]
    assert cluster.may("delete", "pods") is False


def kubeconfig(folder: Path, server: str) -> Path:
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
