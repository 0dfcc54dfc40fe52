# SPDX-License-Identifier: GPL-3.0-or-later
"""Edge functions and secrets at the Supabase Management API, in its own words."""

from __future__ import annotations

import email.parser
import email.policy
import json
import posixpath
import threading
import time
import typing as t

from .._errors import DeployError, InputError, RefusedError, UnreachableError
from .._http import LATER, Answer, NoAnswerError, bearer, pooled, said_in, send
from .models import Deployed, FunctionSource
from .scan import SCRIPTS

LONGEST_PAUSE = 65.0
"""Seconds. The API's rate limit resets within a minute."""
PATIENCE = 150.0
"""Seconds that one call may take with all its repetitions."""
_CONNECTIONS = 16


def _pause(answer: Answer, attempt: int) -> float:
    if answer.status == 429:
        for header in ("Retry-After", "X-RateLimit-Reset"):
            seconds = _seconds(answer.headers.get(header))
            if seconds is not None:
                return seconds
    return float(min(2 ** (attempt - 1), 8))


def _seconds(text: str | None) -> float | None:
    try:
        return min(max(float(text or ""), 0.0), LONGEST_PAUSE)
    except ValueError:
        return None


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


class SupabaseFunctionsApi:
    """The Management API's part for functions and secrets, of one project. Threads share it."""

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        """Of the options of the doc fragment _supabase."""
        self._base = f"{params['api_url'].rstrip('/')}/v1/projects/{params['project_ref']}"
        self._project_ref = params["project_ref"]
        self._timeout = params["request_timeout"]
        self._session = pooled(_CONNECTIONS)
        self._session.headers["Accept"] = "application/json"
        self._authorization = bearer(params["access_token"])
        self._ca_cert = params["ca_cert"]
        self._lock = threading.Lock()
        self._opens: dict[str, float] = {}
        """When each endpoint's limit is over: one refusal is enough for all workers."""

    def call(
        self,
        method: str,
        path: str,
        what: str,
        *,
        endpoint: str = "",
        repeatable: bool | None = None,
        gone_is_fine: bool = False,
        **more: t.Any,
    ) -> Answer:
        """`what` completes "the API answered 500 on …"; `endpoint` is the path without its variable parts.

        A lost call is repeated where that does no harm, which only the caller knows of anything but GET.
        """
        deadline = time.monotonic() + PATIENCE
        place = f"{method} {endpoint or path}"
        again = method == "GET" if repeatable is None else repeatable
        attempt = 0
        while True:
            attempt += 1
            self.wait(place)
            try:
                answer = send(
                    method,
                    self._base + path,
                    session=self._session,
                    authorization=self._authorization,
                    ca_cert=self._ca_cert,
                    timeout=self._timeout,
                    **more,
                )
            except NoAnswerError as exc:
                where = f"The Supabase Management API, asked for {what},"
                if exc.error is not UnreachableError:
                    raise exc.of(where) from None
                failure: DeployError = UnreachableError(
                    f"{where} {exc.problem}: check 'api_url' and the network."
                )
                pause, repeat, limited = 2.0 ** min(attempt, 3), again and attempt < 4, False
            else:
                if answer.good or (gone_is_fine and answer.status == 404):
                    return answer
                failure = self._refusal(answer, what)
                pause = _pause(answer, attempt)
                limited = answer.status == 429
                if limited:
                    self.shut(place, pause)
                repeat = limited or (answer.status in LATER and attempt < 4)
            if not repeat or attempt >= 9 or time.monotonic() + pause > deadline:
                raise failure
            if not limited:
                time.sleep(pause)

    def shut(self, endpoint: str, seconds: float) -> None:
        """Hold every worker back from it for so long."""
        opens = time.monotonic() + seconds
        with self._lock:
            self._opens[endpoint] = max(opens, self._opens.get(endpoint, 0.0))

    def wait(self, endpoint: str) -> None:
        while (left := self._opens.get(endpoint, 0.0) - time.monotonic()) > 0:
            time.sleep(left)

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
        answer = self.call("GET", "/functions", "the list of functions")
        return [_deployed(entry, "the list of functions") for entry in _json(answer, list)]

    def source(self, deployed: Deployed) -> FunctionSource:
        answer = self.call(
            "GET",
            f"/functions/{deployed.slug}/body",
            f"the sources of {deployed.slug}",
            endpoint="/functions/{slug}/body",
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
            repeatable=True,
            params={"slug": source.slug, "bundleOnly": "true"},
            files=parts,
        )
        return _deployed(_json(answer, dict), what)

    def activate(self, bundled: t.Sequence[Deployed]) -> None:
        body = [
            {key: entry.raw[key] for key in ACTIVATED if entry.raw.get(key) is not None}
            for entry in bundled
        ]
        self.call("PUT", "/functions", "the activation", json=body)

    def delete(self, slug: str) -> None:
        self.call(
            "DELETE",
            f"/functions/{slug}",
            f"the removal of {slug}",
            endpoint="/functions/{slug}",
            repeatable=True,
            gone_is_fine=True,
        )

    def secrets(self) -> dict[str, str]:
        """The names of the project's secrets, each with the digest of its value that the API gives in its place."""
        answer = self.call("GET", "/secrets", "the list of secrets")
        return {str(entry["name"]): str(entry["value"]) for entry in _json(answer, list)}

    def set_secrets(self, values: t.Mapping[str, str]) -> None:
        body = [{"name": name, "value": value} for name, value in values.items()]
        self.call("POST", "/secrets", "the setting of secrets", repeatable=True, json=body)

    def delete_secrets(self, names: t.Sequence[str]) -> None:
        self.call("DELETE", "/secrets", "the removal of secrets", repeatable=True, json=list(names))


def _json(answer: t.Any, kind: type) -> t.Any:
    try:
        parsed = answer.json()
    except ValueError:
        parsed = None
    if not isinstance(parsed, kind):
        raise UnreachableError(
            "The Supabase Management API did not answer with its JSON: check 'api_url'."
        )
    return parsed


def _deployed(entry: t.Any, what: str) -> Deployed:
    try:
        return Deployed.from_json(entry)
    except (KeyError, TypeError, AttributeError) as exc:
        raise UnreachableError(
            f"The Supabase Management API left something out on {what} ({exc}): check 'api_url'."
        ) from exc
