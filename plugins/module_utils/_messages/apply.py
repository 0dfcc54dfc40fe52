# SPDX-License-Identifier: GPL-3.0-or-later
"""Send each message through its adapter, and the adapters of mail, PagerDuty and the status page.

One channel that fails keeps none of the others from being told. Slack has a file of its own.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import typing as t
from contextlib import contextmanager
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from types import MappingProxyType

from .. import _http
from .._errors import DeployError, InputError, RefusedError, UnreachableError
from .._http import Repeat
from .._time import Deadline, format_time, now
from .plan import Delivered, Mail, Message, PagerDutyEvent, StatusPageIncident, Undelivered
from .slack import send_slack_message

ATTACHED_LIMIT = 10_000_000


def read_attachments(paths: t.Iterable[str]) -> dict[str, bytes]:
    """The files by path; one that can't be read is refused before anybody is told anything."""
    contents: dict[str, bytes] = {}
    for path in paths:
        try:
            contents[path] = Path(path).read_bytes()
        except OSError as exc:
            raise InputError(
                f"email.attachments has '{path}', which can't be read ({exc.strerror}): correct the path."
            ) from None
    if sum(map(len, contents.values())) > ATTACHED_LIMIT:
        raise InputError(
            f"email.attachments are more than {ATTACHED_LIMIT // 1_000_000} MB together: link to them instead."
        )
    return contents


def compose(mail: Mail) -> EmailMessage:
    message = EmailMessage()
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.recipients)
    message["Subject"] = mail.subject
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = make_msgid(domain=mail.sender.rpartition("@")[2].strip("<> ") or None)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    if mail.html:
        message.add_alternative(mail.html, subtype="html")
    for each in mail.attachments:
        kind, _slash, subtype = each.content_type.partition("/")
        if kind == "text":
            text = each.content.decode("utf-8", "replace")
            message.add_attachment(text, subtype=subtype, filename=each.filename)
        else:
            message.add_attachment(
                each.content, maintype=kind, subtype=subtype, filename=each.filename
            )
    return message


def send_mail(mail: Mail, deadline: Deadline, ca_cert: str | None) -> Delivered:
    """One attempt: a mail sent twice is worse than one that is reported as not sent."""
    message = compose(mail)
    with conversation(mail, deadline, ca_cert) as session:
        missed = session.send_message(message, to_addrs=list(mail.recipients))
    if missed:
        raise RefusedError(
            f"{_server(mail)} refused {', '.join(sorted(missed))}; the others got the mail."
        )
    return Delivered(mail.kind, mail.target, id=message["Message-ID"])


def would_take(mail: Mail, deadline: Deadline, ca_cert: str | None) -> None:
    """Raise unless the server takes the sender and all recipients. Nothing is sent."""
    with conversation(mail, deadline, ca_cert) as session:
        session.ehlo_or_helo_if_needed()
        replies = [session.mail(mail.sender), *map(session.rcpt, mail.recipients)]
        session.rset()
    for address, (code, text) in zip((mail.sender, *mail.recipients), replies, strict=True):
        if code >= 400:
            kind = RefusedError if code >= 500 else UnreachableError
            raise kind(
                f"{_server(mail)} does not take {address} ({answer(code, text)}): check the address."
            )


def _server(mail: Mail) -> str:
    return f"The mail server {mail.host}:{mail.port}"


@contextmanager
def conversation(mail: Mail, deadline: Deadline, ca_cert: str | None) -> t.Iterator[smtplib.SMTP]:
    """With the mail's server, encrypted and logged in as it asks for. What goes wrong is a DeployError."""
    server = _server(mail)
    try:
        with connect(mail, max(0.1, deadline.left()), ca_cert) as session:
            encrypt(session, mail, ca_cert, server)
            if mail.username:
                session.login(mail.username, mail.password)
            yield session
    except smtplib.SMTPRecipientsRefused as exc:
        raise RefusedError(
            f"{server} refused all recipients ({answer(*max(exc.recipients.values()))}): check the addresses."
        ) from None
    except smtplib.SMTPResponseException as exc:
        kind = RefusedError if exc.smtp_code >= 500 else UnreachableError
        raise kind(
            f"{server} did not take the mail ({answer(exc.smtp_code, exc.smtp_error)})."
        ) from None
    except ssl.SSLError as exc:
        raise RefusedError(
            f"{server} failed TLS verification ({exc.reason}): check ca_cert and email.host."
        ) from None
    except (OSError, smtplib.SMTPException) as exc:
        why = (
            "no answer in time"
            if isinstance(exc, (socket.timeout, TimeoutError))
            else type(exc).__name__
        )
        raise UnreachableError(f"{server} can't be reached ({why}): check email.host.") from None


def connect(mail: Mail, timeout: float, ca_cert: str | None) -> smtplib.SMTP:
    """A port for implicit TLS, by RFC 8314, says nothing in clear."""
    if mail.starttls != "implicit":
        return smtplib.SMTP(mail.host, mail.port, timeout=timeout)
    context = ssl.create_default_context(cafile=ca_cert)
    return smtplib.SMTP_SSL(mail.host, mail.port, timeout=timeout, context=context)


def encrypt(session: smtplib.SMTP, mail: Mail, ca_cert: str | None, server: str) -> None:
    session.ehlo_or_helo_if_needed()
    if mail.starttls == "implicit":
        return
    offered = session.has_extn("starttls")
    if mail.starttls == "never" or (
        mail.starttls == "optional" and not offered and not mail.username
    ):
        return
    if not offered:
        raise RefusedError(f"{server} does not offer STARTTLS: nothing was sent.")
    session.starttls(context=ssl.create_default_context(cafile=ca_cert))
    session.ehlo()


def answer(code: int, text: bytes | str) -> str:
    sentence = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(sentence.split())}"[:200]


Json = t.Any


class ChannelService:
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
    service = ChannelService("PagerDuty", event.url, deadline, ca_cert=ca_cert)
    answer = service.ask("POST", "/v2/enqueue", body, idempotent=True)
    known = str(answer.get("dedup_key", event.dedup_key))
    return Delivered(event.kind, event.target, id=known, action=event.action)


def send_status_page_incident(
    incident: StatusPageIncident, deadline: Deadline, ca_cert: str | None
) -> Delivered:
    """Updates the open incident of that name, if there is one; else opens it."""
    service = ChannelService(
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
    result = open_incident(service, incident)
    if result and said_already(result, incident):
        return Delivered(incident.kind, incident.target, id=str(result["id"]), changed=False)
    if result:
        path, method = f"/incidents/{result['id']}", "PATCH"
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


def open_incident(service: ChannelService, incident: StatusPageIncident) -> dict[str, t.Any]:
    """A maintenance is listed apart from outages, and before it begins apart from what runs."""
    lists = ("active_maintenance", "scheduled") if incident.maintenance else ("unresolved",)
    for name in lists:
        listed = service.ask("GET", f"/incidents/{name}", idempotent=True)
        for result in listed if isinstance(listed, list) else []:
            if incident.name == result.get("name"):
                return dict(result)
    return {}


def said_already(results: t.Mapping[str, t.Any], incident: StatusPageIncident) -> bool:
    latest = (results.get("incident_updates") or [{}])[0]
    return (results.get("status"), latest.get("body")) == (incident.status, incident.body)


Send = t.Callable[[t.Any, Deadline, "str | None"], Delivered]

SENDERS: t.Mapping[str, Send] = MappingProxyType(
    {
        "slack": send_slack_message,
        "email": send_mail,
        "pagerduty": send_pagerduty_event,
        "statuspage": send_status_page_incident,
    }
)


def deliver(
    messages: t.Iterable[Message],
    *,
    timeout: float,
    ca_cert: str | None,
    senders: t.Mapping[str, Send] = SENDERS,
) -> tuple[list[Delivered], list[Undelivered]]:
    """Each message has `timeout` seconds of its own, retries included."""
    delivered: list[Delivered] = []
    undelivered: list[Undelivered] = []
    for message in messages:
        try:
            delivered.append(senders[message.kind](message, Deadline(timeout), ca_cert))
        except DeployError as exc:
            undelivered.append(Undelivered(message.kind, message.target, exc.reason, str(exc)))
    return delivered, undelivered
