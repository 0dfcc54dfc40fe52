# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry that the node pulls from, as clients see it: the read-only part of the OCI distribution API.

It wants an anonymous token, as Docker Hub does. The node's faults do not touch it: a tag may go after somebody looked.
"""

from __future__ import annotations

import hashlib
import json

from aiohttp import web

from sandbox.node.images import InvalidImageError, in_registry, parse_image
from sandbox.services import REGISTRY

MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
TOKEN = "anonymous-pull"  # noqa: S105 - everybody gets it


def routes() -> list[web.RouteDef]:
    return [
        web.get("/token", _token),
        web.get("/v2/", _version),
        web.get("/v2/{name:.+}/manifests/{reference}", _manifest),
    ]


def manifest(reference: str) -> bytes:
    """Of no use to run, and as stable as a pushed image's."""
    config = hashlib.sha256(reference.encode()).hexdigest()
    body = {
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": f"sha256:{config}",
            "size": 2,
        },
        "layers": [],
    }
    return json.dumps(body).encode()


def digest(reference: str) -> str:
    return f"sha256:{hashlib.sha256(manifest(reference)).hexdigest()}"


async def _token(_request: web.Request) -> web.Response:
    return web.json_response({"token": TOKEN, "expires_in": 300})


async def _version(request: web.Request) -> web.Response:
    return _challenge(request) or web.json_response({})


async def _manifest(request: web.Request) -> web.Response:
    refused = _challenge(request)
    if refused is not None:
        return refused
    named = _named(request.match_info["name"], request.match_info["reference"])
    if named is None:
        return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
    headers = {"Docker-Content-Digest": digest(named)}
    return web.Response(body=manifest(named), content_type=MEDIA_TYPE, headers=headers)


def _named(repository: str, reference: str) -> str | None:
    """The image that a tag or a digest means, None when there is none."""
    if reference.startswith("sha256:"):
        known = (one for one in REGISTRY if one.rpartition(":")[0] == repository)
        return next((one for one in known if digest(one) == reference), None)
    try:
        image = parse_image(f"{repository}:{reference}")
    except InvalidImageError:
        return None
    return image.reference if in_registry(image, REGISTRY) else None


def _challenge(request: web.Request) -> web.Response | None:
    if request.headers.get("Authorization") == f"Bearer {TOKEN}":
        return None
    refused = _error(401, "UNAUTHORIZED", "authentication required")
    realm = f"http://{request.host}/token"
    refused.headers["WWW-Authenticate"] = f'Bearer realm="{realm}",service="sandbox"'
    return refused


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)
