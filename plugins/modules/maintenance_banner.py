#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: maintenance_banner
short_description: Show a banner on the admin dashboard, or take it down
version_added: 0.2.0
description:
  - Reads which banner is shown, puts the wanted one in its place or takes it down, and reads it again.
  - There is one banner. A shown banner of another person is replaced or taken down too.
  - An API that stumbles is asked again until O(wait_timeout). Redirects are not followed, and certificates are always
    verified.
extends_documentation_fragment:
  - easymo.deploy._module.changes_in_controller
  - easymo.deploy._libraries.requests
options:
  url:
    description: URL of the banner. It answers C(GET) with C({"banner":) its message and type or C(null}).
    type: str
    required: true
  token:
    description: Bearer token of the admin API.
    type: str
    required: true
  state:
    description: Whether a banner is shown.
    type: str
    choices: [present, absent]
    default: present
  text:
    description: What it says, in at most 500 characters. Needed for O(state=present).
    type: str
  type:
    description: How it looks.
    type: str
    choices: [info, success, warning, error]
    default: info
  wait_timeout:
    description: Seconds for which an API that stumbles is asked again, all requests together.
    type: float
    default: 15
"""

EXAMPLES = r"""
- name: Tell the dashboard's users of the upgrade
  easymo.deploy.maintenance_banner:
    url: https://api.easymo.com/admin/banner
    token: "{{ secret_admin_token }}"
    text: System upgrade in progress. Service uninterrupted.
"""

RETURN = r"""
banner:
  description: The banner that is shown afterwards. Empty for none.
  returned: success
  type: dict
"""

import functools
import typing as t

from ..module_utils._errors import InputError, RefusedError, VerificationError
from ..module_utils._http import REQUESTS, Answer, Repeat, ask, bearer, good, without_query
from ..module_utils._module import Module, documented, execute, refuse_below
from ..module_utils._time import Deadline

LONGEST = 500
"""Characters: what fits on the dashboard."""
Banner = dict[str, str]
"""Its message and type; empty for none."""

module_spec = documented(
    DOCUMENTATION, needs=(REQUESTS,), required_if=[("state", "present", ("text",))]
)


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, wait_timeout=0.1)
    wanted = wanted_banner(params["state"], params["text"], params["type"])
    where = f"The admin API at {without_query(params['url'])}"
    call = functools.partial(call_api, where, params, Deadline(params["wait_timeout"]))
    before = shown_in(call("GET"), where)
    changed = before != wanted
    if changed and not module.check_mode:
        call("POST", json=wanted) if wanted else call("DELETE")
        if shown_in(call("GET"), where) != wanted:
            raise VerificationError(
                "The admin API accepted the banner but shows another: somebody else changes it, "
                "or it does not store it."
            )
    return {"changed": changed, "banner": wanted, "diff": {"before": before, "after": wanted}}


def wanted_banner(state: str, message: str | None, kind: str) -> Banner:
    if state == "absent":
        return {}
    text = (message or "").strip()
    if not text or len(text) > LONGEST:
        raise InputError(
            f"'text' has {len(text)} characters: a banner needs from 1 to {LONGEST} of them."
        )
    return {"message": text, "type": kind}


def shown_in(answer: Answer, where: str) -> Banner:
    try:
        shown = answer.json()["banner"]
        return (
            {"message": str(shown["message"]).strip(), "type": str(shown["type"])} if shown else {}
        )
    except (ValueError, LookupError, TypeError) as exc:
        raise VerificationError(
            f"{where} does not say which banner is shown: check the URL."
        ) from exc


def call_api(
    where: str, params: t.Mapping[str, t.Any], deadline: Deadline, method: str, **more: t.Any
) -> Answer:
    """The one place that talks to the admin API about its banner. Every call may be repeated."""
    answer = ask(
        where,
        method,
        params["url"],
        authorization=bearer(params["token"]),
        timeout=max(0.1, deadline.left()),
        repeat=Repeat(deadline),
        **more,
    )
    return good(
        answer,
        where,
        forbidden="correct 'token'",
        otherwise=(RefusedError, "correct 'url' or the banner"),
        secret=params["token"],
    )


def main() -> None:
    execute(module_spec, run)


if __name__ == "__main__":
    main()
