# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the caller is and what it may do: whoever holds the token is the sandbox's administrator."""

from __future__ import annotations

from sandbox.kubernetes.errors import Object

USER = "easymo-deployer"
GROUPS = ["system:masters", "system:authenticated"]


def review(kind: str, api_version: str, body: Object) -> Object:
    """The answer to a self subject review: the request with its status filled in."""
    answered: Object = {"kind": kind, "apiVersion": api_version, "metadata": {}}
    if kind == "SelfSubjectReview":
        return answered | {"status": {"userInfo": {"username": USER, "groups": GROUPS}}}
    answered["spec"] = body.get("spec", {})
    if kind == "SelfSubjectRulesReview":
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        paths = {"verbs": ["*"], "nonResourceURLs": ["*"]}
        status = {"resourceRules": [everything], "nonResourceRules": [paths], "incomplete": False}
        return answered | {"status": status}
    return answered | {"status": {"allowed": True, "reason": f'"{USER}" is in system:masters'}}
