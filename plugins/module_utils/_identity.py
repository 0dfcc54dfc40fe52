# SPDX-License-Identifier: GPL-3.0-or-later
"""How the one who acts is known to others, beside the name that is typed, which is not verified.

- The account is the API server's word:
  https://kubernetes.io/docs/reference/access-authn-authz/authentication/#self-subject-review
- The place is what a machine, or the variables of its CI, say of themselves:
  https://docs.github.com/en/actions/reference/workflows-and-actions/variables and
  https://docs.gitlab.com/ci/variables/predefined_variables/
"""

from __future__ import annotations

import os
import typing as t

from ._cluster import Cluster
from ._kubernetes import actor_of


def known_as(cluster: Cluster) -> str:
    """C(ACCOUNT, PLACE), or the place alone where the API server does not name the account.

    Raises UnreachableError.
    """
    return ", ".join(filter(None, (cluster.account(), place_of(os.environ))))


def place_of(environment: t.Mapping[str, str]) -> str:
    """C(USER@HOST), or of a job of GitHub Actions or GitLab CI who began it, and its address."""
    ci = environment.get
    if ci("GITHUB_ACTIONS") == "true":
        run = f"{ci('GITHUB_REPOSITORY', '')}/actions/runs/{ci('GITHUB_RUN_ID', '')}"
        return f"{ci('GITHUB_ACTOR', '')} in {ci('GITHUB_SERVER_URL', '')}/{run}"
    if ci("GITLAB_CI") == "true":
        return f"{ci('GITLAB_USER_LOGIN', '')} in {ci('CI_JOB_URL', '')}"
    return actor_of({"actor": None})
