# SPDX-License-Identifier: GPL-3.0-or-later
"""GitHub's check runs, as GitHub Actions makes them: https://docs.github.com/en/rest/checks/runs."""

from __future__ import annotations

import typing as t

from sandbox.sinks.commit_statuses import SHA, paged, unprocessable
from sandbox.sinks.store import Record, Store

COLLECTION = "github_checks"
STATUSES = ("queued", "in_progress", "completed", "waiting", "requested", "pending")
CONCLUSIONS = (
    "action_required", "cancelled", "failure", "neutral", "success", "skipped", "stale", "timed_out",
    "startup_failure",
)  # fmt: skip
"""`stale` and `startup_failure` GitHub itself gives."""


def create(store: Store, repository: str, body: object) -> tuple[int, Record]:
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
