# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry that the node pulls from, as clients see it: what the OCI distribution API has for manifests.

It wants an anonymous token, as Docker Hub does. The node's faults do not touch it: a tag may go after somebody looked.
It has the platform's images from the start. What is pushed is kept in a file, for a node that is killed. The annotation
org.opencontainers.image.version, which image-spec defines, is the version that the image's program tells.
"""

from __future__ import annotations

import hashlib
import json
import typing as t
import urllib.error
import urllib.request

from aiohttp import web

from sandbox.errors import SandboxError
from sandbox.node.images import Image, InvalidImageError, in_registry, parse_image
from sandbox.services import REGISTRY

if t.TYPE_CHECKING:
    from pathlib import Path

MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
TOKEN = "anonymous-pull"  # noqa: S105 - everybody gets it
VERSION = "org.opencontainers.image.version"


def manifest(reference: str, version: str = "") -> bytes:
    """Of no use to run, and as stable as a pushed image's."""
    config = hashlib.sha256(reference.encode()).hexdigest()
    body: dict[str, t.Any] = {
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": f"sha256:{config}",
            "size": 2,
        },
        "layers": [],
    }
    if version:
        body["annotations"] = {VERSION: version}
    return json.dumps(body).encode()


def push(registry: str, reference: str, version: str = "") -> None:
    """As CI does. The host in an image's name is left out: the registry has the images of all of them."""
    image = parse_image(reference)
    name = image.canonical.partition("/")[2].rpartition(":")[0]
    request = urllib.request.Request(  # noqa: S310 - our own http URL
        f"{registry}/v2/{name}/manifests/{image.tag}",
        data=manifest(reference, version),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": MEDIA_TYPE},
        method="PUT",
    )
    try:
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310
            pass
    except urllib.error.URLError as exc:
        raise SandboxError(
            f"The registry did not take {reference} ({exc}): see 'python -m sandbox logs node'."
        ) from exc


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

    def version(self, image: Image) -> str:
        """What its program tells: as it was pushed with, else its tag's."""
        names = (f"{name}:{image.version}" for name in image.names)
        body = next((self._pushed[name] for name in names if name in self._pushed), "{}")
        told = (json.loads(body).get("annotations") or {}).get(VERSION)
        return str(told or image.version.removeprefix("v"))

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
