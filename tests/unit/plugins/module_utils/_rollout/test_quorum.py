# SPDX-License-Identifier: GPL-3.0-or-later
"""When the trouble of some pods dooms a release, and when it may be that of a node."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._rollout.failures import (
    Sign,
    Suspicion,
    suspect,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.models import Pod
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.quorum import (
    Replacement,
    find_proof,
)


def pod(uid: str, node: str = "n1", **status: t.Any) -> Pod:
    return Pod.from_json(
        {
            "metadata": {"name": uid, "uid": uid},
            "spec": {"nodeName": node},
            "status": {"phase": "Running", **status},
        }
    )


def crash(uid: str, node: str = "n1") -> Sign:
    return Sign(uid, "c", "CrashLoopBackOff", "exit code 1", 2, uid, node)


def missing(uid: str, node: str = "n1") -> Sign:
    return Sign(uid, "c", "ErrImagePull", "manifest unknown", 0, uid, node)


def doomed(*signs: Sign) -> list[Suspicion]:
    return [*suspect(signs, suspect(signs, {}, 0.0), 60.0).values()]


ONE, OTHER, HEALTHY = pod("a"), pod("b", "n2"), pod("h", "n3")
BEFORE = Replacement("a", frozenset({"a", "h"}))


@pytest.mark.parametrize(
    ("quorum", "signs", "pods", "replacement", "finding"),
    [
        pytest.param("any", [crash("a")], [ONE, HEALTHY], None, "proof", id="any-takes-one"),
        pytest.param("all", [crash("a")], [ONE, HEALTHY], None, "", id="all-does-not"),
        pytest.param("all", [crash("a")], [ONE], None, "proof", id="all-there-are"),
        pytest.param(
            "nodes", [crash("a"), crash("b", "n2")], [ONE, OTHER, HEALTHY], None, "proof",
            id="two-pods-on-two-nodes",
        ),
        pytest.param(
            "nodes", [crash("a"), crash("b")], [ONE, pod("b"), HEALTHY], None, "suspect",
            id="two-pods-on-one-node",
        ),
        pytest.param("nodes", [crash("a")], [ONE], None, "suspect", id="a-lone-pod-is-replaced"),
        pytest.param("nodes", [crash("a")], [ONE], BEFORE, "", id="and-awaited"),
        pytest.param("nodes", [crash("f")], [pod("f")], BEFORE, "proof", id="a-fresh-one-proves"),
        pytest.param(
            "nodes", [crash("f")], [pod("f"), HEALTHY], BEFORE, "",
            id="a-bad-node-beside-healthy-pods-does-not",
        ),
        pytest.param("nodes", [missing("a")], [ONE, HEALTHY], None, "proof", id="no-node-did-this"),
        pytest.param("nodes", [], [ONE], None, "", id="nothing-wrong"),
    ],
)  # fmt: skip
def test_what_proves(
    quorum: str,
    signs: list[Sign],
    pods: list[Pod],
    replacement: Replacement | None,
    finding: str,
) -> None:
    found = find_proof(doomed(*signs), pods, quorum=quorum, replacement=replacement)
    assert (found.proof is not None, found.suspect is not None) == (
        finding == "proof",
        finding == "suspect",
    )


def test_what_a_replica_set_says_needs_no_pods() -> None:
    quota = Sign("rs", "", "FailedCreate", "exceeded quota")
    assert find_proof(doomed(quota), [], quorum="all", replacement=None).proof


def test_pods_that_their_node_ended_are_nobodys_witness() -> None:
    evicted = pod("e", "n2", reason="Evicted")
    assert find_proof(doomed(crash("a")), [ONE, evicted], quorum="all", replacement=None).proof
