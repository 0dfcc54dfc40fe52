# SPDX-License-Identifier: GPL-3.0-or-later
"""GitHub's commit statuses and check runs.

Of many statuses set for one commit, the newest of each context counts. Check runs are as GitHub Actions makes them:
https://docs.github.com/en/rest/checks/runs.
"""

from __future__ import annotations

import re
import typing as t

from sandbox.sinks.store import Record, Store

STATES = ("error", "failure", "pending", "success")
SHA = re.compile(r"[0-9a-f]{40}")


def create_status(store: Store, repository: str, sha: str, body: object) -> tuple[int, Record]:
    if not isinstance(body, dict) or body.get("state") not in STATES:
        return unprocessable("state", "invalid")
    if not SHA.fullmatch(sha):
        return unprocessable("sha", "No commit found for SHA: " + sha[:64])
    if len(str(body.get("description") or "")) > 140:
        return unprocessable("description", "description is too long (maximum is 140 characters)")
    tick = store.tick()
    status = {
        "id": tick,
        "state": body["state"],
        "context": str(body.get("context") or "default"),
        "description": body.get("description"),
        "target_url": body.get("target_url"),
        "created_at": store.now(),
        "creator": {"login": "easymo-deployer"},
    }
    store.put("github", str(tick), {**status, "repository": repository, "sha": sha})
    return 201, status


def combined(
    store: Store, repository: str, sha: str, query: t.Mapping[str, str]
) -> tuple[int, Record]:
    """The newest status of each context, and what they add up to."""
    newest: dict[str, Record] = {}
    for status in store.all("github"):
        if (status["repository"], status["sha"]) == (repository, sha):
            newest[status["context"]] = status
    states = {status["state"] for status in newest.values()}
    return 200, {
        "state": total(states),
        "sha": sha,
        "total_count": len(newest),
        "statuses": paged(list(newest.values()), query),
        "repository": {"full_name": repository},
    }


def paged(entries: t.Sequence[Record], query: t.Mapping[str, str]) -> list[Record]:
    """https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api: 30 a page, at most 100."""
    size = min(100, max(1, _number(query.get("per_page"), 30)))
    begin = (max(1, _number(query.get("page"), 1)) - 1) * size
    return list(entries[begin : begin + size])


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() else otherwise


def total(states: t.Collection[str]) -> str:
    if {"error", "failure"} & set(states):
        return "failure"
    return "success" if states and set(states) == {"success"} else "pending"


def unprocessable(field: str, code: str) -> tuple[int, Record]:
    errors = [{"resource": "Status", "field": field, "code": code}]
    return 422, {"message": "Validation Failed", "errors": errors}


COLLECTION = "github_checks"
STATUSES = ("queued", "in_progress", "completed", "waiting", "requested", "pending")
CONCLUSIONS = (
    "action_required", "cancelled", "failure", "neutral", "success", "skipped", "stale", "timed_out",
    "startup_failure",
)  # fmt: skip
"""`stale` and `startup_failure` GitHub itself gives."""


def create_run(store: Store, repository: str, body: object) -> tuple[int, Record]:
    """Real GitHub lets apps alone create them; here the deployer's token stands for GitHub Actions."""
    if not isinstance(body, dict) or not body.get("name"):
        return unprocessable("name", "missing_field")
    if not SHA.fullmatch(str(body.get("head_sha"))):
        return unprocessable(
            "head_sha", f"No commit found for SHA: {str(body.get('head_sha'))[:64]}"
        )
    conclusion = body.get("conclusion")
    # A conclusion completes the run.
    status = "completed" if conclusion else body.get("status") or "queued"
    if status not in STATUSES or (status == "completed") != (conclusion in CONCLUSIONS):
        return unprocessable("conclusion", "invalid")
    tick = store.tick()
    run = {
        "id": tick,
        "head_sha": body["head_sha"],
        "name": str(body["name"]),
        "status": status,
        "conclusion": conclusion,
        "started_at": store.now(),
        "completed_at": store.now() if conclusion else None,
        "details_url": body.get("details_url"),
        "output": {
            "title": None,
            "summary": None,
            "annotations_count": 0,
            **(body.get("output") or {}),
        },
        "check_suite": {"id": int(body.get("check_suite") or 1)},
        "app": {"slug": "github-actions", "name": "GitHub Actions"},
    }
    store.put(COLLECTION, str(tick), {**run, "repository": repository})
    return 201, run


def listed(
    store: Store, repository: str, sha: str, query: t.Mapping[str, str]
) -> tuple[int, Record]:
    """By `filter`, latest unless it says all: the newest of each name in a suite. Newest first, in pages."""
    runs = [
        run
        for run in store.all(COLLECTION)
        if (run["repository"], run["head_sha"]) == (repository, sha)
        and query.get("check_name") in (None, run["name"])
        and query.get("status") in (None, run["status"])
    ]
    if query.get("filter", "latest") == "latest":
        runs = list({(run["check_suite"]["id"], run["name"]): run for run in runs}.values())
    runs.reverse()
    return 200, {"total_count": len(runs), "check_runs": paged(runs, query)}
