# SPDX-License-Identifier: GPL-3.0-or-later
"""How the one who acts is known to others, beside the name that is typed, which is not verified.

- The account is the API server's word:
  https://kubernetes.io/docs/reference/access-authn-authz/authentication/#self-subject-review
- The place is what a machine, or the variables of its CI, say of themselves:
  https://docs.github.com/en/actions/reference/workflows-and-actions/variables and
  https://docs.gitlab.com/ci/variables/predefined_variables/
"""

from __future__ import annotations

import hashlib
import os
import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

from ._cluster import Cluster
from ._errors import InputError, VerificationError
from ._kubernetes import actor_of
from ._release.record import Act, SignOff
from ._signatures import principal_of, sign, statement


def known_as(cluster: Cluster) -> str:
    """C(ACCOUNT, PLACE), or the place alone where the API server does not name the account.

    Raises UnreachableError.
    """
    return ", ".join(filter(None, (cluster.account(), place_of(os.environ))))


def place_of(environment: t.Mapping[str, str]) -> str:
    """C(USER@HOST), or of a job of GitHub Actions or GitLab CI who began it, and its address.

    Without commas: it is what a user's environment says, and what stands before a comma is taken for the account.
    """
    return _place_in(environment).replace(",", "")


def _place_in(environment: t.Mapping[str, str]) -> str:
    ci = environment.get
    if ci("GITHUB_ACTIONS") == "true":
        run = f"{ci('GITHUB_REPOSITORY', '')}/actions/runs/{ci('GITHUB_RUN_ID', '')}"
        # Who ran it again is not who ran it first.
        actor = ci("GITHUB_TRIGGERING_ACTOR") or ci("GITHUB_ACTOR", "")
        workflow = ci("GITHUB_WORKFLOW_REF") or ci("GITHUB_REF", "")
        return _of_job(actor, f"{ci('GITHUB_SERVER_URL', '')}/{run}", workflow)
    if ci("GITLAB_CI") == "true":
        return _of_job(
            ci("GITLAB_USER_LOGIN", ""), ci("CI_JOB_URL", ""), ci("CI_COMMIT_REF_NAME", "")
        )
    return actor_of({"actor": None})


def _of_job(actor: str, url: str, of: str) -> str:
    """`of`: the workflow with its branch, or the branch."""
    return f"{actor} in {url}{of and f' of {of}'}"


CLUSTER, SSH = "cluster", "ssh"
Signed = t.TypeVar("Signed", SignOff, Act)


def account_in(known: str) -> str:
    """Of what `known_as` told, "" where the API server named none."""
    return known.rpartition(", ")[0]


AUTHORITY = "kube-root-ca.crt"
"""The ConfigMap that each namespace gets of its cluster's own authority:
https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#root-ca-configmap"""


@dataclass(frozen=True)
class Scope:
    """Where an SSH signature counts. `cluster`: a digest of its authority, of "" where it tells none."""

    release: str
    environment: str = ""
    namespace: str = ""
    cluster: str = ""


def said_by(act: SignOff | Act, scope: Scope) -> str:
    """What an SSH signature of it is over."""
    if isinstance(act, SignOff):
        names: tuple[str, ...] = ("attempt", "git_sha", "name", "what", "note")
    else:
        names = ("of_attempt", "gate", "watch", "held", "decision", "reason")
    kind = "sign-off" if isinstance(act, SignOff) else "decision"
    said = {name: getattr(act, name) for name in (*names, "by", "at", "known_as")}
    return statement(kind, **vars(scope), **said)


def signed_by_key(act: Signed, scope: Scope, key: str) -> Signed:  # noqa: UP047 - as all
    """With a signature by the key, where there is one."""
    signature = sign(said_by(act, scope), Path(key)) if key else ""
    return replace(act, signature=signature)


@dataclass(frozen=True)
class Demands:
    """What a release wants of who signs and decides, as `release_identity` has it."""

    verified: str = ""
    allowed_signers: str = ""
    checkout: str = ""
    environment: str = ""
    other_than_deployer: bool = False
    different_people: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()

    @classmethod
    def read(
        cls, given: t.Mapping[str, t.Any] | None, lines: t.Container[str] | None = None
    ) -> Demands:
        """`lines`: the sign-offs that there are. Raises InputError for a demand that nothing could verify."""
        names = {name: value for name, value in (given or {}).items() if value is not None}
        lists = {name: tuple(names.get(name) or ()) for name in ("different_people", "approvers")}
        demands = cls(**{**names, **lists})
        wanted = [name for name in ("other_than_deployer", *lists) if getattr(demands, name)]
        if wanted and not demands.verified:
            raise InputError(
                f"release_identity.{wanted[0]} needs a verified identity, for anybody may type a name: set "
                "release_identity.verified to cluster or ssh."
            )
        if demands.verified == SSH and not demands.allowed_signers:
            raise InputError(
                "release_identity.verified is ssh: name the file of who may sign in release_identity.allowed_signers."
            )
        unknown = [
            name for name in demands.different_people if lines is not None and name not in lines
        ]
        if unknown:
            raise InputError(
                f"release_identity.different_people has {unknown[0]!r}, and no line of release_sign_offs is called so: "
                "correct it."
            )
        return demands

    def scope(self, cluster: Cluster, release: str) -> Scope:
        """Where a signature must have been made to count here. Raises UnreachableError."""
        if self.verified != SSH:
            return Scope(release)
        authority = cluster.read("ConfigMap", AUTHORITY)
        text = (authority or {}).get("data", {}).get("ca.crt", "")
        digest = hashlib.sha256(text.encode()).hexdigest()
        return Scope(release, self.environment, cluster.namespace, digest)

    def person(self, act: SignOff | Act, scope: Scope) -> str:
        """Who it was; "" where that is only stated. Raises VerificationError for what is not verified."""
        if self.verified == SSH:
            allowed = Path(self.checkout) / self.allowed_signers
            return principal_of(said_by(act, scope), act.signature, allowed)
        account = account_in(act.known_as) if self.verified else ""
        if self.verified and not account:
            raise VerificationError("the API server named no account for it")
        return account

    def refuse_approver(self, act: Act, scope: Scope) -> str:
        """Raises VerificationError for somebody who may not approve; who it was otherwise."""
        person = self.person(act, scope)
        if self.approvers and person not in self.approvers:
            raise VerificationError(
                f"{person} may not approve: release_identity.approvers has {', '.join(self.approvers)}"
            )
        return person


NO_DEMANDS = Demands()


def how_verified(demands: Demands, variable: str) -> str:
    if demands.verified == SSH:
        return f"Add -e {variable}=~/.ssh/id_ed25519, or the key that {demands.allowed_signers} has of you."
    return "Let another person do it, with an account of their own."


def named(by: str, person: str, known: str = "") -> str:
    """A name with what is known of it: verified, or stated alone."""
    if person:
        return f"{by} (verified as {person})"
    return f"{by} (as stated; signed as {known})" if known else f"{by} (as stated)"
