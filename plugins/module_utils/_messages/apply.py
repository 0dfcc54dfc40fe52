# SPDX-License-Identifier: GPL-3.0-or-later
"""Send each message through its adapter, and the adapters of mail, PagerDuty and the status page.

One channel that fails keeps none of the others from being told. Slack's client has a file of its own.
"""

from __future__ import annotations

import functools
import mimetypes
import smtplib
import ssl
import typing as t
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path, PurePath

from .. import _http
from .._decode import Shape, restored, restored_each
from .._errors import DeployError, InputError, RefusedError, UnreachableError
from .._http import Repeat
from .._time import Deadline, format_time, now
from .plan import Message, Options
from .slack import SlackClient

Result = dict[str, t.Any]
ATTACHED_LIMIT = 10_000_000


def read_attachments(paths: t.Iterable[str]) -> dict[str, bytes]:
    """The files by path; one that can't be read is refused before anybody is told anything."""
    try:
        contents = {path: Path(path).read_bytes() for path in paths}
    except OSError as exc:
        raise InputError(
            f"email.attachments has '{exc.filename}', which can't be read ({exc.strerror}): correct the path."
        ) from None
    if sum(map(len, contents.values())) > ATTACHED_LIMIT:
        raise InputError(
            f"email.attachments are more than {ATTACHED_LIMIT // 1_000_000} MB together: link to them instead."
        )
    return contents


def compose(mail: Message) -> EmailMessage:
    """With its text, its HTML and its attachments."""
    message, options = EmailMessage(), mail.options
    message["From"] = options["sender"]
    message["To"] = mail.target
    message["Subject"] = options["subject"]
    message["Date"] = formatdate(localtime=False)
    domain = options["sender"].rpartition("@")[2].strip("<> ")
    message["Message-ID"] = make_msgid(domain=domain or None)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    if options.get("html"):
        message.add_alternative(options["html"], subtype="html")
    for path, content in options["contents"].items():
        calendar = PurePath(path).suffix == ".ics"
        guessed = "text/calendar" if calendar else mimetypes.guess_type(path)[0]
        kind, _slash, subtype = (guessed or "application/octet-stream").partition("/")
        message.add_attachment(
            content,
            maintype=kind,
            subtype=subtype,
            filename=PurePath(path).name,
            params={"charset": "utf-8"} if kind == "text" else None,
        )
    return message


def send_mail(mail: Message, deadline: Deadline, ca_cert: str | None) -> Result:
    """One attempt: a mail sent twice is worse than one that is reported as not sent."""
    message = compose(mail)
    with conversation(mail.options, deadline, ca_cert) as session:
        missed = session.send_message(message, to_addrs=mail.options["recipients"])
    if missed:
        raise RefusedError(
            f"{_server(mail.options)} refused {', '.join(sorted(missed))}; the others got the mail."
        )
    return mail.result(id=message["Message-ID"])


def would_take(options: Options, deadline: Deadline, ca_cert: str | None) -> None:
    """Raise unless the server takes the sender and all recipients. Nothing is sent."""
    addresses = (options["sender"], *options["recipients"])
    with conversation(options, deadline, ca_cert) as session:
        session.ehlo_or_helo_if_needed()
        replies = [session.mail(addresses[0]), *map(session.rcpt, addresses[1:])]
        session.rset()
    for address, (code, text) in zip(addresses, replies, strict=True):
        if code >= 400:
            raise _refusal(code)(
                f"{_server(options)} does not take {address} ({answer(code, text)}): check the address."
            )


def _server(options: Options) -> str:
    return f"The mail server {options['host']}:{options['port']}"


def _refusal(code: int) -> type[DeployError]:
    """Whether the server may say otherwise later."""
    return RefusedError if code >= 500 else UnreachableError


@contextmanager
def conversation(
    options: Options, deadline: Deadline, ca_cert: str | None
) -> t.Iterator[smtplib.SMTP]:
    """With the mail's server, encrypted and logged in as it asks for. What goes wrong is a DeployError."""
    server, timeout = _server(options), max(0.1, deadline.left())
    connect: t.Callable[..., smtplib.SMTP] = smtplib.SMTP
    if options["starttls"] == "implicit":
        # A port for implicit TLS, by RFC 8314, says nothing in clear.
        context = _trusting(ca_cert)
        connect = functools.partial(smtplib.SMTP_SSL, context=context)
    try:
        with connect(options["host"], options["port"], timeout=timeout) as session:
            encrypt(session, options, ca_cert)
            if options.get("username"):
                session.login(options["username"], options.get("password") or "")
            yield session
    except smtplib.SMTPRecipientsRefused as exc:
        raise RefusedError(
            f"{server} refused all recipients ({answer(*max(exc.recipients.values()))}): check the addresses."
        ) from None
    except smtplib.SMTPResponseException as exc:
        raise _refusal(exc.smtp_code)(
            f"{server} did not take the mail ({answer(exc.smtp_code, exc.smtp_error)})."
        ) from None
    except UnicodeError:
        raise RefusedError(
            f"{server} takes no letters beyond ASCII in a user name, a password or an address: "
            "correct those of email."
        ) from None
    except ssl.SSLError as exc:
        raise RefusedError(
            f"{server} failed TLS verification ({exc.reason}): check ca_cert and email.host."
        ) from None
    except (OSError, smtplib.SMTPException) as exc:
        why = "no answer in time" if isinstance(exc, TimeoutError) else type(exc).__name__
        raise UnreachableError(f"{server} can't be reached ({why}): check email.host.") from None


def _trusting(ca_cert: str | None) -> ssl.SSLContext:
    """Raises InputError for a file of authorities that is none."""
    return _http.verifying(ca_cert) if ca_cert else ssl.create_default_context()


def encrypt(session: smtplib.SMTP, options: Options, ca_cert: str | None) -> None:
    """A password does not travel in clear."""
    starttls = options["starttls"]
    session.ehlo_or_helo_if_needed()
    if session.has_extn("starttls") and starttls in ("required", "optional"):
        session.starttls(context=_trusting(ca_cert))
        session.ehlo()
    elif starttls == "required" or (starttls == "optional" and options.get("username")):
        raise RefusedError(f"{_server(options)} does not offer STARTTLS: nothing was sent.")


def answer(code: int, text: bytes | str) -> str:
    """What a mail server said, in short."""
    sentence = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(sentence.split())}"[:200]


def ask_json(
    read: t.Callable[[t.Any], Shape],
    name: str,
    url: str,
    deadline: Deadline,
    ca_cert: str | None,
    body: t.Any = None,
    *,
    method: str = "GET",
    authorization: str = "",
    idempotent: bool = False,
) -> Shape:
    """What a service's good answer has, which is called `name` in sentences. Repeats only what may be repeated.

    `read` raises ValueError for JSON of another shape. Raises RefusedError for that.
    """
    answer = _http.ask(
        name,
        method,
        url,
        json=body,
        authorization=authorization,
        timeout=max(0.1, deadline.left()),
        ca_cert=ca_cert,
        repeat=Repeat(deadline, lost=idempotent or method == "GET"),
    )
    check = "check the token and the names in the task"
    _http.good(answer, name, forbidden=check, otherwise=(RefusedError, check))
    try:
        body = answer.json()
    except ValueError:
        raise RefusedError(f"{name} did not answer with JSON: check the URL.") from None
    try:
        return read(body)
    except ValueError:
        raise RefusedError(f"{name} did not answer as its API documents: check the URL.") from None


@dataclass(frozen=True)
class AcceptedEvent:
    """PagerDuty's answer, https://developer.pagerduty.com/docs/events-api-v2-overview."""

    dedup_key: str = ""


def send_pagerduty_event(event: Message, deadline: Deadline, ca_cert: str | None) -> Result:
    """PagerDuty itself makes repeating safe: one dedup_key, one incident."""
    options = event.options
    body = {
        "routing_key": options["routing_key"],
        "event_action": options["action"],
        "dedup_key": options["dedup_key"],
    }
    if options["action"] == "trigger":
        body["payload"] = {
            "summary": event.text,
            "source": options["source"],
            "severity": options["severity"],
            "custom_details": options.get("details") or {},
        }
    url = f"{options['url'].rstrip('/')}/v2/enqueue"
    read = functools.partial(restored, AcceptedEvent, name="answer")
    answer = ask_json(
        read, "PagerDuty", url, deadline, ca_cert, body, method="POST", idempotent=True
    )
    return event.result(id=answer.dedup_key or event.target, action=options["action"])


def send_status_page_incident(incident: Message, deadline: Deadline, ca_cert: str | None) -> Result:
    """Updates the open incident of that name, if there is one; else opens it."""
    options = incident.options
    url = f"{options['url'].rstrip('/')}/pages/{options['page_id']}/incidents"

    def ask_for(read: t.Callable[[t.Any], Shape], asked: str, **how: t.Any) -> Shape:
        return ask_json(
            read,
            "The status page",
            asked,
            deadline,
            ca_cert,
            authorization=f"OAuth {options['token']}",
            **how,
        )

    wanted: dict[str, t.Any] = {
        "name": incident.target,
        "status": options["status"],
        "body": incident.text,
    }
    maintenance = options["status"] in MAINTENANCE
    single = functools.partial(restored, Incident, name="incident")
    lists = functools.partial(ask_for, functools.partial(restored_each, Incident, name="incident"))
    known = open_incident(lists, url, incident.target, maintenance=maintenance)
    if known and (known.status, known.latest) == (wanted["status"], wanted["body"]):
        return incident.result(id=known.id, changed=False)
    if known:
        ask_for(single, f"{url}/{known.id}", body={"incident": wanted}, method="PATCH")
        return incident.result(id=known.id)
    if maintenance:
        # Without its times the API takes it for an outage.
        begin = now()
        until = begin + timedelta(minutes=options.get("minutes", 120))
        wanted |= {"scheduled_for": format_time(begin), "scheduled_until": format_time(until)}
    opened = ask_for(single, url, body={"incident": wanted}, method="POST")
    return incident.result(id=opened.id)


MAINTENANCE = frozenset({"scheduled", "in_progress", "verifying", "completed"})
"""States of a status page's incident that is planned."""


@dataclass(frozen=True)
class Update:
    body: str = ""


@dataclass(frozen=True)
class Incident:
    """Of a status page (https://developer.statuspage.io/), with its updates, the newest first."""

    id: str = ""
    name: str = ""
    status: str = ""
    incident_updates: tuple[Update, ...] = ()

    @property
    def latest(self) -> str:
        """The text of its last update, "" without one."""
        return next((update.body for update in self.incident_updates), "")


def open_incident(
    lists: t.Callable[[str], list[Incident]], url: str, name: str, *, maintenance: bool
) -> Incident | None:
    """A maintenance is listed apart from outages, and before it begins apart from what runs."""
    for path in ("active_maintenance", "scheduled") if maintenance else ("unresolved",):
        for entry in lists(f"{url}/{path}"):
            if entry.name == name and entry.id:
                return entry
    return None


def send_slack_message(message: Message, deadline: Deadline, ca_cert: str | None) -> Result:
    """A message that was perhaps posted is not posted again: people would be told twice."""
    names = ("token", "channel", "api_url", "webhook_url")
    given = {name: message.options[name] for name in names if message.options.get(name)}
    once, seconds = Repeat(deadline, lost=False), max(1.0, deadline.left())
    client = SlackClient(timeout=seconds, ca_cert=ca_cert, repeat=once, **given)
    ts = client.post(message.text)
    if message.options.get("archive"):
        client.archive(deadline)
    return message.result(id=ts, location=client.location)


SENDERS: dict[str, t.Callable[[Message, Deadline, str | None], Result]] = {
    "slack": send_slack_message,
    "email": send_mail,
    "pagerduty": send_pagerduty_event,
    "statuspage": send_status_page_incident,
}


def deliver(
    messages: t.Iterable[Message], *, timeout: float, ca_cert: str | None
) -> tuple[list[Result], list[dict[str, str]]]:
    """What arrived and what did not, and why. Each has `timeout` seconds of its own, retries included."""
    delivered: list[Result] = []
    undelivered: list[dict[str, str]] = []
    for message in messages:
        try:
            delivered.append(SENDERS[message.kind](message, Deadline(timeout), ca_cert))
        except DeployError as exc:
            receiver = {"channel": message.kind, "target": message.target}
            if message.kind == "pagerduty":
                receiver["action"] = message.options["action"]
            undelivered.append({**receiver, "reason": exc.reason, "msg": str(exc)})
    return delivered, undelivered
