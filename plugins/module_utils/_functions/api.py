# SPDX-License-Identifier: GPL-3.0-or-later
"""Edge functions, their log and secrets at the Supabase Management API, in its own words."""

from __future__ import annotations

import email.parser
import email.policy
import functools
import hashlib
import json
import posixpath
import re
import typing as t
from dataclasses import dataclass
from datetime import timedelta

from .._decode import Shape, restored, restored_each, under
from .._errors import DeployError, InputError, RefusedError, UnreachableError, VerificationError
from .._http import LATER, Answer, Repeat, ask, bearer, pooled, said_in
from .._time import Deadline, now
from .models import Deployed, FunctionSource
from .scan import SCRIPTS

PATIENCE = 150.0
"""Seconds that one call may take with all its repetitions. The API's rate limit resets within a minute."""
REPETITIONS = 3
"""Of a call that was lost or met an error of the server. A rate limit is waited for."""
_CONNECTIONS = 16


ACTIVATED = ("id", "slug", "name", "status", "version", "created_at", "verify_jwt", "import_map",
             "entrypoint_path", "import_map_path", "ezbr_sha256")  # fmt: skip
"""The keys that the bulk call takes; those that an answer left out stay left out, never null."""


def uploaded_path(files: t.Mapping[str, bytes], location: str) -> str:
    """The uploaded file that `location` means, which may stand below a folder of the builder's own machine.

    Empty for an empty location, as for a function without an import map.
    """
    if not location:
        return ""
    candidates = [path for path in files if f"/{location}".endswith(f"/{path.lstrip('/')}")]
    if not candidates:
        raise UnreachableError(
            f"The Supabase Management API names {location}, but sent only "
            f"{', '.join(sorted(files))}."
        )
    return max(candidates, key=len)


def static_rest(files: t.Mapping[str, bytes], entrypoint: str, import_map: str) -> list[str]:
    """Files that are no modules. The API does not tell which patterns once matched them, and forgets those unnamed."""
    return sorted(
        path
        for path in files
        if path not in (entrypoint, import_map)
        and posixpath.splitext(path)[1].lower() not in SCRIPTS
    )


def parse_sources(content_type: str, body: bytes) -> tuple[dict[str, t.Any], dict[str, bytes]]:
    """The metadata and the files, by path, of a function's body in multipart/form-data."""
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body
    )
    metadata: dict[str, t.Any] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        content = t.cast("bytes", part.get_payload(decode=True))
        name = part.get_param("name", header="content-disposition")
        if name == "metadata":
            metadata = json.loads(content)
        elif path := part.get("Supabase-Path") or part.get_filename():
            files[str(path)] = content
    if not files:
        raise UnreachableError(
            "The Supabase Management API sent no sources: its answer was "
            f"{content_type or 'without a content type'}."
        )
    return metadata, files


SEARCHABLE = re.compile(r"[A-Za-z0-9._-]+")
SKEW = timedelta(minutes=5)
"""The platform's clock may differ from ours by so much."""
LINES = 1000


@dataclass(frozen=True)
class LogEntry:
    """One line of a function's log; `timestamp` in microseconds since the epoch, 0 when unknown."""

    timestamp: float = 0.0
    level: str = ""
    text: str = under("event_message")

    @property
    def at(self) -> float:
        """Seconds since the epoch."""
        return self.timestamp / 1e6

    @property
    def message(self) -> str:
        return self.text.rstrip()


@dataclass(frozen=True)
class _Log:
    error: t.Any = None
    result: tuple[LogEntry, ...] | None = None


@dataclass(frozen=True)
class _Secret:
    name: str
    value: str


def searchable(entry: str) -> str:
    """The log's SQL takes no values apart from its text, so only what can't end a literal gets in."""
    if not SEARCHABLE.fullmatch(entry):
        raise InputError(f"The id {entry!r} has characters that the log can't search.")
    return entry


def function_query(function_id: str, limit: int, level: str = "") -> str:
    only = f"and m.level = '{level}' " if level else ""
    return (
        "select t.timestamp, t.event_message, m.level from function_logs as t "  # noqa: S608
        f"cross join unnest(metadata) as m where m.function_id = '{searchable(function_id)}' {only}"
        f"order by timestamp desc limit {limit}"
    )


def log_query(about: t.Collection[str]) -> str:
    pattern = "|".join(searchable(entry).replace(".", "[.]") for entry in sorted(about))
    return (
        "select timestamp, event_message from function_logs "  # noqa: S608
        f"where regexp_contains(event_message, '{pattern}') order by timestamp desc limit {LINES}"
    )


class SupabaseFunctionsApi:
    """The Management API's part for functions, their log and secrets, of one project. Threads share it."""

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        *,
        timeout: float | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """Of the options of the doc fragment _supabase; `timeout` in seconds in the place of theirs.

        `patience`: seconds that one call may take with its repetitions, 0 for none of these.
        """
        self._base = f"{params['api_url'].rstrip('/')}/v1/projects/{params['project_ref']}"
        self._project_ref = params["project_ref"]
        self._patience = patience
        session = pooled(_CONNECTIONS)
        session.headers["Accept"] = "application/json"
        self._how = {
            "session": session,
            "authorization": bearer(params["access_token"]),
            "ca_cert": params["ca_cert"],
            "timeout": timeout or params["request_timeout"],
        }

    def call(
        self,
        method: str,
        path: str,
        what: str,
        *,
        repeatable: bool = True,
        also: t.Collection[int] = (),
        **more: t.Any,
    ) -> Answer:
        """`what` completes "the API answered 500 on …", and `also` are statuses that are fine.

        A rate limit is waited for, and what may arrive twice (`repeatable`) is sent again when it was lost.
        """
        answer = ask(
            f"The Supabase Management API, asked for {what},",
            method,
            self._base + path,
            repeat=Repeat(Deadline(self._patience), lost=repeatable, times=REPETITIONS),
            **self._how,
            **more,
        )
        if answer.good or answer.status in also:
            return answer
        raise self._refusal(answer, what)

    def _refusal(self, answer: Answer, what: str) -> DeployError:
        text = said_in(answer, limit=500) or "no reason given"
        where = f"The Supabase Management API answered {answer.status} on {what}"
        if answer.status in (401, 403):
            return RefusedError(f"{where} ({text}): check 'access_token' and its permissions.")
        if answer.status == 402:
            return RefusedError(f"{where} ({text}): the plan's number of functions is reached.")
        if answer.status == 404:
            return InputError(f"{where} ({text}): is {self._project_ref!r} the right project?")
        if answer.status in LATER:
            return UnreachableError(f"{where} ({text}), also after a retry: try again later.")
        return RefusedError(f"{where}: {text}")

    def list(self) -> list[Deployed]:
        what = "the list of functions"
        answer = self.call("GET", "/functions", what)
        return _read(answer, what, functools.partial(restored_each, Deployed, name="functions"))

    def lines(self, about: t.Collection[str]) -> t.Sequence[str]:
        """Recent lines of the functions' log that contain one of the ids."""
        return [entry.message for entry in self._log(log_query(about), since=SKEW)]

    def log_of(
        self, deployed: Deployed, *, since: timedelta, limit: int = LINES, level: str = ""
    ) -> t.Sequence[LogEntry]:
        """The newest lines of one function, the oldest of them first. With `level` those alone."""
        return self._log(function_query(deployed.id, limit, level), since=since)[::-1]

    def _log(self, sql: str, *, since: timedelta) -> t.Sequence[LogEntry]:
        answer = self.call(
            "GET",
            "/analytics/endpoints/logs.all",
            "the functions' log",
            params={
                "sql": sql,
                "iso_timestamp_start": (now() - since).isoformat(),
                "iso_timestamp_end": (now() + SKEW).isoformat(),
            },
        )
        log = _read(answer, "the functions' log", functools.partial(restored, _Log, name="log"))
        # Without its result, an empty log is not certain.
        if log.error or log.result is None:
            raise UnreachableError(
                "The Supabase Management API returned an error in place of the functions' log: try again later."
            )
        return log.result

    def source(self, deployed: Deployed) -> FunctionSource:
        answer = self.call(
            "GET",
            f"/functions/{deployed.slug}/body",
            f"the sources of {deployed.slug}",
            headers={"Accept": "multipart/form-data"},
        )
        metadata, files = parse_sources(answer.headers.get("Content-Type", ""), answer.body)
        named = metadata.get("deno2_entrypoint_path") or metadata.get("entrypoint_path")
        entrypoint = uploaded_path(files, named or deployed.entrypoint)
        import_map = uploaded_path(files, metadata.get("import_map_path") or deployed.import_map)
        patterns = metadata.get("static_patterns") or static_rest(files, entrypoint, import_map)
        return FunctionSource(
            slug=deployed.slug,
            entrypoint=entrypoint,
            import_map=import_map,
            static_patterns=tuple(patterns),
            verify_jwt=deployed.verify_jwt,
            files=files,
        )

    def bundle(self, source: FunctionSource) -> Deployed:
        parts: list[tuple[str, tuple[t.Any, ...]]] = [
            ("file", (path, content, "application/octet-stream"))
            for path, content in source.files.items()
        ]
        parts.append(("metadata", (None, json.dumps(source.metadata()))))
        what = f"the upload of {source.slug}"
        answer = self.call(
            "POST",
            "/functions/deploy",
            what,
            # What is bundled and not activated changes nothing, so it may be sent again.
            params={"slug": source.slug, "bundleOnly": "true"},
            files=parts,
        )
        return _read(answer, what, functools.partial(restored, Deployed, name="function"))

    def activate(self, bundled: t.Sequence[Deployed]) -> None:
        body = [
            {key: entry.raw[key] for key in ACTIVATED if entry.raw.get(key) is not None}
            for entry in bundled
        ]
        self.call("PUT", "/functions", "the activation", repeatable=False, json=body)

    def delete(self, slug: str) -> None:
        self.call("DELETE", f"/functions/{slug}", f"the removal of {slug}", also=[404])

    def secrets(self) -> dict[str, str]:
        """The names of the project's secrets, each with the digest of its value that the API gives in its place."""
        what = "the list of secrets"
        answer = self.call("GET", "/secrets", what)
        listed = _read(answer, what, functools.partial(restored_each, _Secret, name="secrets"))
        return {entry.name: entry.value for entry in listed}

    def set_secrets(self, values: t.Mapping[str, str]) -> None:
        body = [{"name": name, "value": value} for name, value in values.items()]
        self.call("POST", "/secrets", "the setting of secrets", json=body)


def _read(answer: Answer, what: str, read: t.Callable[[t.Any], Shape]) -> Shape:
    try:
        body = answer.json()
    except ValueError:
        raise UnreachableError(
            "The Supabase Management API did not answer with its JSON: check 'api_url'."
        ) from None
    try:
        return read(body)
    except ValueError as exc:
        raise UnreachableError(
            f"The Supabase Management API left something out on {what} ({exc}): check 'api_url'."
        ) from exc


_NAME = re.compile(r"(?!SUPABASE_)[^\s=]{1,256}")
LONGEST_VALUE = 24_576
MOST = 100
"""Secrets that a project may have."""


def plan_secrets(present: t.Mapping[str, str], values: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The names to set. `present` are digests by name. Raises InputError, which shows no value."""
    refusals = (
        (
            [repr(name) for name in values if not _NAME.fullmatch(name)],
            "{} cannot name a secret: at most 256 characters without spaces or '=', "
            "and not beginning with SUPABASE_, which the platform keeps for itself.",
        ),
        (
            [name for name, value in values.items() if not (isinstance(value, str) and value)],
            "The values of {} are empty or no text: set them, in quotes.",
        ),
        (
            [name for name, value in values.items() if len(str(value)) > LONGEST_VALUE],
            f"The values of {{}} are longer than the {LONGEST_VALUE} characters that Supabase allows.",
        ),
    )
    for names, sentence in refusals:
        if names:
            raise InputError(sentence.format(", ".join(sorted(names))))
    if len({*present, *values}) > MOST:
        raise InputError(f"A project has at most {MOST} secrets: remove some first.")
    return {
        name: "changed" if name in present else "new"
        for name, value in sorted(values.items())
        if present.get(name) != digest(value)
    }


def apply_secrets(values: t.Mapping[str, str], api: SupabaseFunctionsApi) -> bool:
    """Whether the digests that the API gives afterwards are those of the values."""
    api.set_secrets(values)
    present = api.secrets()
    if missing := sorted({*values} - {*present}):
        raise VerificationError(
            f"The secrets were sent, but the project's list lacks {', '.join(missing)}: run this again."
        )
    return all(present[name] == digest(value) for name, value in values.items())


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
