# SPDX-License-Identifier: GPL-3.0-or-later
"""PagerDuty and a status page in the shape of Statuspage's API.

By PagerDuty's Events API v2 all events with one dedup_key make one incident:
https://developer.pagerduty.com/docs/events-api-v2. Its REST API tells who is on call by /oncalls:
https://developer.pagerduty.com/api-reference. Shifts last a week, from Monday to Monday, and are everybody's own.
"""

from __future__ import annotations

import secrets
import typing as t
from datetime import UTC, datetime, timedelta

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
    errors = []
    if len(str(event.get("routing_key") or "")) != 32:
        errors.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    action = event.get("event_action")
    if action not in ACTIONS:
        errors.append(f"'event_action' must be one of {', '.join(ACTIONS)}")
    if action in ("acknowledge", "resolve") and not event.get("dedup_key"):
        errors.append("'dedup_key' is missing or blank")
    if len(str(event.get("dedup_key") or "")) > 255:
        errors.append("Length of 'dedup_key' is incorrect (should be at most 255 characters)")
    if action == "trigger":
        payload = event.get("payload")
        payload = payload if isinstance(payload, dict) else {}
        errors += [
            f"'payload.{name}' is missing or blank"
            for name in ("summary", "source", "severity")
            if not payload.get(name)
        ]
        if payload.get("severity") and payload["severity"] not in SEVERITIES:
            errors.append("'payload.severity' is invalid (must be one of the following: 'critical', "
                         "'warning', 'error' or 'info')")  # fmt: skip
        if len(str(payload.get("summary") or "")) > 1024:
            errors.append(
                "Length of 'payload.summary' is incorrect (should be at most 1024 characters)"
            )
    return errors


def invalid(errors: list[str]) -> tuple[int, Record]:
    return 400, {"status": "invalid event", "message": "Event object is invalid", "errors": errors}


SITE = "https://easymo.pagerduty.example"
SCHEDULE = "PONCALL"
POLICY = "PRELEAS"
# By escalation level: who, and by which schedule; the manager always is.
LEVELS = (
    ("PAMINA1", "Amina Uwase", SCHEDULE),
    ("PKWAME1", "Kwame Mensah", "PBACKUP"),
    ("PWANJIR", "Wanjiru Kariuki", ""),
)
NAMES = {SCHEDULE: "On-call engineers", "PBACKUP": "Backup engineers"}
WEEK = timedelta(weeks=1)
MOST = timedelta(days=90)

Answer = tuple[int, Record]
Query = t.Any  # A multidict: names may come several times.


def on_calls(query: Query, now: datetime, *, absent: bool) -> Answer:
    """HTTP status and body for GET /oncalls. `absent`: of all shifts none is taken."""
    try:
        since, until = span(query, now)
    except ValueError as exc:
        error = {"message": "Invalid Input Provided", "code": 2001, "errors": [str(exc)]}
        return 400, {"error": error}
    wanted = query.getall("schedule_ids[]", None)
    entries: list[Record] = []
    for level, (person, name, by) in enumerate(LEVELS, 1):
        if absent or (wanted and by not in wanted):
            continue
        entry = {
            "user": reference("user", person, name),
            "escalation_policy": reference("escalation_policy", POLICY, "Releases"),
            "escalation_level": level,
            "schedule": reference("schedule", by, NAMES[by]) if by else None,
        }
        whole = shifts(since, until) if by else [{"start": None, "end": None}]
        entries += [entry | shift for shift in whole]
    return 200, {"oncalls": entries, "limit": 25, "offset": 0, "more": False, "total": None}


def span(query: Query, now: datetime) -> tuple[datetime, datetime]:
    """`since` and `until` as asked for, else this very moment."""
    since = moment(query["since"]) if "since" in query else now
    until = moment(query["until"]) if "until" in query else max(now, since)
    if until < since:
        raise ValueError("'until' must be after 'since'.")
    if until - since > MOST:
        raise ValueError("The time range cannot be longer than 90 days.")
    return since, until


def moment(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
    except ValueError as exc:
        raise ValueError(f"'{text[:40]}' is not a valid date.") from exc
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def shifts(since: datetime, until: datetime) -> list[Record]:
    """Every shift of a schedule that lies in the span, whole or in part."""
    day = since.astimezone(UTC).replace(hour=6, minute=0, second=0, microsecond=0)
    start = day - timedelta(days=day.weekday())
    if start > since:
        start -= WEEK
    weeks = []
    while start <= until:
        weeks.append({"start": stamp(start), "end": stamp(start + WEEK)})
        start += WEEK
    return weeks


def stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def reference(kind: str, name: str, summary: str) -> Record:
    plural = {"escalation_policy": "escalation_policies"}.get(kind, f"{kind}s")
    return {
        "id": name,
        "type": f"{kind}_reference",
        "summary": summary,
        "self": f"https://api.pagerduty.example/{plural}/{name}",
        "html_url": f"{SITE}/{plural}/{name}",
    }


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
PageAnswer = tuple[int, t.Any]


def seed(store: Store) -> None:
    for component_id, name in COMPONENTS.items():
        if store.get("statuspage_components", component_id) is None:
            component = {"id": component_id, "name": name, "status": "operational"}
            store.put("statuspage_components", component_id, component)


def incidents(store: Store, wanted: str = "") -> PageAnswer:
    """All of them, or those of one of LISTS: a maintenance is not among the unresolved."""
    newest_first = list(reversed(store.all("statuspage")))
    return 200, [i for i in newest_first if not wanted or i["status"] in LISTS[wanted]]


def create_incident(store: Store, body: object) -> PageAnswer:
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


def update_incident(store: Store, incident_id: str, body: object) -> PageAnswer:
    incident = store.get("statuspage", incident_id)
    if incident is None:
        return 404, {"error": "Not found"}
    wanted = part(body, "incident")
    return save(store, {**incident, "name": wanted.get("name") or incident["name"]}, wanted, 200)


def save(store: Store, incident: Record, wanted: Record, code: int) -> PageAnswer:
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


def components(store: Store) -> PageAnswer:
    return 200, store.all("statuspage_components")


def update_component(store: Store, component_id: str, body: object) -> PageAnswer:
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
