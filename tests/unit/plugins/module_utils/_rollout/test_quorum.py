"""When the trouble of some pods dooms a release, and when it may be that of a node."""

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._rollout.evaluate import (
    MOST_REPLACED,
    Replacement,
    find_proof,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.failures import (
    Sign,
    Suspicion,
    suspect,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Pod


def pod(uid: str, node: str = "n1", *, crashes: int = 0, **status: t.Any) -> Pod:
    """Healthy, or with a container that has ended so many times and lies there."""
    ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
    container = {"name": "c", "restartCount": max(crashes - 1, 0), "state": ended}
    statuses = [container] if crashes else []
    return Pod.from_json(
        {
            "metadata": {"name": uid, "uid": uid},
            "spec": {"nodeName": node},
            "status": {"phase": "Running", "containerStatuses": statuses, **status},
        }
    )


def crash(uid: str, node: str = "n1") -> Sign:
    return Sign(uid, "c", "CrashLoopBackOff", "exit code 1", 2, uid, node)


def missing(uid: str, node: str = "n1") -> Sign:
    return Sign(uid, "c", "ErrImagePull", "manifest unknown", 0, uid, node)


def failing(*signs: Sign) -> list[Suspicion]:
    return [*suspect(signs, suspect(signs, {}, 0.0), 60.0).values()]


FIRST, SECOND, HEALTHY = pod("a"), pod("b", "n2"), pod("h", "n3")
SERVES = pod("a", conditions=[{"type": "Ready", "status": "True"}])
FRESH = pod("f", "n2", crashes=1)
BEFORE = Replacement(failing(crash("a"))[0], frozenset({"a", "h"}))
OF_MEMORY = Replacement(failing(Sign("a", "c", "OOMKilled", "", 2, "a", "n1"))[0], BEFORE.known)


@pytest.mark.parametrize(
    ("quorum", "signs", "pods", "replaced", "finding"),
    [
        pytest.param("any", [crash("a")], [FIRST, HEALTHY], None, "proof", id="any-takes-one"),
        pytest.param("all", [crash("a")], [FIRST, HEALTHY], None, "", id="all-does-not"),
        pytest.param("all", [crash("a")], [FIRST], None, "proof", id="all-there-are"),
        pytest.param(
            "nodes", [crash("a"), crash("b", "n2")], [FIRST, SECOND, HEALTHY], None, "proof",
            id="two-pods-on-two-nodes",
        ),
        pytest.param(
            "nodes", [crash("a"), crash("b")], [FIRST, pod("b"), HEALTHY], None, "suspect",
            id="two-pods-on-one-node",
        ),
        pytest.param("nodes", [crash("a")], [FIRST], None, "suspect", id="a-lone-pod-is-replaced"),
        pytest.param("nodes", [crash("a")], [SERVES], None, "", id="but-not-while-it-serves"),
        pytest.param("nodes", [crash("a")], [FIRST], [BEFORE], "", id="and-awaited"),
        pytest.param("nodes", [], [pod("f", "n2")], [BEFORE], "", id="a-fresh-one-may-run"),
        pytest.param("nodes", [], [FRESH], [BEFORE], "proof", id="its-first-crash-elsewhere-proves"),
        pytest.param("nodes", [], [FRESH], [OF_MEMORY], "", id="one-of-another-class-does-not"),
        pytest.param("nodes", [], [FRESH, HEALTHY], [BEFORE], "", id="nor-one-beside-healthy-pods"),
        pytest.param(
            "nodes", [crash("f", "n2")], [FRESH, HEALTHY], [BEFORE], "proof",
            id="which-must-last-to-prove",
        ),
        pytest.param(
            "nodes", [], [pod("f", crashes=1)], [BEFORE], "suspect",
            id="on-the-same-node-it-is-replaced-too",
        ),
        pytest.param(
            "nodes", [crash("f")], [pod("f"), HEALTHY], [BEFORE], "suspect",
            id="also-beside-healthy-pods",
        ),
        pytest.param(
            "nodes", [], [pod("f", crashes=1)], [BEFORE] * MOST_REPLACED, "proof",
            id="but-not-for-ever",
        ),
        pytest.param(
            "nodes", [crash("f")], [pod("f"), HEALTHY], [BEFORE] * MOST_REPLACED, "",
            id="and-one-bad-node-beside-healthy-pods-dooms-nothing",
        ),
        pytest.param("nodes", [missing("a")], [FIRST, HEALTHY], None, "proof", id="no-node-did-this"),
        pytest.param("nodes", [], [FIRST], None, "", id="nothing-wrong"),
    ],
)  # fmt: skip
def test_what_proves(quorum, signs, pods, replaced, finding):
    verdict = find_proof(
        failing(*signs), pods, quorum=quorum, replaced=replaced or (), nodes={"n1", "n2", "n3"}
    )
    assert (verdict.proof is not None, verdict.suspect is not None) == (
        finding == "proof",
        finding == "suspect",
    )


def test_what_a_replica_set_says_needs_no_pods():
    quota = Sign("rs", "", "FailedCreate", "exceeded quota")
    assert find_proof(failing(quota), [], quorum="all").proof


def test_where_there_is_one_node_a_fresh_pod_on_it_proves():
    fresh = [pod("f", crashes=1)]
    verdict = find_proof([], fresh, quorum="nodes", replaced=[BEFORE], nodes={"n1"})
    assert verdict.proof
    assert verdict.proof.sign.restarts == 3  # with those of the pod before


def test_pods_that_their_node_ended_are_nobodys_witness():
    evicted = pod("e", "n2", reason="Evicted")
    assert find_proof(failing(crash("a")), [FIRST, evicted], quorum="all").proof
