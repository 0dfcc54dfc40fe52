# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether CI passed on the commit, as GitHub's combined status tells."""

from __future__ import annotations

import typing as t

from .._errors import VerificationError
from .._http import REQUESTS, bearer
from .http import get_json
from .models import Finding, Ground, Kind, Options, failed, held, passed
from .options import names, service

_PAGE = 100
_PAGES = 10


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    commit = ground.known_commit()
    states = dict(_statuses(options, ground, commit))
    return [judge(states, options["contexts"], options["ignore"], commit)]


def judge(
    states: t.Mapping[str, str], wanted: t.Sequence[str], ignored: t.Sequence[str], commit: str
) -> Finding:
    """`states` is success, pending, failure or error by context."""
    counted = {name: state for name, state in states.items() if name not in ignored}
    bad = sorted(name for name, state in counted.items() if state in ("failure", "error"))
    if bad:
        return failed(f"{', '.join(bad)} failed on {commit[:12]}: fix it, and tag a passing commit")
    missing = sorted(set(wanted) - set(counted))
    waiting = sorted(name for name, state in counted.items() if state != "success")
    if missing or waiting:
        parts = [f"{', '.join(waiting)} is not done"] if waiting else []
        parts += [f"no status of {', '.join(missing)}"] if missing else []
        return held(f"{'; '.join(parts)} on {commit[:12]}: wait for CI, or start it")
    if not counted:
        return held(f"GitHub has no status of {commit[:12]}: check that CI ran on it")
    return passed(f"{', '.join(sorted(counted))} passed on {commit[:12]}")


def _statuses(options: Options, ground: Ground, commit: str) -> t.Iterator[tuple[str, str]]:
    """GitHub itself gives the newest of each context."""
    url = f"{options['api_url'].rstrip('/')}/repos/{options['repository']}/commits/{commit}/status"
    seen = 0
    for page in range(1, _PAGES + 1):
        answer = get_json(
            "GitHub",
            url,
            timeout=ground.timeout,
            authorization=bearer(options["token"]),
            ca_cert=options["ca_cert"],
            params=[("per_page", str(_PAGE)), ("page", str(page))],
        )
        try:
            statuses = [(str(one["context"]), str(one["state"])) for one in answer["statuses"]]
            total = int(answer["total_count"])
        except (KeyError, TypeError, ValueError):
            raise VerificationError(
                "GitHub's answer is no combined status: check 'api_url'."
            ) from None
        yield from statuses
        seen += len(statuses)
        if seen >= total or not statuses:
            return


KIND = Kind(
    look,
    {
        **service("https://api.github.com"),
        "repository": {"type": "str", "required": True},
        "contexts": names(),
        "ignore": names(),
    },
    (REQUESTS,),
)
