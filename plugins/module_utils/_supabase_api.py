# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Edge functions and secrets at the Supabase Management API, in its own words."""

from __future__ import annotations

import json
import typing as t

from ._errors import UnreachableError
from ._functions.models import Deployed, Source
from ._functions.multipart import parse_sources, static_rest, uploaded_path
from ._supabase_http import ManagementClient

ACTIVATED = ("id", "slug", "name", "status", "version", "created_at", "verify_jwt", "import_map",
             "entrypoint_path", "import_map_path", "ezbr_sha256")  # fmt: skip
"""The keys that the bulk call takes; those that an answer left out stay left out, never null."""


class SupabaseFunctionsApi:
    """A FunctionsApi over HTTPS."""

    def __init__(self, client: ManagementClient) -> None:
        self._client = client

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> SupabaseFunctionsApi:
        """Of the options of the doc fragment _supabase."""
        return cls(ManagementClient.from_params(params))

    def list(self) -> list[Deployed]:
        answer = self._client.call("GET", "/functions", "the list of functions")
        return [_deployed(entry, "the list of functions") for entry in _json(answer, list)]

    def source(self, deployed: Deployed) -> Source:
        answer = self._client.call(
            "GET",
            f"/functions/{deployed.slug}/body",
            f"the sources of {deployed.slug}",
            endpoint="/functions/{slug}/body",
            headers={"Accept": "multipart/form-data"},
        )
        metadata, files = parse_sources(answer.headers.get("Content-Type", ""), answer.body)
        said = metadata.get("deno2_entrypoint_path") or metadata.get("entrypoint_path")
        entrypoint = uploaded_path(files, said or deployed.entrypoint)
        import_map = uploaded_path(files, metadata.get("import_map_path") or deployed.import_map)
        patterns = metadata.get("static_patterns") or static_rest(files, entrypoint, import_map)
        return Source(
            slug=deployed.slug,
            entrypoint=entrypoint,
            import_map=import_map,
            static_patterns=tuple(patterns),
            verify_jwt=deployed.verify_jwt,
            files=files,
        )

    def bundle(self, source: Source) -> Deployed:
        parts: list[tuple[str, tuple[t.Any, ...]]] = [
            ("file", (path, content, "application/octet-stream"))
            for path, content in source.files.items()
        ]
        parts.append(("metadata", (None, json.dumps(source.metadata()))))
        what = f"the upload of {source.slug}"
        answer = self._client.call(
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
        self._client.call("PUT", "/functions", "the activation", json=body)

    def delete(self, slug: str) -> None:
        self._client.call(
            "DELETE",
            f"/functions/{slug}",
            f"the removal of {slug}",
            endpoint="/functions/{slug}",
            repeatable=True,
            gone_is_fine=True,
        )

    def secrets(self) -> dict[str, str]:
        """The names of the project's secrets, each with the digest of its value that the API gives in its place."""
        answer = self._client.call("GET", "/secrets", "the list of secrets")
        return {str(entry["name"]): str(entry["value"]) for entry in _json(answer, list)}

    def set_secrets(self, values: t.Mapping[str, str]) -> None:
        body = [{"name": name, "value": value} for name, value in values.items()]
        self._client.call("POST", "/secrets", "the setting of secrets", repeatable=True, json=body)

    def delete_secrets(self, names: t.Sequence[str]) -> None:
        self._client.call(
            "DELETE", "/secrets", "the removal of secrets", repeatable=True, json=list(names)
        )


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
