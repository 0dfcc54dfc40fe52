# SPDX-License-Identifier: GPL-3.0-or-later
"""Put all probes to a webhook side by side, and look for what it accepted, in the function's log and the database."""

from __future__ import annotations

import re
import secrets
import time
import typing as t
from dataclasses import dataclass, field, replace

from .. import _postgres
from .._errors import DeployError, InputError, UnreachableError, VerificationError
from .._functions.log import FunctionLog
from .._http import NoAnswerError, send
from .._postgres import PostgresTarget
from .._threads import side_by_side
from .webhook_probes import (
    Form,
    Message,
    ProbeAnswer,
    ProbeRequest,
    ProbeResult,
    Sightings,
    Webhook,
    WebhookProbe,
    describe,
    plan_delivery,
    plan_guards,
    plan_messages,
)

LONGEST_ANSWER = 1024 * 1024
"""Bytes of an answer that are read."""


class HttpWebhook:
    """A Webhook over HTTP. Nothing is repeated: each message counts."""

    def __init__(self, url: str, *, ca_cert: str | None, timeout: int) -> None:
        self._url = url
        self._ca_cert = ca_cert
        self._timeout = timeout

    def send(self, sent: ProbeRequest) -> ProbeAnswer:
        try:
            answer = send(
                sent.method,
                self._url,
                headers=dict(sent.headers),
                params=dict(sent.query),
                data=sent.body or None,
                timeout=self._timeout,
                ca_cert=self._ca_cert,
                largest=LONGEST_ANSWER,
            )
        except NoAnswerError as exc:
            return ProbeAnswer(0, f"it {exc.problem}")
        return ProbeAnswer(answer.status, answer.text)


@dataclass(frozen=True)
class PlatformSightings:
    """Sightings in a real platform. What is None can't be looked into. `column` has a message's id, in every table."""

    log: FunctionLog | None
    database: PostgresTarget | None
    column: str = "message_id"

    def logged(self, message_ids: t.Collection[str]) -> frozenset[str]:
        if self.log is None:
            raise InputError("Option 'logs' is missing, but messages must be seen there.")
        text = "\n".join(self.log.lines(message_ids))
        return frozenset(key for key in message_ids if key in text)

    def recorded(self, table: str, message_ids: t.Collection[str]) -> frozenset[str]:
        if self.database is None:
            raise InputError("Option 'database' is missing, but messages must be seen there.")
        with _postgres.connected(
            self.database, application_name="easymo.deploy webhook_check"
        ) as session:
            session.execute("SET default_transaction_read_only = on")
            # The server quotes the names: what is no table of its search path is an error of ours.
            quoted = session.rows(
                "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), "
                "pg_catalog.quote_ident(a.attname) "
                "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                "LEFT JOIN pg_catalog.pg_attribute a "
                "ON a.attrelid = c.oid AND a.attname = %s AND a.attnum > 0 AND NOT a.attisdropped "
                "WHERE c.oid = pg_catalog.to_regclass(pg_catalog.quote_ident(%s))",
                (self.column, table),
            )
            if not quoted:
                raise InputError(f"{self.database.where} has no table {table!r} to search.")
            ((relation, column),) = quoted
            if not column:
                raise InputError(
                    f"Table {table!r} of {self.database.where} has no column {self.column!r}: "
                    "name the one with a message's id in 'message_column'."
                )
            rows = session.rows(
                f"SELECT {column} FROM {relation} WHERE {column} = ANY(%s)",  # noqa: S608
                (list(message_ids),),
            )
        return frozenset(str(row[0]) for row in rows)


_THREADS = 8


@dataclass(frozen=True)
class Trace:
    """Where accepted messages are looked for, and for how many seconds."""

    sightings: Sightings
    in_logs: bool
    wait: float
    pause: float = 2.0
    """The log query of the platform allows thirty calls a minute."""
    clock: t.Callable[[], float] = field(default=time.monotonic, repr=False)
    sleep: t.Callable[[float], None] = field(default=time.sleep, repr=False)


def ask(webhook: Webhook, probes: t.Sequence[WebhookProbe]) -> list[ProbeResult]:
    """The outcomes in the order of the probes. None is left out because another failed."""
    return side_by_side(lambda probe: _one(webhook, probe), probes, at_once=_THREADS)


def _one(webhook: Webhook, probe: WebhookProbe) -> ProbeResult:
    started = time.monotonic()
    answer = webhook.send(probe.request)
    seconds = time.monotonic() - started
    wrong = probe.judge(answer) if answer.status else answer.text
    evidence = wrong or describe(probe, answer)
    unclear = "" if wrong else probe.unclear(answer)
    return ProbeResult(
        probe.name, not wrong, answer.status, seconds, evidence, probe.message_id, unclear
    )


def settle(
    probes: t.Sequence[WebhookProbe], outcomes: t.Sequence[ProbeResult], *, accept: bool
) -> list[ProbeResult]:
    """What an answer left open is known all the same where a table tells where the message went, and no more is asked.
    Else it is unknown yet: it passes when people are asked (`accept`), and is unseen when not.
    """
    return [
        outcome if not (outcome.passed and outcome.unclear) else _open(outcome, probe, accept)
        for probe, outcome in zip(probes, outcomes, strict=True)
    ]


def _open(outcome: ProbeResult, probe: WebhookProbe, accept: bool) -> ProbeResult:
    evidence = f"{outcome.evidence}; {outcome.unclear}"
    message = probe.message
    if message and message.recorded_in and not message.reply_contains and message.buttons is None:
        return replace(outcome, unclear="")
    if accept:
        return replace(outcome, evidence=evidence)
    return replace(outcome, passed=False, unseen=True, evidence=evidence)


def trace(
    probes: t.Sequence[WebhookProbe], outcomes: t.Sequence[ProbeResult], where: Trace
) -> list[ProbeResult]:
    """The outcomes again, those of accepted messages with where they were seen, or as failures."""
    accepted = {
        outcome.message_id: probe
        for probe, outcome in zip(probes, outcomes, strict=True)
        if outcome.passed and probe.message
    }
    places = {key: _places(probe, in_logs=where.in_logs) for key, probe in accepted.items()}
    traces, problem = _look(places, where)
    stray = {key: _misplaced(probe, where.sightings) for key, probe in accepted.items()}
    conclusions = {
        key: _conclude(places[key], traces[key], problem, stray[key]) for key in accepted
    }
    blind = {key for key in accepted if places[key] - traces[key] == {""} and not stray[key]}
    return [
        replace(traced, unseen=traced.message_id in blind)
        for outcome in outcomes
        for traced in [_with(outcome, *conclusions.get(outcome.message_id, ("", "")))]
    ]


def _places(probe: WebhookProbe, *, in_logs: bool) -> frozenset[str]:
    if probe.message is None:
        return frozenset()
    return frozenset(probe.message.recorded_in) | ({""} if in_logs else frozenset())


def _look(wanted: t.Mapping[str, frozenset[str]], where: Trace) -> tuple[dict[str, set[str]], str]:
    """By message the places that it was seen in, the log being the empty name; and why the last look saw nothing."""
    traces: dict[str, set[str]] = {key: set() for key in wanted}
    deadline = where.clock() + where.wait
    pause, problem = 0.3, ""
    while True:
        problem = ""
        for place in sorted({place for places in wanted.values() for place in places}):
            missing = [key for key in wanted if place in wanted[key] and place not in traces[key]]
            try:
                for key in _seen_in(place, missing, where.sightings):
                    traces[key].add(place)
            except InputError:
                raise
            except DeployError as exc:
                problem = str(exc)
        if all(wanted[key] <= traces[key] for key in wanted) or where.clock() + pause > deadline:
            return traces, problem
        where.sleep(pause)
        pause = where.pause


def _seen_in(place: str, message_ids: list[str], sightings: Sightings) -> frozenset[str]:
    if not message_ids:
        return frozenset()
    return sightings.recorded(place, message_ids) if place else sightings.logged(message_ids)


def _misplaced(probe: WebhookProbe, sightings: Sightings) -> str:
    """The first table that has the message and should not."""
    for table in probe.message.not_recorded_in if probe.message else ():
        if sightings.recorded(table, [probe.message_id]):
            return table
    return ""


def _conclude(
    wanted: frozenset[str], traces: t.Collection[str], problem: str, misplaced: str
) -> tuple[str, str]:
    """What to add to the evidence of a message that was accepted, or what is wrong."""
    missing = [_worded(place) for place in sorted(wanted - set(traces))]
    if misplaced:
        return "", f"it stands in {misplaced}, where it should not"
    if missing:
        why = f" ({problem.rstrip('.')})" if problem else ""
        return "", f"it was accepted and is not seen in {' nor in '.join(missing)}{why}"
    return " and in ".join(_worded(place) for place in sorted(wanted)), ""


def _worded(place: str) -> str:
    return place or "the function's log"


def _with(outcome: ProbeResult, where: str, wrong: str) -> ProbeResult:
    if wrong:
        return replace(outcome, passed=False, evidence=wrong)
    if where:
        return replace(outcome, evidence=f"{outcome.evidence}, seen in {where}")
    return outcome


def refuse_failed_probes(url: str, outcomes: t.Sequence[ProbeResult]) -> None:
    """Raise one error that names every probe that failed."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    rows = [outcome.to_result() for outcome in outcomes]
    if not failed:
        return
    if unanswered(outcomes):
        raise UnreachableError(
            f"The webhook {url} answered none of {len(outcomes)} probes ({failed[0].evidence}): "
            "check that the function is deployed and reachable from here.",
            probes=rows,
        )
    findings = "; ".join(f"{outcome.name}: {outcome.evidence}" for outcome in failed)
    raise VerificationError(
        f"{len(failed)} of {len(outcomes)} probes of {url} failed: {findings}.", probes=rows
    )


def unanswered(outcomes: t.Sequence[ProbeResult]) -> bool:
    return not any(outcome.status for outcome in outcomes)


PREFIX = re.compile(r"[A-Za-z0-9._-]{1,60}")

Params = t.Mapping[str, t.Any]


def check_webhook(params: Params, *, send_messages: bool) -> list[ProbeResult]:
    """Challenges and refusals first, so that nothing is sent to an address that does not answer."""
    refuse_bad_input(params)
    webhook, challenge = _webhook(params), secrets.token_hex(8)
    guards = _guards(params, challenge) if params["guards"] else []
    outcomes = ask(webhook, guards)
    if not send_messages or not params["messages"] or (guards and unanswered(outcomes)):
        return outcomes
    probes = plan_messages(
        [read_message(entry) for entry in params["messages"]],
        app_secret=params["app_secret"],
        challenge=challenge,
        prefix=params["message_prefix"],
        form=Form(**params["answer"]) if params["answer"] else Form(),
    )
    sent = ask(webhook, probes)
    where = Trace(
        read_sightings(params), in_logs=params["logs"] is not None, wait=params["seen_timeout"]
    )
    accept = params["without_reply"] == "accept"
    return [*outcomes, *settle(probes, trace(probes, sent, where), accept=accept)]


def check_without_messages(params: Params) -> list[ProbeResult]:
    """What can be known of a webhook without a message to anybody."""
    challenge = secrets.token_hex(8)
    probes = [*_guards(params, challenge), plan_delivery(params["app_secret"], challenge)]
    return ask(_webhook(params), probes)


def _webhook(params: Params) -> HttpWebhook:
    return HttpWebhook(params["url"], ca_cert=params["ca_cert"], timeout=params["request_timeout"])


def _guards(params: Params, challenge: str) -> list[WebhookProbe]:
    return plan_guards(
        verify_token=params["verify_token"],
        app_secret=params["app_secret"],
        challenge=challenge,
        oversized_bytes=params["oversized_bytes"],
    )


def refuse_bad_input(params: Params) -> None:
    if not PREFIX.fullmatch(params["message_prefix"]):
        raise InputError(
            f"Option 'message_prefix' is {params['message_prefix']!r}; it is 1 to 60 letters, digits, "
            "'.', '_' and '-'."
        )
    if params["oversized_bytes"] < 0 or params["request_timeout"] <= 0:
        raise InputError("'oversized_bytes' is at least 0 and 'request_timeout' more than 0.")
    tables = [table for entry in params["messages"] for table in entry["recorded_in"]]
    tables += [table for entry in params["messages"] for table in entry["not_recorded_in"]]
    if tables and params["database"] is None:
        raise InputError(
            f"Option 'database' is missing, but messages must be found in {tables[0]!r}."
        )


def read_message(entry: Params) -> Message:
    return Message(
        name=entry["name"],
        sender=entry["from"],
        text=entry["text"],
        route=entry["route"] or "",
        reply_contains=entry["reply_contains"],
        buttons=entry["buttons"],
        recorded_in=tuple(entry["recorded_in"]),
        not_recorded_in=tuple(entry["not_recorded_in"]),
    )


def read_sightings(params: Params) -> PlatformSightings:
    logs = params["logs"]
    database = params["database"]
    return PlatformSightings(
        FunctionLog.from_params(logs) if logs else None,
        PostgresTarget.from_params(database) if database else None,
        params["message_column"],
    )
