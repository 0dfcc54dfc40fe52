# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""PagerDuty and the status page: JSON over HTTP by requests, with their answers as our errors."""

from __future__ import annotations

import datetime
import typing as t

from .._errors import RefusedError, UnreachableError
from .._http import request, requests
from .models import Delivered, PagerDutyEvent, StatusPageIncident
from .retry import BusyError, Deadline, retry_after, retrying

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
        return retrying(
            lambda: self._once(method, path, body), self._deadline, idempotent=idempotent
        )

    def _once(self, method: str, path: str, body: Json) -> Json:
        left = max(0.1, self._deadline.left())
        try:
            answer = request(
                method,
                f"{self._url}{path}",
                json=body,
                authorization=self._authorization,
                timeout=(min(5.0, left), left),
                ca_cert=self._ca_cert,
            )
        except requests.exceptions.Timeout:
            raise UnreachableError(
                f"{self._name} did not answer in time: look there whether the message arrived."
            ) from None
        except requests.exceptions.RequestException as exc:
            raise UnreachableError(
                f"{self._name} can't be reached ({type(exc).__name__}): check the network and the URL."
            ) from None
        return self._judge(answer)

    def _judge(self, answer: requests.Response) -> Json:
        if answer.status_code == 429:
            wait = retry_after(answer.headers)
            raise BusyError(f"{self._name} limits the rate and asks to wait {wait:.0f} s.", wait)
        if answer.status_code >= 500:
            raise UnreachableError(
                f"{self._name} answered HTTP {answer.status_code}: try again later."
            )
        if not answer.ok or answer.is_redirect:
            raise RefusedError(
                f"{self._name} refused the message (HTTP {answer.status_code}: {words(answer)}): "
                "check the token and the names in the task."
            )
        try:
            return answer.json()
        except ValueError:
            raise RefusedError(f"{self._name} did not answer with JSON: check the URL.") from None


def words(answer: requests.Response) -> str:
    """The reasons in an error body, as both services write them."""
    try:
        body = answer.json()
    except ValueError:
        return answer.reason or "no reason given"
    if not isinstance(body, dict):
        return answer.reason or "no reason given"
    given = body.get("errors") or body.get("error") or body.get("message") or answer.reason
    listed = given if isinstance(given, list) else [given]
    return "; ".join(
        str(item.get("code", item) if isinstance(item, dict) else item) for item in listed
    )[:300]


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
    return Delivered(event.kind, event.target, id=str(answer.get("dedup_key", event.dedup_key)))


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
    now = datetime.datetime.now(datetime.timezone.utc)  # noqa: UP017 - older Pythons
    until = now + datetime.timedelta(minutes=incident.minutes)
    return {"scheduled_for": in_iso(now), "scheduled_until": in_iso(until)}


def in_iso(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


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
