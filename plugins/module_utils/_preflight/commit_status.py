# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether CI passed on the commit, as GitHub's check runs and commit statuses tell.

Their states: https://docs.github.com/en/rest/checks/runs and https://docs.github.com/en/rest/commits/statuses.
"""

from __future__ import annotations

import typing as t

from .._errors import VerificationError
from .._http import REQUESTS, bearer
from .http import get_json
from .models import Finding, Ground, Kind, Options, failed, held, passed
from .options import names, service

_PAGE = 100
_PAGES = 10
_BAD = frozenset({"failure", "error", "timed_out", "startup_failure"})
_LEFT_OUT = frozenset({"skipped", "neutral"})
_WORDS = {
    "cancelled": "was cancelled",
    "stale": "was abandoned by GitHub",
    "action_required": "waits for a person",
    "skipped": "was skipped",
    "neutral": "says neither yes nor no",
}
"""Of states that are no failure and no success. All others are on their way."""


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    commit = ground.known_commit()
    states = worst(_told(options, ground, commit))
    return [judge(states, options["contexts"], options["ignore"], commit)]


def worst(told: t.Iterable[tuple[str, str]]) -> dict[str, str]:
    """The state that counts of each name: several apps, workflows and a status may share one, and all must be good."""
    found: dict[str, str] = {}
    for name, state in told:
        found[name] = max(found.get(name, state), state, key=_rank)
    return found


def _rank(state: str) -> int:
    if state in _BAD:
        return 3
    if state == "success":
        return 1
    return 0 if state in _LEFT_OUT else 2


def judge(
    states: t.Mapping[str, str], wanted: t.Sequence[str], ignored: t.Sequence[str], commit: str
) -> Finding:
    """`states` by name: GitHub's conclusion of a check run, its status until there is one, or the state of a status.

    What was skipped or is neutral is as good as nothing: not in the way, but where it is wanted it proves nothing.
    """
    counted = {name: state for name, state in states.items() if name not in ignored}
    bad = sorted(name for name, state in counted.items() if state in _BAD)
    if bad:
        return failed(f"{', '.join(bad)} failed on {commit[:12]}: fix it, and tag a passing commit")
    doubtful = {
        name: _WORDS.get(state, "is not done")
        for name, state in sorted(counted.items())
        if _rank(state) == 2 or (state in _LEFT_OUT and name in wanted)
    }
    parts = [
        f"{', '.join(name for name, said in doubtful.items() if said == words)} {words}"
        for words in dict.fromkeys(doubtful.values())
    ]
    if missing := sorted(set(wanted) - set(counted)):
        parts.append(f"no status of {', '.join(missing)}")
    if parts:
        return held(f"{'; '.join(parts)} on {commit[:12]}: wait for CI, or start it")
    done = sorted(name for name, state in counted.items() if state == "success")
    if not done:
        return held(f"GitHub has no success of {commit[:12]}: check that CI ran on it")
    left_out = sorted(set(counted) - set(done))
    more = f"; skipped or neutral: {', '.join(left_out)}" if left_out else ""
    return passed(f"{', '.join(done)} passed on {commit[:12]}{more}")


def _check_run(run: t.Mapping[str, t.Any]) -> tuple[str, str]:
    return str(run["name"]), str(run["conclusion"] or run["status"])


def _status(status: t.Mapping[str, t.Any]) -> tuple[str, str]:
    return str(status["context"]), str(status["state"])


_LISTS = (("check-runs", "check_runs", _check_run), ("status", "statuses", _status))
"""Both give only the newest: of each suite, and of each context."""


def _told(options: Options, ground: Ground, commit: str) -> t.Iterator[tuple[str, str]]:
    """Name and state of each, of every page of both lists."""
    url = f"{options['api_url'].rstrip('/')}/repos/{options['repository']}/commits/{commit}"
    for path, listed, read in _LISTS:
        seen = 0
        for page in range(1, _PAGES + 1):
            answer = get_json(
                "GitHub",
                f"{url}/{path}",
                timeout=ground.timeout,
                authorization=bearer(options["token"]),
                ca_cert=options["ca_cert"],
                params=[("per_page", str(_PAGE)), ("page", str(page))],
            )
            try:
                entries = [read(one) for one in answer[listed]]
                total = int(answer["total_count"])
            except (KeyError, TypeError, ValueError):
                raise VerificationError(
                    f"GitHub's answer has no {listed}: check 'api_url', which ends in /api/v3 on a server of your own."
                ) from None
            yield from entries
            seen += len(entries)
            if seen >= total or not entries:
                break


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
