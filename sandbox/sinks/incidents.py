# SPDX-License-Identifier: GPL-3.0-or-later
"""PagerDuty's Events API v2: all events with one dedup_key make one incident.

https://developer.pagerduty.com/docs/events-api-v2
"""

from __future__ import annotations

import secrets
import typing as t

from sandbox.sinks.store import Record, Store

ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
STATUS = {"acknowledge": "acknowledged", "resolve": "resolved"}


def enqueue(store: Store, services: t.Mapping[str, str], event: object) -> tuple[int, Record]:
    """HTTP status and body for one event. `services`: by routing key who is paged."""
    if not isinstance(event, dict):
        return invalid(["Event object must be a JSON object"])
    errors = problems(event)
    if errors:
        return invalid(errors)
    key = event.get("dedup_key") or secrets.token_hex(16)
    # PagerDuty accepts what it will not route: an unknown key of the right length gets 202 too.
    for routing_key, service in services.items():
        if secrets.compare_digest(str(event["routing_key"]).encode(), routing_key.encode()):
            record(store, service, key, event)
    return 202, {"status": "success", "message": "Event processed", "dedup_key": key}


def record(store: Store, service: str, key: str, event: t.Mapping[str, t.Any]) -> None:
    action, payload = event["event_action"], event.get("payload") or {}
    line = {"at": store.now(), "action": action, "summary": payload.get("summary", "")}
    incident = store.get("pagerduty", key)
    if incident is None or incident["status"] == "resolved":
        if action != "trigger":
            return
        before = (incident or {}).get("log", [])
        incident = {
            "dedup_key": key, "service": service, "status": "triggered", "log": before
        }  # fmt: skip
    incident = {**incident, "log": [*incident["log"], line]}
    if action == "trigger":
        wanted = ("summary", "source", "severity", "custom_details")
        incident |= {name: payload.get(name) for name in wanted}
    else:
        incident["status"] = STATUS[action]
    store.put("pagerduty", key, incident)


def problems(event: t.Mapping[str, t.Any]) -> list[str]:
    found = []
    if len(str(event.get("routing_key") or "")) != 32:
        found.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    action = event.get("event_action")
    if action not in ACTIONS:
        found.append(f"'event_action' must be one of {', '.join(ACTIONS)}")
    if action in ("acknowledge", "resolve") and not event.get("dedup_key"):
        found.append("'dedup_key' is missing or blank")
    if len(str(event.get("dedup_key") or "")) > 255:
        found.append("Length of 'dedup_key' is incorrect (should be at most 255 characters)")
    if action == "trigger":
        payload = event.get("payload")
        payload = payload if isinstance(payload, dict) else {}
        found += [
            f"'payload.{name}' is missing or blank"
            for name in ("summary", "source", "severity")
            if not payload.get(name)
        ]
        if payload.get("severity") and payload["severity"] not in SEVERITIES:
            found.append("'payload.severity' is invalid (must be one of the following: 'critical', "
                         "'warning', 'error' or 'info')")  # fmt: skip
        if len(str(payload.get("summary") or "")) > 1024:
            found.append(
                "Length of 'payload.summary' is incorrect (should be at most 1024 characters)"
            )
    return found


def invalid(errors: list[str]) -> tuple[int, Record]:
    return 400, {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
