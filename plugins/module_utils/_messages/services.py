# SPDX-License-Identifier: GPL-3.0-or-later
"""PagerDuty and the status page: JSON over HTTP by requests, with their answers as our errors."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from .. import _http
from .._errors import RefusedError
from .._http import Repeat
from .._time import Deadline, format_time, now
from .models import Delivered, PagerDutyEvent, StatusPageIncident

Json = t.Any


class Service:
    """One service's API: who it is in sentences, where it is, and the header that lets us in."""

    def __init__(
        self,
        name: str,
        url: str,
        deadline: Deadline,
        *,
        authorization: str = "",
        ca_cert: str | None = None,
    ) -> None:
        self._name = name
        self._url = url.rstrip("/")
        self._deadline = deadline
        self._authorization = authorization
        self._ca_cert = ca_cert

    def ask(self, method: str, path: str, body: Json = None, *, idempotent: bool) -> Json:
        """The JSON of a good answer. Repeats only what may be repeated."""
        answer = _http.ask(
            self._name,
            method,
            f"{self._url}{path}",
            json=body,
            authorization=self._authorization,
            timeout=max(0.1, self._deadline.left()),
            ca_cert=self._ca_cert,
            repeat=Repeat(self._deadline, lost=idempotent),
        )
        check = "check the token and the names in the task"
        _http.good(answer, self._name, forbidden=check, otherwise=(RefusedError, check))
        try:
            return answer.json()
        except ValueError:
            raise RefusedError(f"{self._name} did not answer with JSON: check the URL.") from None


def send_pagerduty_event(
    event: PagerDutyEvent, deadline: Deadline, ca_cert: str | None
) -> Delivered:
    """PagerDuty itself makes repeating safe: one dedup_key, one incident."""
    body: dict[str, t.Any] = {
        "routing_key": event.routing_key,
        "event_action": event.action,
        "dedup_key": event.dedup_key,
    }
    if event.action == "trigger":
        body["payload"] = {
            "summary": event.summary,
            "source": event.source,
            "severity": event.severity,
            "custom_details": event.details,
        }
    service = Service("PagerDuty", event.url, deadline, ca_cert=ca_cert)
    answer = service.ask("POST", "/v2/enqueue", body, idempotent=True)
    known = str(answer.get("dedup_key", event.dedup_key))
    return Delivered(event.kind, event.target, id=known, action=event.action)


def send_status_page_incident(
    incident: StatusPageIncident, deadline: Deadline, ca_cert: str | None
) -> Delivered:
    """Updates the open incident of that name, if there is one; else opens it."""
    service = Service(
        "The status page",
        f"{incident.url.rstrip('/')}/pages/{incident.page_id}",
        deadline,
        authorization=f"OAuth {incident.token}",
        ca_cert=ca_cert,
    )
    wanted: dict[str, t.Any] = {
        "name": incident.name,
        "status": incident.status,
        "body": incident.body,
    }
    if incident.components:
        wanted |= {"components": incident.components, "component_ids": [*incident.components]}
    found = open_incident(service, incident)
    if found and said_already(found, incident):
        return Delivered(incident.kind, incident.target, id=str(found["id"]), changed=False)
    if found:
        path, method = f"/incidents/{found['id']}", "PATCH"
    else:
        path, method = "/incidents", "POST"
        wanted |= maintenance_times(incident)
    answer = service.ask(method, path, {"incident": wanted}, idempotent=False)
    return Delivered(incident.kind, incident.target, id=str(answer["id"]))


def maintenance_times(incident: StatusPageIncident) -> dict[str, str]:
    """A maintenance is only one with its times: without them the API takes it for an outage."""
    if not incident.maintenance:
        return {}
    begin = now()
    until = begin + timedelta(minutes=incident.minutes)
    return {"scheduled_for": format_time(begin), "scheduled_until": format_time(until)}


def open_incident(service: Service, incident: StatusPageIncident) -> dict[str, t.Any]:
    """A maintenance is listed apart from outages, and before it begins apart from what runs."""
    lists = ("active_maintenance", "scheduled") if incident.maintenance else ("unresolved",)
    for name in lists:
        listed = service.ask("GET", f"/incidents/{name}", idempotent=True)
        for found in listed if isinstance(listed, list) else []:
            if incident.name == found.get("name"):
                return dict(found)
    return {}


def said_already(found: t.Mapping[str, t.Any], incident: StatusPageIncident) -> bool:
    latest = (found.get("incident_updates") or [{}])[0]
    return (found.get("status"), latest.get("body")) == (incident.status, incident.body)
