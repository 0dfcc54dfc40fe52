# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""The one place that talks to the Supabase Management API, retrying what may be repeated."""

from __future__ import annotations

import email.parser
import email.policy
import json
import time
import traceback
import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    InputError,
    RefusedError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.models import (
    Deployed,
    Source,
)
from ansible_collections.easymo.deploy.plugins.module_utils._library import Library

try:
    import requests

    IMPORT_ERROR: str | None = None
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

REQUESTS = Library("requests >= 2.32", IMPORT_ERROR)

RETRIABLE = frozenset({429, 500, 502, 503, 504})
LONGEST_PAUSE = 65.0
"""Seconds. The API's rate limit resets within a minute."""
PATIENCE = 150.0
"""Seconds that one call may take with all its repetitions."""
ACTIVATED = ("id", "slug", "name", "status", "version", "created_at", "verify_jwt", "import_map",
             "entrypoint_path", "import_map_path", "ezbr_sha256")  # fmt: skip
"""The keys that the bulk call takes; those that an answer left out stay left out, never null."""


class SupabaseFunctionsApi:
    """A FunctionsApi over HTTPS."""

    def __init__(
        self,
        *,
        api_url: str,
        project_ref: str,
        access_token: str,
        ca_cert: str | None,
        timeout: int,
    ) -> None:
        self._base = f"{api_url.rstrip('/')}/v1/projects/{project_ref}/functions"
        self._project_ref = project_ref
        self._headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        self._verify: str | bool = ca_cert or True
        self._timeout = timeout

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> SupabaseFunctionsApi:
        """Of the options of the doc fragment _supabase."""
        return cls(
            api_url=params["api_url"],
            project_ref=params["project_ref"],
            access_token=params["access_token"],
            ca_cert=params["ca_cert"],
            timeout=params["request_timeout"],
        )

    def list(self) -> list[Deployed]:
        answer = self._call("GET", "", "the list of functions")
        return [Deployed.from_json(entry) for entry in answer.json()]

    def source(self, deployed: Deployed) -> Source:
        answer = self._call(
            "GET",
            f"/{deployed.slug}/body",
            f"the sources of {deployed.slug}",
            headers={"Accept": "multipart/form-data"},
        )
        metadata, files = parse_sources(answer.headers.get("Content-Type", ""), answer.content)
        entrypoint = metadata.get("deno2_entrypoint_path") or metadata.get("entrypoint_path")
        return Source(
            slug=deployed.slug,
            entrypoint=uploaded_path(files, entrypoint or deployed.entrypoint),
            import_map=uploaded_path(files, metadata.get("import_map_path") or deployed.import_map),
            static_patterns=tuple(metadata.get("static_patterns") or ()),
            verify_jwt=deployed.verify_jwt,
            files=files,
        )

    def bundle(self, source: Source) -> Deployed:
        parts: list[tuple[str, tuple[t.Any, ...]]] = [
            ("file", (path, content, "application/octet-stream"))
            for path, content in source.files.items()
        ]
        parts.append(("metadata", (None, json.dumps(source.metadata()))))
        answer = self._call(
            "POST",
            "/deploy",
            f"the upload of {source.slug}",
            params={"slug": source.slug, "bundleOnly": "true"},
            files=parts,
        )
        return Deployed.from_json(answer.json())

    def activate(self, bundled: t.Sequence[Deployed]) -> None:
        body = [{key: entry.raw[key] for key in ACTIVATED if key in entry.raw} for entry in bundled]
        self._call("PUT", "", "the activation of the functions", json=body)

    def delete(self, slug: str) -> None:
        self._call("DELETE", f"/{slug}", f"the deletion of {slug}", gone_is_fine=True)

    def _call(
        self,
        method: str,
        path: str,
        what: str,
        *,
        headers: t.Mapping[str, str] | None = None,
        gone_is_fine: bool = False,
        **request: t.Any,
    ) -> requests.Response:
        """One call, repeated on a rate limit and on server errors. All of them may be: bundling activates nothing."""
        deadline = time.monotonic() + PATIENCE
        attempt = 0
        while True:
            attempt += 1
            failure: DeployError
            try:
                answer = requests.request(
                    method,
                    self._base + path,
                    headers={**self._headers, **(headers or {})},
                    timeout=self._timeout,
                    verify=self._verify,
                    **request,
                )
            except requests.RequestException as exc:
                failure = UnreachableError(
                    f"The Supabase Management API did not answer on {what} ({type(exc).__name__}): "
                    "check 'api_url' and the network."
                )
                pause = 2.0 ** min(attempt, 3)
                repeatable = method == "GET"
            else:
                if answer.ok or (gone_is_fine and answer.status_code == 404):
                    return answer
                failure = self._refusal(answer, what)
                pause = _pause(answer, attempt)
                repeatable = answer.status_code == 429 or (
                    answer.status_code in RETRIABLE and attempt < 4
                )
            if not repeatable or attempt >= 9 or time.monotonic() + pause > deadline:
                raise failure
            time.sleep(pause)

    def _refusal(self, answer: requests.Response, what: str) -> DeployError:
        said = _message(answer)
        where = f"The Supabase Management API answered {answer.status_code} on {what}"
        if answer.status_code in (401, 403):
            return RefusedError(f"{where} ({said}): check 'access_token' and what it may do.")
        if answer.status_code == 402:
            return RefusedError(f"{where} ({said}): the plan's number of functions is reached.")
        if answer.status_code == 404:
            return InputError(f"{where} ({said}): is {self._project_ref!r} the right project?")
        if answer.status_code in RETRIABLE:
            return UnreachableError(f"{where} ({said}), also after repeating it: try again later.")
        return RefusedError(f"{where}: {said}")


def _pause(answer: requests.Response, attempt: int) -> float:
    for header in ("Retry-After", "X-RateLimit-Reset"):
        try:
            return min(float(answer.headers[header]), LONGEST_PAUSE)
        except (KeyError, ValueError):
            continue
    return float(min(2 ** (attempt - 1), 8))


def _message(answer: requests.Response) -> str:
    try:
        said = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        said = answer.text.strip()
    return " ".join(str(said).split())[:500] or "no reason given"


def uploaded_path(files: t.Mapping[str, bytes], location: str) -> str:
    """The uploaded file that `location` means, which may stand below a folder of the builder's own machine.

    Empty for an empty location, as for a function without an import map.
    """
    if not location:
        return ""
    found = [path for path in files if f"/{location}".endswith(f"/{path.lstrip('/')}")]
    if not found:
        raise UnreachableError(
            f"The Supabase Management API names {location}, but sent no such source among {', '.join(sorted(files))}."
        )
    return max(found, key=len)


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
            "The Supabase Management API sent no sources where it should: its answer was "
            f"{content_type or 'without a content type'}."
        )
    return metadata, files
