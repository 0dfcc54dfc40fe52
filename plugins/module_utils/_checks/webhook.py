# SPDX-License-Identifier: GPL-3.0-or-later
"""Put all probes to a webhook side by side, and look for what it accepted, in the function's log and the database.

What comes of them is a row of a preflight, and a smoke test.
"""

from __future__ import annotations

import functools
import re
import secrets
import time
import typing as t
from dataclasses import replace

from .. import _postgres
from .._errors import DeployError, InputError
from .._functions.api import SupabaseFunctionsApi
from .._http import REQUESTS, Answer, NoAnswerError, send
from .._postgres import PSYCOPG2, PostgresTarget, SqlError
from .._threads import side_by_side
from .._time import Deadline
from .models import Finding, Ground, Kind, Kinds, Options, failed, held, listed_or_counted, passed
from .webhook_probes import (
    ProbeResult,
    WebhookProbe,
    plan_delivery,
    plan_guards,
    plan_messages,
)

LONGEST_ANSWER = 1024 * 1024
"""Bytes of an answer that are read."""
_THREADS = 8
_FIRST_PAUSE, _PAUSE = 0.3, 2.0
"""Seconds between two looks. The log query of the platform allows thirty calls a minute."""

Send = t.Callable[..., Answer]
"""Puts a probe's request to the webhook. Nothing is repeated: each message counts."""
Look = t.Callable[[str, list[str]], t.Collection[str]]
"""Those of the ids that have a row in the table, or that the function's log names where its name is "".

DeployError when it can't be looked at.
"""


def ask(put: Send, probes: t.Sequence[WebhookProbe]) -> list[ProbeResult]:
    """The outcomes in the order of the probes. None is left out because another failed."""

    def exchange(probe: WebhookProbe) -> ProbeResult:
        started = time.monotonic()
        try:
            answer = put(**probe.request)
        except NoAnswerError as exc:
            result = ProbeResult(probe.name, False, 0, f"it {exc.problem}", probe.message_id)
        else:
            result = probe.result_of(answer)
        return replace(result, seconds=time.monotonic() - started)

    return side_by_side(exchange, probes, at_once=_THREADS)


def settle(outcomes: t.Iterable[ProbeResult], *, accept: bool) -> list[ProbeResult]:
    """What an answer left open passes when people are asked (`accept`), and is unseen when not."""
    return [
        replace(
            outcome,
            passed=accept,
            unseen=not accept,
            evidence=f"{outcome.evidence}; {outcome.unclear}",
        )
        if outcome.passed and outcome.unclear
        else outcome
        for outcome in outcomes
    ]


def trace(
    probes: t.Sequence[WebhookProbe],
    outcomes: t.Sequence[ProbeResult],
    look: Look,
    deadline: Deadline,
    *,
    in_logs: bool,
) -> list[ProbeResult]:
    """The outcomes again, those of accepted messages with where they were seen, or as failures."""
    pairs = list(zip(probes, outcomes, strict=True))
    log = {""} if in_logs else set()
    wanted = {
        outcome.message_id: log | {*probe.message["recorded_in"]}
        for probe, outcome in pairs
        if outcome.passed and probe.message
    }
    recorded, problem = _look(wanted, look, deadline)
    why = f" ({problem.rstrip('.')})" if problem else ""

    def traced(probe: WebhookProbe, outcome: ProbeResult) -> ProbeResult:
        if not outcome.passed or not probe.message:
            return outcome
        places = wanted[outcome.message_id]
        missing = places - recorded[outcome.message_id]
        for table in probe.message["not_recorded_in"]:
            if look(table, [outcome.message_id]):
                stray = f"it stands in {table}, where it should not"
                return replace(outcome, passed=False, evidence=stray)
        if missing:
            evidence = f"it was accepted and is not in {_listed(missing, ' nor in ')}{why}"
            return replace(outcome, passed=False, unseen=missing == {""}, evidence=evidence)
        where = f", seen in {_listed(places, ' and in ')}" if places else ""
        return replace(outcome, evidence=f"{outcome.evidence}{where}")

    return [traced(probe, outcome) for probe, outcome in pairs]


def _listed(places: t.Iterable[str], between: str) -> str:
    return between.join(place or "the function's log" for place in sorted(places))


def _look(
    wanted: t.Mapping[str, set[str]], look: Look, deadline: Deadline
) -> tuple[dict[str, set[str]], str]:
    """By message the places that it was seen in; and why the last look saw nothing."""
    recorded: dict[str, set[str]] = {key: set() for key in wanted}
    pause = _FIRST_PAUSE
    while True:
        problem = ""
        for place in sorted(set().union(*wanted.values())):
            missing = [key for key in wanted if place in wanted[key] - recorded[key]]
            try:
                for key in look(place, missing) if missing else ():
                    recorded[key].add(place)
            except InputError:
                raise
            except DeployError as exc:
                problem = str(exc)
        if recorded == wanted or deadline.left() < pause:
            return recorded, problem
        deadline.sleep(pause)
        pause = _PAUSE


def unanswered(outcomes: t.Sequence[ProbeResult]) -> bool:
    return not any(outcome.status for outcome in outcomes)


PREFIX = re.compile(r"[A-Za-z0-9._-]{1,60}")


def check_webhook(params: Options) -> list[ProbeResult]:
    """Challenges and refusals first, so that nothing is sent to an address that does not answer."""
    refuse_bad_input(params)
    webhook, challenge = to_webhook(params), secrets.token_hex(8)
    guards = _guards(params, challenge) if params["guards"] else []
    outcomes = ask(webhook, guards)
    if guards and unanswered(outcomes):
        return outcomes
    probes = plan_messages(
        params["messages"],
        params["answer"],
        app_secret=params["app_secret"],
        challenge=challenge,
        prefix=params["message_prefix"],
    )
    traced = trace(
        probes,
        ask(webhook, probes),
        functools.partial(_seen_in, params),
        Deadline(params["seen_timeout"]),
        in_logs=params["logs"] is not None,
    )
    return [*outcomes, *settle(traced, accept=params["without_reply"] == "accept")]


def check_without_messages(params: Options) -> list[ProbeResult]:
    """What can be known of a webhook without a message to anybody."""
    challenge = secrets.token_hex(8)
    probes = [*_guards(params, challenge), plan_delivery(params["app_secret"], challenge)]
    return ask(to_webhook(params), probes)


def to_webhook(params: Options) -> Send:
    return functools.partial(
        send,
        url=params["url"],
        ca_cert=params["ca_cert"],
        timeout=params["request_timeout"],
        largest=LONGEST_ANSWER,
    )


def _guards(params: Options, challenge: str) -> list[WebhookProbe]:
    names = ("verify_token", "app_secret", "oversized_bytes")
    return plan_guards(challenge=challenge, **{name: params[name] for name in names})


def refuse_bad_input(params: Options) -> None:
    if not PREFIX.fullmatch(params["message_prefix"]):
        raise InputError(
            f"Option 'message_prefix' is {params['message_prefix']!r}; it is 1 to 60 letters, digits, "
            "'.', '_' and '-'."
        )
    if params["oversized_bytes"] < 0 or params["request_timeout"] <= 0:
        raise InputError("'oversized_bytes' is at least 0 and 'request_timeout' more than 0.")
    places = ("recorded_in", "not_recorded_in")
    tables = [table for entry in params["messages"] for name in places for table in entry[name]]
    if tables and params["database"] is None:
        raise InputError(
            f"Option 'database' is missing, but messages must be found in {tables[0]!r}."
        )


def _seen_in(params: Options, table: str, message_ids: list[str]) -> t.Collection[str]:
    if not table:
        text = "\n".join(SupabaseFunctionsApi(params["logs"], patience=0).lines(message_ids))
        return [key for key in message_ids if key in text]
    target, column = PostgresTarget.from_params(params["database"]), params["message_column"]
    with _postgres.connected(target, application_name="easymo.deploy webhook_check") as session:
        session.execute("SET default_transaction_read_only = on")
        try:
            rows = session.rows(
                f"SELECT {_quoted(column)} FROM {_quoted(table)} WHERE {_quoted(column)} = ANY(%s)",  # noqa: S608
                (message_ids,),
            )
        except SqlError as exc:
            raise InputError(
                f"{target.where} refuses to search table {table!r} for messages by {column!r} ({exc}): "
                "correct the table, or 'message_column'."
            ) from exc
    return [str(row[0]) for row in rows]


def _quoted(name: str) -> str:
    """A name of a table or column in SQL that has values besides."""
    return '"{}"'.format(name.replace('"', '""').replace("%", "%%"))


def look_webhook(options: Options, ground: Ground) -> Finding:
    """Whether it answers challenges and refuses what it must. No message is sent, so no user gets an answer."""
    outcomes = check_without_messages({**options, "request_timeout": ground.timeout})
    wrong = [each for each in outcomes if not each.passed]
    if not wrong:
        return passed(f"{len(outcomes)} exchanges went as expected, none with a message")
    judge = failed if any(each.status for each in wrong) else held
    return judge("; ".join(map(str, wrong)))


def play_webhook(options: Options) -> Finding:
    outcomes = check_webhook(options)
    steps = tuple(outcome.to_result() for outcome in outcomes)
    wrong = [each for each in outcomes if not each.passed]
    if wrong and unanswered(outcomes):
        return failed(
            f"it answered none of {len(outcomes)} requests ({wrong[0].evidence}): check that the function is deployed "
            "and reachable from here",
            steps=steps,
        )
    if wrong:
        # The platform's log may be late: that proves nothing against a message that was answered well.
        judge = held if all(each.unseen for each in wrong) else failed
        return judge("; ".join(map(str, wrong)), steps=steps)
    return passed(listed_or_counted(outcomes), steps=steps)


def _messages(options: Options) -> str:
    sent = [f"{entry['text']!r} from {entry['from']}" for entry in options["messages"]]
    guards = ["the challenges and what must be refused"] if options["guards"] else []
    return f"would send {', '.join(guards + sent)}"


KINDS: Kinds = {"webhook": Kind(look_webhook, (REQUESTS,))}
TESTS: Kinds = {
    "webhook": Kind(
        play_webhook,
        (REQUESTS,),
        components=lambda options: [PSYCOPG2] if options["database"] else [],
        intention=_messages,
    )
}
