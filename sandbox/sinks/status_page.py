# SPDX-License-Identifier: GPL-3.0-or-later
"""A status page in the shape of Statuspage's API: incidents with their updates, and components."""

from __future__ import annotations

import secrets
import typing as t

from sandbox.sinks.store import Record, Store

PAGE_ID = "easymo"
INCIDENT_STATUSES = (
    "investigating", "identified", "monitoring", "resolved",
    "scheduled", "in_progress", "verifying", "completed",
)  # fmt: skip
MAINTENANCE = ("scheduled", "in_progress", "verifying", "completed")
LISTS = {
    "unresolved": ("investigating", "identified", "monitoring"),
    "active_maintenance": ("in_progress", "verifying"),
    "scheduled": ("scheduled",),
}
COMPONENT_STATUSES = (
    "operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage",
)  # fmt: skip
COMPONENTS = {
    "cmpwhatsapp": "WhatsApp",
    "cmpagents": "AI agents",
    "cmppayments": "Payments",
    "cmpapi": "API",
}
Answer = tuple[int, t.Any]


def seed(store: Store) -> None:
    for component_id, name in COMPONENTS.items():
        if store.get("statuspage_components", component_id) is None:
            component = {"id": component_id, "name": name, "status": "operational"}
            store.put("statuspage_components", component_id, component)


def incidents(store: Store, wanted: str = "") -> Answer:
    """All of them, or those of one of LISTS: a maintenance is not among the unresolved."""
    newest_first = list(reversed(store.all("statuspage")))
    return 200, [i for i in newest_first if not wanted or i["status"] in LISTS[wanted]]


def create_incident(store: Store, body: object) -> Answer:
    wanted = part(body, "incident")
    if not wanted.get("name"):
        return 422, {"error": ["Name can't be blank"]}
    timed = wanted.get("scheduled_for") and wanted.get("scheduled_until")
    if wanted.get("status") in MAINTENANCE and not timed:
        return 422, {"error": ["Scheduled for and scheduled until can't be blank"]}
    incident: Record = {
        "id": secrets.token_hex(6),
        "name": str(wanted["name"]),
        "impact": wanted.get("impact_override") or ("maintenance" if timed else "none"),
        "scheduled_for": wanted.get("scheduled_for"),
        "scheduled_until": wanted.get("scheduled_until"),
        "created_at": store.now(),
        "incident_updates": [],
    }
    return save(store, incident, {"status": "investigating", **wanted}, 201)


def update_incident(store: Store, incident_id: str, body: object) -> Answer:
    incident = store.get("statuspage", incident_id)
    if incident is None:
        return 404, {"error": "Not found"}
    wanted = part(body, "incident")
    return save(store, {**incident, "name": wanted.get("name") or incident["name"]}, wanted, 200)


def save(store: Store, incident: Record, wanted: Record, code: int) -> Answer:
    status = wanted.get("status") or incident["status"]
    if status not in INCIDENT_STATUSES:
        return 422, {"error": [f"Status {status} is not one of {', '.join(INCIDENT_STATUSES)}"]}
    affected = wanted.get("components") or {}
    for component_id, component_status in affected.items():
        answer = update_component(store, component_id, {"component": {"status": component_status}})
        if answer[0] != 200:
            return answer
    update = {"status": status, "body": str(wanted.get("body") or ""), "created_at": store.now()}
    updates = [update, *incident["incident_updates"]]
    changed = {"status": status, "updated_at": store.now(), "incident_updates": updates}
    saved = {**incident, **changed}
    store.put("statuspage", incident["id"], saved)
    return code, saved


def components(store: Store) -> Answer:
    return 200, store.all("statuspage_components")


def update_component(store: Store, component_id: str, body: object) -> Answer:
    component = store.get("statuspage_components", component_id)
    if component is None:
        return 404, {"error": "Not found"}
    status = part(body, "component").get("status", component["status"])
    if status not in COMPONENT_STATUSES:
        return 422, {"error": [f"Status {status} is not one of {', '.join(COMPONENT_STATUSES)}"]}
    changed = {**component, "status": status}
    store.put("statuspage_components", component_id, changed)
    return 200, changed


def part(body: object, name: str) -> Record:
    inner = body.get(name) if isinstance(body, dict) else None
    return inner if isinstance(inner, dict) else {}
