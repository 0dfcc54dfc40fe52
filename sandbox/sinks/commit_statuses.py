# SPDX-License-Identifier: GPL-3.0-or-later
"""GitHub's commit statuses: of many set for one commit, the newest of each context counts."""

from __future__ import annotations

import re
import typing as t

from sandbox.sinks.store import Record, Store

STATES = ("error", "failure", "pending", "success")
SHA = re.compile(r"[0-9a-f]{40}")


def create(store: Store, repository: str, sha: str, body: object) -> tuple[int, Record]:
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
