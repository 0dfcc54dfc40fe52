# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry that the node pulls from, as clients see it: what the OCI distribution API has for manifests.

It wants an anonymous token, as Docker Hub does. The node's faults do not touch it: a tag may go after somebody looked.
It has the platform's images from the start. What is pushed is kept in a file, for a node that is killed.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from aiohttp import web

from sandbox.node.images import Image, InvalidImageError, in_registry, parse_image
from sandbox.services import IMAGES, REGISTRY

if t.TYPE_CHECKING:
    from pathlib import Path

MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
TOKEN = "anonymous-pull"  # noqa: S105 - everybody gets it


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
    """Of an image that is there from the start."""
    return _sha256(manifest(reference))


def _sha256(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


class Registry:
    """`pushed`: the file with the manifests that were pushed, by image."""

    def __init__(self, pushed: Path) -> None:
        self._file = pushed
        self._pushed: dict[str, str] = json.loads(pushed.read_text()) if pushed.exists() else {}

    def has(self, image: Image) -> bool:
        return in_registry(image, REGISTRY | self._pushed.keys())

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/token", _token),
            web.get("/v2/", _version),
            web.get("/v2/{name:.+}/manifests/{reference}", self._pulled),
            web.put("/v2/{name:.+}/manifests/{reference}", self._push),
        ]

    async def _pulled(self, request: web.Request) -> web.Response:
        refused = _challenge(request)
        if refused is not None:
            return refused
        named = self._named(request.match_info["name"], request.match_info["reference"])
        if named is None:
            return _error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        body = self._manifest(named)
        headers = {"Docker-Content-Digest": _sha256(body)}
        return web.Response(body=body, content_type=MEDIA_TYPE, headers=headers)

    async def _push(self, request: web.Request) -> web.Response:
        """Takes manifests alone, for a layer would be of no use here: a service's program is the sandbox's own."""
        refused = _challenge(request)
        if refused is not None:
            return refused
        name, tag = request.match_info["name"], request.match_info["reference"]
        if name not in {image.rpartition(":")[0] for image in IMAGES}:
            return _error(404, "NAME_UNKNOWN", "repository name not known to registry")
        body = await request.text()
        self._pushed[f"{name}:{tag}"] = body
        self._file.write_text(json.dumps(self._pushed))
        headers = {"Docker-Content-Digest": _sha256(body.encode()), "Location": request.path}
        return web.Response(status=201, headers=headers)

    def _manifest(self, reference: str) -> bytes:
        pushed = self._pushed.get(reference)
        return manifest(reference) if pushed is None else pushed.encode()

    def _named(self, repository: str, reference: str) -> str | None:
        """The image that a tag or a digest means, None when there is none."""
        if reference.startswith("sha256:"):
            every = REGISTRY | self._pushed.keys()
            known = (image for image in every if image.rpartition(":")[0] == repository)
            return next(
                (image for image in known if _sha256(self._manifest(image)) == reference), None
            )
        try:
            image = parse_image(f"{repository}:{reference}")
        except InvalidImageError:
            return None
        return image.reference if self.has(image) else None


async def _token(_request: web.Request) -> web.Response:
    return web.json_response({"token": TOKEN, "expires_in": 300})


async def _version(request: web.Request) -> web.Response:
    return _challenge(request) or web.json_response({})


def _challenge(request: web.Request) -> web.Response | None:
    if request.headers.get("Authorization") == f"Bearer {TOKEN}":
        return None
    refused = _error(401, "UNAUTHORIZED", "authentication required")
    realm = f"http://{request.host}/token"
    refused.headers["WWW-Authenticate"] = f'Bearer realm="{realm}",service="sandbox"'
    return refused


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)
