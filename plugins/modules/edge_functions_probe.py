#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: edge_functions_probe
short_description: Call edge functions to see whether they answer
version_added: 0.2.0
description:
  - What the Management API lists as C(ACTIVE) need not answer. This calls each function as anybody would, with no JWT.
  - By itself a function passes when it answers anything of its own below 500. It fails when the platform answers in its
    place, for example with C(NOT_FOUND) or C(NOT_FOUND_FUNCTION_BLOB), and when the gateway asks for a JWT.
  - One that fails is called again until O(wait_timeout) is over.
extends_documentation_fragment:
  - easymo.deploy._module.reads_in_controller
  - easymo.deploy._libraries.requests
options:
  functions_url:
    description: URL below which the functions are reached. Of a project it ends in C(.supabase.co/functions/v1).
    type: str
    required: true
  names:
    description: The functions to call.
    type: list
    elements: str
    required: true
  probes:
    description:
      - How to call functions that need more than a C(GET), by name.
      - Each takes C(path) below the function, C(method), C(status) as a list of the statuses that pass, and C(skip) for
        a function that must not be called.
    type: dict
    default: {}
  version:
    description: The version that a function must tell, where its answer is a JSON object with C(version).
    type: str
  ca_cert:
    description: File with the certificate authorities that may have signed the gateway's certificate.
    type: path
  request_timeout:
    description: Seconds to wait for the answer to one request.
    type: int
    default: 10
  wait_timeout:
    description: Seconds to wait at most until every function passes, measured on a monotonic clock.
    type: int
    default: 30
  wait_sleep:
    description: Seconds between two looks.
    type: float
    default: 1.0
"""

EXAMPLES = r"""
- name: Call every function
  easymo.deploy.edge_functions_probe:
    functions_url: https://abcdefghijklmnopqrst.supabase.co/functions/v1
    names: [webhook, admin-agents, health]
    version: 2.0.0
    probes:
      webhook: {path: /_health, status: [200]}
      admin-agents: {status: [401]}
"""

RETURN = r"""
probes:
  description: The last answer of each function, in the order of O(names).
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: The function., type: str, sample: webhook}
    passed: {description: Whether it is well., type: bool, sample: true}
    detail: {description: "What is wrong, empty when nothing is.", type: str, sample: ""}
    status: {description: "The HTTP status, 0 without an answer.", type: int, sample: 200}
    seconds: {description: How long the answer took., type: float, sample: 0.012}
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: VerificationFailed
"""

import typing as t

from ..module_utils._documentation import documented
from ..module_utils._errors import InputError, VerificationError
from ..module_utils._functions.log import FunctionProbe, HttpGateway, probe_all
from ..module_utils._http import REQUESTS
from ..module_utils._module import Module, execute

NEEDS = (REQUESTS,)

METHODS = ("GET", "HEAD", "OPTIONS", "POST")


module_spec = documented(DOCUMENTATION)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    gateway = HttpGateway(
        params["functions_url"], ca_cert=params["ca_cert"], timeout=params["request_timeout"]
    )
    outcomes = probe_all(
        _probes(params), gateway, timeout=params["wait_timeout"], pause=params["wait_sleep"]
    )
    told = [outcome.to_result() for outcome in outcomes]
    failed = [outcome for outcome in outcomes if outcome.problem]
    if failed:
        problems = "; ".join(f"{outcome.slug}: {outcome.problem}" for outcome in failed)
        raise VerificationError(
            f"{len(failed)} of {len(outcomes)} functions below {params['functions_url']} fail "
            "their probes: "
            f"{problems}. Check their logs.",
            functions=[outcome.slug for outcome in failed],
            probes=told,
        )
    return {"changed": False, "probes": told}


def _probes(params: t.Mapping[str, t.Any]) -> list[FunctionProbe]:
    special: dict[str, t.Any] = params["probes"]
    unknown = sorted({*special} - {*params["names"]})
    if unknown:
        raise InputError(
            f"'probes' names {', '.join(unknown)}, which 'names' does not: correct it."
        )
    made = [
        _probe(name, special.get(name) or {}, params["version"] or "") for name in params["names"]
    ]
    return [probe for probe in made if probe]


def _probe(slug: str, given: t.Any, version: str) -> FunctionProbe | None:
    allowed = {"path", "method", "status", "skip"}
    if not isinstance(given, dict) or {*given} - allowed:
        raise InputError(f"The probe of {slug} takes {', '.join(sorted(allowed))}: correct it.")
    if given.get("skip"):
        return None
    method = str(given.get("method", "GET")).upper()
    if method not in METHODS:
        raise InputError(
            f"The probe of {slug} has method {method!r}: it is one of {', '.join(METHODS)}."
        )
    try:
        status = tuple(int(each) for each in given.get("status", ()))
    except (TypeError, ValueError) as exc:
        raise InputError(f"The probe of {slug} has a 'status' that is no list of numbers.") from exc
    return FunctionProbe(slug, method, str(given.get("path", "")), status, version)


def main() -> None:
    execute(module_spec, run, needs=NEEDS)


if __name__ == "__main__":
    main()
