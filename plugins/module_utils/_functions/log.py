# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a project's edge functions, as the Management API gives it.

Call functions until each responds well or time is up. A function's response differs from the platform's.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field
from datetime import timedelta

from .._errors import DeployError, InputError, UnreachableError, VerificationError
from .._http import Answer, NoAnswerError, ask, bearer, good, send
from .._threads import Looking, Patience
from .._time import now

METHODS = ("GET", "HEAD", "OPTIONS", "POST")

_PLATFORM = frozenset(
    {"NOT_FOUND", "NOT_FOUND_FUNCTION_BLOB", "BOOT_ERROR", "WORKER_ERROR", "WORKER_LIMIT", "WORKER_RESOURCE_LIMIT"}
)  # fmt: skip
UNAUTHORIZED = "UNAUTHORIZED"
_SHOWN = 120


@dataclass(frozen=True)
class FunctionProbe:
    """`status` empty: any that shows the function at work. `version` empty: none is expected."""

    slug: str
    method: str = "GET"
    path: str = ""
    status: tuple[int, ...] = ()
    version: str = ""


def verdict(probe: FunctionProbe, answer: Answer) -> str:
    """The problem, or ""."""
    code = platform_code(answer)
    if code == UNAUTHORIZED:
        return "the gateway requires a JWT"
    if code:
        return f"the platform answered {answer.status} {code}"
    if probe.status and answer.status not in probe.status:
        wanted = " or ".join(map(str, probe.status))
        return f"it answered {answer.status} instead of {wanted}: {_short(answer.text)}"
    if not probe.status and answer.status >= 500:
        return f"it answered {answer.status}: {_short(answer.text)}"
    version = _object(answer.text).get("version")
    if probe.version and isinstance(version, str) and version != probe.version:
        return f"it tells version {version} instead of {probe.version}"
    return ""


def platform_code(answer: Answer) -> str:
    """The platform's word for why it answered in the function's place, empty when the function spoke."""
    code = answer.headers.get("sb-error-code") or _object(answer.text).get("code")
    if code in _PLATFORM:
        return str(code)
    unauthorized = answer.status == 401 and (code == 401 or str(code).startswith(UNAUTHORIZED))
    return UNAUTHORIZED if unauthorized else ""


def _object(text: str) -> dict[str, t.Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _short(text: str) -> str:
    return " ".join(text.split())[:_SHOWN] or "nothing"


class HttpGateway:
    """`url` has C({service}) for a probe's slug, or ends where that follows."""

    def __init__(self, url: str, *, ca_cert: str | None, timeout: float) -> None:
        self._url = url if "{service}" in url else f"{url.rstrip('/')}/{{service}}"
        self._ca_cert = ca_cert
        self._timeout = timeout

    def ask(self, probe: FunctionProbe) -> Answer:
        """Raises UnreachableError."""
        path = f"/{probe.path.lstrip('/')}" if probe.path else ""
        try:
            return send(
                probe.method,
                f"{self._url.replace('{service}', probe.slug)}{path}",
                timeout=self._timeout,
                ca_cert=self._ca_cert,
            )
        except NoAnswerError as exc:
            raise UnreachableError(f"it {exc.problem}") from None


def probe_all(
    probes: t.Sequence[FunctionProbe], gateway: HttpGateway, *, timeout: float, pause: float
) -> list[dict[str, t.Any]]:
    """A row of the last answer of each, in the order of the probes. `timeout` and `pause` in seconds."""
    return Looking(
        look=gateway.ask,
        judge=_judge,
        well=lambda row: bool(row["passed"]),
        patience=Patience(timeout, pause),
    ).at_all(probes)


def _judge(probe: FunctionProbe, answer: Answer | DeployError, seconds: float) -> dict[str, t.Any]:
    if isinstance(answer, DeployError):
        problem, status = str(answer), 0
    else:
        problem, status = verdict(probe, answer), answer.status
    return {
        "name": probe.slug,
        "passed": not problem,
        "detail": problem,
        "status": status,
        "seconds": round(seconds, 3),
    }


MESSAGE_ID = re.compile(r"[A-Za-z0-9._-]+")
SKEW = timedelta(minutes=5)
"""The platform's clock may differ from ours by so much."""
LINES = 1000
_WHERE = "The Supabase Management API, asked for the functions' log,"


@dataclass(frozen=True)
class FunctionLog:
    """The log of a project's functions, as the Management API gives it."""

    api_url: str
    project_ref: str
    access_token: str = field(repr=False)
    ca_cert: str | None = None
    timeout: float = 30

    @classmethod
    def from_params(
        cls, params: t.Mapping[str, t.Any], *, timeout: float | None = None
    ) -> FunctionLog:
        """Of the options of the doc fragment _supabase; `timeout` in seconds in the place of theirs."""
        names = ("api_url", "project_ref", "access_token", "ca_cert")
        given = {name: params[name] for name in names}
        return cls(**given, timeout=timeout or params["request_timeout"])

    def lines(self, about: t.Collection[str]) -> list[str]:
        """Recent lines that contain one of the ids."""
        lines = self._find(log_query(about), since=SKEW)
        return [str(line.get("event_message", "")) for line in lines]

    def of_function(
        self, function_id: str, *, since: timedelta, limit: int = LINES, level: str = ""
    ) -> list[LogEntry]:
        """The newest lines of one function, the oldest of them first. With `level` those alone."""
        lines = self._find(function_query(function_id, limit, level), since=since)
        return [LogEntry.from_json(line) for line in reversed(lines)]

    def ids(self) -> dict[str, str]:
        """The log's id of each function that the project has, by its name."""
        try:
            return {str(entry["slug"]): str(entry["id"]) for entry in self._ask("/functions")}
        except (KeyError, TypeError):
            raise self._no_json() from None

    def _find(self, sql: str, *, since: timedelta) -> list[dict[str, t.Any]]:
        document = self._ask(
            "/analytics/endpoints/logs.all",
            sql=sql,
            iso_timestamp_start=(now() - since).isoformat(),
            iso_timestamp_end=(now() + SKEW).isoformat(),
        )
        if not isinstance(document, dict):
            raise self._no_json()
        # Without its result, an empty log is not certain.
        if document.get("error") or not isinstance(document.get("result"), list):
            raise UnreachableError(f"{_WHERE} returned an error instead: try again later.")
        return list(document["result"])

    def _ask(self, path: str, **params: str) -> t.Any:
        answer = ask(
            _WHERE,
            "GET",
            f"{self.api_url.rstrip('/')}/v1/projects/{self.project_ref}{path}",
            params=params,
            authorization=bearer(self.access_token),
            timeout=self.timeout,
            ca_cert=self.ca_cert,
        )
        good(
            answer,
            _WHERE,
            forbidden="check 'access_token' and that it may read functions and analytics",
            otherwise=(UnreachableError, "check 'api_url' and 'project_ref'"),
        )
        try:
            return answer.json()
        except ValueError:
            raise self._no_json() from None

    def _no_json(self) -> UnreachableError:
        return UnreachableError(f"{_WHERE} did not answer with its JSON: check 'api_url'.")


@dataclass(frozen=True)
class LogEntry:
    """One line of a function's log; `at` in seconds since the epoch, 0 when unknown."""

    at: float
    level: str
    message: str

    @classmethod
    def from_json(cls, line: t.Mapping[str, t.Any]) -> LogEntry:
        """The level stands in the line or in its metadata, which the API gives as a list."""
        metadata = line.get("metadata")
        inner = metadata[0] if isinstance(metadata, list) and metadata else metadata
        level = line.get("level") or (inner or {}).get("level") or ""
        try:
            at = float(line.get("timestamp") or 0) / 1_000_000
        except (TypeError, ValueError):
            at = 0.0
        return cls(at, str(level), str(line.get("event_message", "")).rstrip())


def function_query(function_id: str, limit: int, level: str = "") -> str:
    """Refuses an id that could end the literal it stands in."""
    if not MESSAGE_ID.fullmatch(function_id):
        raise InputError(f"The log can't be asked for a function of the id {function_id!r}.")
    only = f"and m.level = '{level}' " if level else ""
    return (
        "select t.timestamp, t.event_message, m.level from function_logs as t "  # noqa: S608
        f"cross join unnest(metadata) as m where m.function_id = '{function_id}' {only}"
        f"order by timestamp desc limit {limit}"
    )


def log_query(about: t.Collection[str]) -> str:
    """The log's SQL takes no values apart from its text, so only what can't end a literal gets in."""
    for message_id in about:
        if not MESSAGE_ID.fullmatch(message_id):
            raise InputError(
                f"The message id {message_id!r} has characters that the log can't search."
            )
    pattern = "|".join(message_id.replace(".", "[.]") for message_id in sorted(about))
    return (
        "select timestamp, event_message from function_logs "  # noqa: S608
        f"where regexp_contains(event_message, '{pattern}') order by timestamp desc limit {LINES}"
    )


def probe_functions(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Call them until each passes. Raises VerificationError."""
    gateway = HttpGateway(
        options["functions_url"], ca_cert=options["ca_cert"], timeout=options["request_timeout"]
    )
    rows = probe_all(
        read_probes(options), gateway, timeout=options["wait_timeout"], pause=options["wait_sleep"]
    )
    failed = [row for row in rows if not row["passed"]]
    if failed:
        problems = "; ".join(f"{row['name']}: {row['detail']}" for row in failed)
        raise VerificationError(
            f"{len(failed)} of {len(rows)} functions below {options['functions_url']} fail "
            f"their probes: {problems}. Check their logs.",
            functions=[row["name"] for row in failed],
            probes=rows,
        )
    return {"changed": False, "probes": rows}


def read_probes(params: t.Mapping[str, t.Any]) -> list[FunctionProbe]:
    """Of all `names` but those that are skipped. Raises InputError."""
    special: dict[str, t.Any] = params["probes"]
    unknown = sorted({*special} - {*params["names"]})
    if unknown:
        raise InputError(
            f"'probes' names {', '.join(unknown)}, which 'names' does not: correct it."
        )
    made = [
        _read_probe(name, special.get(name) or {}, params["version"] or "")
        for name in params["names"]
    ]
    return [probe for probe in made if probe]


def _read_probe(slug: str, given: t.Any, version: str) -> FunctionProbe | None:
    allowed = {"path", "method", "status", "skip"}
    if not isinstance(given, dict) or {*given} - allowed:
        raise InputError(f"The probe of {slug} takes {', '.join(sorted(allowed))}: correct it.")
    if given.get("skip"):
        return None
    method = str(given.get("method", "GET")).upper()
    if method not in METHODS:
        raise InputError(
            f"The probe of {slug} has method {method!r}: it is one of {', '.join(METHODS)}."
        )
    try:
        status = tuple(int(each) for each in given.get("status", ()))
    except (TypeError, ValueError) as exc:
        raise InputError(f"The probe of {slug} has a 'status' that is no list of numbers.") from exc
    return FunctionProbe(slug, method, str(given.get("path", "")), status, version)
