# SPDX-License-Identifier: GPL-3.0-or-later
"""Look in registries whether images are there, and under which digest, by the OCI distribution API."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import parse_http_list

from ._decode import restored, under
from ._errors import DeployError, InputError, RefusedError, UnreachableError, VerificationError
from ._http import Answer, Repeat, ask, basic
from ._threads import side_by_side
from ._time import Deadline

DEFAULT_HOST = "docker.io"
DEFAULT_API = "https://registry-1.docker.io"
_NAME = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<name>(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?{_NAME}(?:/{_NAME})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
DIGEST_SHOWN = len("sha256:0123456789ab")


def split_image(image: str) -> tuple[str, str, str]:
    """(name, tag, digest) of whatever stands in a pod template, "" for what it has not; a port is part of the name."""
    named, _at, digest = image.partition("@")
    path, slash, last = named.rpartition("/")
    name, _colon, tag = last.partition(":")
    return f"{path}{slash}{name}", tag, digest


def version_of(image: str) -> str:
    """How people know an image: its tag, else the beginning of its digest, "" without either."""
    _name, tag, digest = split_image(image)
    return tag or (f"{digest[:DIGEST_SHOWN]}…" if len(digest) > DIGEST_SHOWN else digest)


def image_of(name: str, images: t.Mapping[str, str]) -> str:
    """That of the container that is called as its Deployment, else of the first one; "" for none."""
    return images.get(name) or next(iter(images.values()), "")


@dataclass(frozen=True)
class Reference:
    """`text` as it was given; `repository` without its host, as the registry's API names it."""

    text: str
    host: str
    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        matched = _REFERENCE.fullmatch(text)
        if matched is None:
            raise InputError(
                f"{text!r} names no image: it should look like registry.example.com/team/service:v2.0.0."
            )
        first, slash, rest = matched["name"].partition("/")
        hosted = bool(slash) and ("." in first or ":" in first or first == "localhost")
        host, repository = (first, rest) if hosted else (DEFAULT_HOST, matched["name"])
        if host == DEFAULT_HOST and "/" not in repository:
            repository = f"library/{repository}"
        digest = matched["digest"] or ""
        return cls(text, host, repository, matched["tag"] or ("" if digest else "latest"), digest)

    @property
    def api(self) -> str:
        """The base URL of the registry that the name itself tells."""
        return DEFAULT_API if self.host == DEFAULT_HOST else f"https://{self.host}"

    @property
    def manifest(self) -> str:
        """What to ask the registry for: a digest is exact, a tag may have moved."""
        return self.digest or self.tag

    def pinned(self, digest: str) -> str:
        """The same image by its digest; the tag stays, for people to read."""
        return f"{self.text.partition('@')[0]}@{digest}"


def read_challenge(header: str) -> tuple[str, dict[str, str]]:
    """What a registry wants before it answers: the scheme in lower case, and its parameters."""
    scheme, _space, rest = header.strip().partition(" ")
    parts = [part.partition("=") for part in parse_http_list(rest)]
    return scheme.lower(), {
        name.strip().lower(): value.strip().strip('"') for name, _equals, value in parts
    }


MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPT = ", ".join(MANIFEST_TYPES)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LARGEST = 4 << 20
"""Bytes of a manifest: what the specification lets a registry refuse beyond."""


@dataclass(frozen=True)
class _Permit:
    """A token server's answer, which may give both, https://distribution.github.io/distribution/spec/auth/token/."""

    token: str = under("token", "access_token", required=True)


class HttpRegistry:
    """Every registry that references name, or the one at the option `registry`.

    Until `deadline` a registry that stumbles is asked again.
    """

    def __init__(
        self, options: t.Mapping[str, t.Any], *, timeout: float, deadline: Deadline
    ) -> None:
        api, username, password = (options[name] for name in ("registry", "username", "password"))
        if bool(username) != bool(password):
            raise InputError("Options 'username' and 'password' go together: set both, or none.")
        if api and not api.startswith(("http://", "https://")):
            raise InputError(
                f"'registry' is {api!r}: it should be a URL, https://registry.example.com."
            )
        self._api = api.rstrip("/")
        self._basic = basic(username, password)
        self._ca_cert = options["ca_cert"]
        self._timeout = timeout
        self._deadline = deadline

    def digest(self, reference: Reference) -> str | None:
        """`sha256:…` of what the reference names, None when the registry has no such image. On any thread."""
        url = (
            f"{self._api or reference.api}/v2/{reference.repository}/manifests/{reference.manifest}"
        )
        answer, permit = self._permitted(url, reference)
        if answer.status == 404:
            return None
        _refuse_failed(answer, reference)
        text = answer.headers.get("Docker-Content-Digest") or self._computed(url, permit, reference)
        if not _DIGEST.fullmatch(text) or (reference.digest and text != reference.digest):
            raise VerificationError(
                f"The registry returns {text[:100]!r} as the digest of {reference.text}, which is invalid."
            )
        return text

    def _permitted(self, url: str, reference: Reference) -> tuple[Answer, str]:
        """The answer to HEAD, and the Authorization that it took."""
        answer = self._ask("HEAD", url, "")
        if answer.status != 401:
            return answer, ""
        permit = self._permit(answer.headers.get("WWW-Authenticate", ""), url, reference)
        return (self._ask("HEAD", url, permit), permit) if permit else (answer, "")

    def _permit(self, header: str, url: str, reference: Reference) -> str:
        """The Authorization that the challenge asks for, empty when we have none to give."""
        scheme, parameters = read_challenge(header)
        if scheme == "basic":
            return self._basic
        realm = parameters.get("realm", "")
        if scheme != "bearer" or not realm:
            return ""
        # Credentials that went out encrypted must not go on in the clear.
        if url.startswith("https:") and not realm.lower().startswith("https:"):
            raise RefusedError(
                f"The registry of {reference.text} redirects to {host_of(realm)} without TLS for a "
                "token, which was not requested."
            )
        scope = parameters.get("scope") or f"repository:{reference.repository}:pull"
        query = {"scope": scope, "service": parameters.get("service", "")}
        answer = self._ask("GET", realm, self._basic, query)
        if answer.status != 200:
            raise RefusedError(
                f"{host_of(realm)} gave no token for {reference.text} (HTTP {answer.status}): correct "
                "'username' and 'password'."
            )
        return f"Bearer {_token(answer, realm)}"

    def _computed(self, url: str, permit: str, reference: Reference) -> str:
        """Of a registry that tells no digest: the manifest's own."""
        answer = self._ask("GET", url, permit)
        _refuse_failed(answer, reference)
        if len(answer.body) > _LARGEST:
            raise VerificationError(f"The manifest at {url} is too large.")
        if answer.headers.get("Content-Type", "").partition(";")[0].strip() not in MANIFEST_TYPES:
            raise VerificationError(
                f"The registry returns no manifest for {reference.text}, so its digest is not known."
            )
        return f"sha256:{hashlib.sha256(answer.body).hexdigest()}"

    def _ask(
        self, method: str, url: str, permit: str, query: t.Mapping[str, str] | None = None
    ) -> Answer:
        """Asked again while the registry stumbles and there is patience left."""
        return ask(
            f"The registry {host_of(url)}",
            method,
            url,
            params=dict(query or {}),
            headers={"Accept": ACCEPT},
            authorization=permit,
            ca_cert=self._ca_cert,
            timeout=self._timeout,
            repeat=Repeat(self._deadline),
        )


def _refuse_failed(answer: Answer, reference: Reference) -> None:
    if answer.status in (401, 403):
        raise RefusedError(
            f"The registry does not show {reference.text} (HTTP {answer.status}): it is "
            "missing, or 'username' and 'password' may not pull it."
        )
    if answer.status != 200:
        raise UnreachableError(
            f"The registry answered HTTP {answer.status} for {reference.text}: try again later."
        )


def _token(answer: Answer, realm: str) -> str:
    try:
        return restored(_Permit, answer.json(), "answer").token
    except ValueError as exc:
        raise VerificationError(f"{host_of(realm)} answered without a token.") from exc


def host_of(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or url
    except ValueError:  # Of what is no URL, as http://[::1.
        return url


AT_ONCE = 8


class MissingImagesError(DeployError):
    reason = "ImageNotFound"


def resolve(registry: HttpRegistry, references: t.Sequence[Reference]) -> dict[str, str]:
    """The digest of each, by its text. Raises with all that are missing; what could not be asked raises first."""
    digests = side_by_side(registry.digest, references, at_once=AT_ONCE)
    texts = [reference.text for reference in references]
    results = {text: digest for text, digest in zip(texts, digests, strict=True) if digest}
    missing = [text for text in texts if text not in results]
    if missing:
        raise MissingImagesError(
            f"{len(missing)} of {len(references)} images are not in their registry: {', '.join(missing)}. "
            "Push them, or correct the tag.",
            missing=missing,
        )
    return results
