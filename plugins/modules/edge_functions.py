#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: edge_functions
short_description: Deploy Supabase edge functions, all or none, and set their secrets
version_added: 0.1.0
description:
  - Uploads what the Supabase CLI would upload for the same checkout, bundles every function first, activates all
    of them with one call and reads the list back. When one does not bundle, none is activated.
  - Functions whose sources and settings are what runs already are not uploaded.
  - What an import only seems to need because a comment says so is not uploaded, and what an import needs and is not
    there is an error. The CLI uploads the one and passes over the other.
  - With O(release) saves what runs before it is replaced, and deploys it again. The Management API itself keeps no
    versions. Nothing is activated that another deployed meanwhile.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._action_groups.s3_and_supabase
  - easymo.deploy._lock.fence_elsewhere
  - easymo.deploy._supabase
  - easymo.deploy._s3
  - easymo.deploy._libraries.boto3
  - easymo.deploy._libraries.requests
requirements:
  - boto3, only with O(bucket)
  - kubernetes, only with O(fence) or O(release)
options:
  state:
    description:
      - V(deployed) deploys O(names) from O(directory).
      - V(restored) deploys what O(release) replaced, and deletes the functions that it created. Where it replaced
        nothing, nothing is done.
      - V(configured) sets O(secrets), and leaves the functions as they are.
    type: str
    choices: [deployed, restored, configured]
    default: deployed
  secrets:
    description:
      - Secrets of the project, which are the environment variables of its functions. Needed by O(state=configured).
      - The API tells digests in place of values. A secret is set when its digest is not the SHA-256 of the value given.
      - No value is ever shown, nor its digest.
    type: dict
    suboptions:
      values:
        description: The secrets to set, by name.
        type: dict
        default: {}
  directory:
    description: The folder C(supabase/functions) of the application's checkout. Needed by V(deployed).
    type: path
  names:
    description:
      - The functions. Without it V(deployed) takes every folder of O(directory) with an C(index.ts), and every function
        of C(config.toml).
      - A name that Supabase does not allow is refused instead of passed over.
      - A function that C(config.toml) switches off with C(enabled) is passed over, as the CLI does.
    type: list
    elements: str
  verify_jwt:
    description:
      - Whether the gateway asks callers of these functions for a JWT. Read back after each deployment.
      - Without it C(config.toml) decides, then what runs now, then the platform's default, which is V(true).
    type: bool
  verify_jwt_by_name:
    description: The same for single functions, above O(verify_jwt).
    type: dict
    default: {}
  required_secrets:
    description: Names of secrets that the functions need. Nothing is uploaded when the project lacks one.
    type: list
    elements: str
    default: []
  prune:
    description:
      - Whether V(deployed) deletes active functions of the project that are not among O(names).
      - Only those that O(release) deployed, and those of O(force).
    type: bool
    default: false
  force:
    description:
      - Functions that O(prune) may delete although O(release) did not deploy them.
      - Functions that V(restored) takes back although somebody deployed them since.
    type: list
    elements: str
    default: []
  release:
    description:
      - The release whose record keeps the sources that run before, in an attachment and in O(bucket), and the versions
        that are known. Begun where there is none. Needs O(kubernetes).
      - The record names what runs, and what will run, before anything is activated. So a run that was killed is
        finished by the next one, or taken back.
      - Sources of functions that still run as known are not downloaded. With V(restored) a function that runs neither
        what is known nor what was saved was deployed by somebody else since, and is left alone.
      - Without it there is no rollback. Needed by O(state=restored).
    type: str
  bucket:
    description:
      - A bucket of S3, in which O(release) keeps the sources too, under a name made of their content. Above 900 kB they
        are in it alone.
    type: str
    required: false
  kubernetes:
    description: The cluster of the deploy lock and of the release record. Needed with O(fence) and O(release).
"""

EXAMPLES = r"""
- name: Deploy two functions
  easymo.deploy.edge_functions:
    project_ref: abcdefghijklmnopqrst
    access_token: "{{ supabase_access_token }}"
    directory: /srv/app/supabase/functions
    names: [webhook, health]
    verify_jwt: false
    required_secrets: [WEBHOOK_SECRET, WEBHOOK_TOKEN]
    release: 2.0.0
    kubernetes: {namespace: shop-prod}

- name: Go back
  easymo.deploy.edge_functions:
    project_ref: abcdefghijklmnopqrst
    access_token: "{{ supabase_access_token }}"
    state: restored
    release: 2.0.0
    kubernetes: {namespace: shop-prod}

- name: Set what the webhook needs
  easymo.deploy.edge_functions:
    project_ref: abcdefghijklmnopqrst
    access_token: "{{ supabase_access_token }}"
    state: configured
    secrets:
      values:
        WEBHOOK_SECRET: "{{ webhook_secret }}"
        WEBHOOK_TOKEN: "{{ webhook_token }}"
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be, to each function that is not as asked for.
  returned: success, except with O(state=configured)
  type: list
  elements: dict
  contains:
    slug: {description: The function., type: str, sample: webhook}
    kind: {description: "V(new), V(changed) or V(deleted).", type: str, sample: changed}
    files: {description: Files that differ., type: list, elements: str, sample: [index.ts, ../_shared/version.ts]}
    settings: {description: Settings that differ., type: list, elements: str, sample: [verify_jwt]}
set:
  description: Names of secrets that were set, or in check mode would be.
  returned: success, with O(state=configured)
  type: list
  elements: str
  sample: [WEBHOOK_SECRET]
unchanged:
  description: Functions, or with O(state=configured) names of secrets, that are as asked for.
  returned: success
  type: list
  elements: str
  sample: [health]
extra:
  description: Active functions of the project that were not asked for, and that stay.
  returned: success, except with O(state=configured)
  type: list
  elements: str
  sample: [old-webhook]
restored:
  description: Whether the sources are those from before the release.
  returned: with O(state=restored), when something was saved
  type: bool
kept:
  description: Functions that V(restored) left alone, for somebody deployed them since the release.
  returned: success, except with O(state=configured)
  type: list
  elements: str
turned:
  description: Functions that are changed only because somebody turned their JWT switch since they were deployed.
  returned: success, except with O(state=configured)
  type: list
  elements: str
disabled:
  description: Functions that C(config.toml) switches off.
  returned: success, with V(deployed)
  type: list
  elements: str
functions:
  description: The deployed functions as the API listed them afterwards, by name.
  returned: success, except with O(state=configured)
  type: dict
  sample: {webhook: {version: 7, verify_jwt: false}}
activated:
  description: Whether this task activated anything. After a failure V(true) means that new functions run, or may run.
  returned: success except with O(state=configured), and when activation failed
  type: bool
saved:
  description: Where O(release) has what ran before, as its record says. C(attachment) or C(key) is empty for none.
  returned: when something was saved
  type: dict
  sample:
    attachment: functions-9f86d081
    key: v2-migration/functions/2.0.0/9f86d081884c7d65.json
"""

import contextlib
import functools
import typing as t
from pathlib import Path

from ..module_utils import _s3
from ..module_utils._arguments import options_or_refusal
from ..module_utils._cluster import Cluster, MonotonicClock
from ..module_utils._errors import InputError, refuse_missing
from ..module_utils._functions.api import SupabaseFunctionsApi, apply_secrets, plan_secrets
from ..module_utils._functions.archive import FunctionsMemory, FunctionsRecord
from ..module_utils._functions.collect import (
    Collected,
    FolderCheckout,
    collect_functions,
)
from ..module_utils._functions.task import FunctionsTask
from ..module_utils._http import REQUESTS
from ..module_utils._kubernetes import cluster_elsewhere
from ..module_utils._lock.apply import Check, lock_check
from ..module_utils._lock.models import FrozenError
from ..module_utils._module import Module, documented, emit_progress, execute
from ..module_utils._release.store import ReleaseStore

module_spec = documented(
    DOCUMENTATION,
    needs=(REQUESTS,),
    required_if=[
        ("state", "deployed", ["directory"]),
        ("state", "restored", ["release"]),
        ("state", "configured", ["secrets"]),
    ],
    no_log=["secrets.values"],
    required_by={"release": ["kubernetes"]},
)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    if params["state"] == "configured":
        return configure(module)
    collected = _collect(params) if params["state"] == "deployed" else None
    cluster = cluster_elsewhere(module) if params["release"] else None
    check_lock = _lock_check(module, cluster)
    record = _record(params, cluster, check_lock) if cluster else None
    task = FunctionsTask(
        SupabaseFunctionsApi(params),
        record or FunctionsMemory(),
        check_lock=check_lock,
        report=functools.partial(emit_progress, module),
        check_mode=module.check_mode,
        diff=module._diff,
        required_secrets=tuple(params["required_secrets"]),
        prune=params["prune"],
        force=tuple(params["force"]),
    )
    if collected is not None:
        result = task.deploy(collected)
    else:
        # Without a release the options were refused.
        result = task.restore(t.cast("FunctionsRecord", record).before())
    _warn(module, result)
    return result


def configure(module: Module) -> dict[str, t.Any]:
    values, api = module.params["secrets"]["values"], SupabaseFunctionsApi(module.params)
    plan = plan_secrets(api.secrets(), values)
    given = {name: values[name] for name in plan}
    if given and not module.check_mode and not apply_secrets(given, api):
        module.warn(
            "The API's digests are not the SHA-256 of the values that were set: changes cannot "
            "be detected."
        )
    unchanged = sorted({*values} - {*plan})
    result = {"changed": bool(plan), "set": list(plan), "unchanged": unchanged}
    if module._diff:
        # Names alone: even the digest of a short secret would give it away.
        before = {name: "set" for name, kind in plan.items() if kind == "changed"}
        after = {name: "set to another value" if name in before else "set" for name in plan}
        result["diff"] = {"before": before, "after": after}
    return result


def _lock_check(module: Module, cluster: Cluster | None) -> Check:
    """A freeze stops the work, not its rollback."""
    check = lock_check(module, cluster=cluster)
    if module.params["state"] != "restored":
        return check

    def check_lock_alone() -> None:
        with contextlib.suppress(FrozenError):
            check()

    return check_lock_alone


def _record(params: t.Mapping[str, t.Any], cluster: Cluster, check_lock: Check) -> FunctionsRecord:
    return FunctionsRecord(
        ReleaseStore(cluster, params["release"], clock=MonotonicClock()),
        "edge_functions",
        functools.partial(_bucket, params),
        f"{params['prefix']}functions/{params['release']}/",
        fence=params["fence"],
        check_lock=check_lock,
    )


def _collect(params: t.Mapping[str, t.Any]) -> Collected:
    directory = Path(params["directory"]).absolute()
    if not directory.is_dir():
        raise InputError(f"There is no folder {directory}: use the checkout's supabase/functions.")
    root = directory.parents[1]
    given = params["verify_jwt_by_name"]
    policies = options_or_refusal({slug: {"type": "bool"} for slug in given}, given)
    options = {**params, "verify_jwt_by_name": policies}
    return collect_functions(FolderCheckout(root), directory.relative_to(root).as_posix(), options)


def _bucket(params: t.Mapping[str, t.Any]) -> _s3.S3Bucket | None:
    if not params["bucket"]:
        return None
    refuse_missing([_s3.BOTO3])
    return _s3.S3Bucket.from_params(params)


def _warn(module: Module, result: dict[str, t.Any]) -> None:
    for slug in result["turned"]:
        module.warn(f"Somebody turned the JWT switch of {slug} since it was deployed; it is reset.")
    for slug in result["kept"]:
        module.warn(
            f"{slug} was deployed by somebody else since the release, so it is left alone. Add "
            "it to 'force' to restore it anyway."
        )
    for slug in result.get("disabled", ()):
        module.warn(f"{slug} is not deployed: config.toml has enabled = false.")


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
