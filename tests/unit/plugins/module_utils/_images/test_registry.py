"""What a registry on loopback, with TLS of its own, may do to us."""

import base64
import hashlib
import ssl
import typing as t
from pathlib import Path

import pytest
import trustme

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._images import (
    HttpRegistry,
    MissingImagesError,
    Reference,
    resolve,
)
from ansible_collections.easymo.deploy.plugins.module_utils._time import Deadline
from tests.fakes.cluster import FakeClock
from tests.fakes.http_server import Handler, serving
from tests.tables import cases

DIGEST = "sha256:" + "a1" * 32
MANIFEST = b'{"schemaVersion": 2}'
ANN = "Basic " + base64.b64encode(b"ann:secret").decode()


class Shop:
    """A registry with one image. `realm`: where it sends for tokens; `stumbles`: how often it answers 503 first."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.realm = f"{self.url}/token"
        self.scheme = ""
        self.stumbles = 0
        self.digest = DIGEST
        self.status = 200
        self.kind = "application/vnd.oci.image.manifest.v1+json"
        """What GET of the manifest answers."""
        self.asked: list[tuple[str, str, str]] = []


class RegistryHandler(Handler):
    shop: t.ClassVar[Shop]

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(MANIFEST)

    def _answer(self, body: bytes) -> None:
        shop, permit = self.shop, self.headers.get("Authorization", "")
        shop.asked.append((self.command, self.path, permit))
        if shop.stumbles:
            shop.stumbles -= 1
            self.answer(503, b"")
        elif self.path.startswith("/token"):
            token = b'{"token": "t-1"}'
            self.answer(200 if permit in ("", ANN) else 401, token if permit in ("", ANN) else b"")
        elif shop.scheme == "bearer" and permit != "Bearer t-1":
            self.answer(
                401, b"", {"WWW-Authenticate": f'Bearer realm="{shop.realm}",service="shop"'}
            )
        elif shop.scheme == "basic" and permit != ANN:
            self.answer(401, b"", {"WWW-Authenticate": 'Basic realm="shop"'})
        elif self.path.endswith(("/core/manifests/v2", f"/core/manifests/{DIGEST}")):
            headers = {"Docker-Content-Digest": shop.digest} if shop.digest else {}
            status = 200 if self.command == "HEAD" else shop.status
            self.answer(status, body, {"Content-Type": shop.kind, **headers})
        else:
            self.answer(404, b"")


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("registry") / "ca.pem"


@pytest.fixture(scope="module")
def server(authority) -> t.Iterator[str]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(authority))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    with serving(RegistryHandler, context) as url:
        yield url.replace("127.0.0.1", "localhost")


@pytest.fixture
def shop(server) -> Shop:
    RegistryHandler.shop = Shop(server)
    return RegistryHandler.shop


def registry(shop: Shop, authority: Path | None, **more: t.Any) -> HttpRegistry:
    given = {"username": "", "password": "", "registry": shop.url, **more}
    ca_cert = str(authority) if authority else None
    clock = FakeClock()
    deadline = Deadline(10, clock.now, clock.sleep)
    return HttpRegistry({**given, "ca_cert": ca_cert}, timeout=5, deadline=deadline)


def digest(
    shop: Shop, authority: Path | None, text: str = "easymo/core:v2", **more: t.Any
) -> str | None:
    return registry(shop, authority, **more).digest(Reference.parse(text))


ANNS = {"username": "ann", "password": "secret"}


@pytest.mark.parametrize(
    ("scheme", "credentials", "permits"),
    [
        pytest.param("", {}, [""], id="open"),
        pytest.param("bearer", {}, ["", "", "Bearer t-1"], id="anonymous-token"),
        pytest.param("bearer", ANNS, ["", ANN, "Bearer t-1"], id="token-for-a-user"),
        pytest.param("basic", ANNS, ["", ANN], id="basic"),
    ],
)
def test_the_digest_is_told_to_whoever_meets_the_challenge(
    shop, authority, scheme, credentials, permits
):
    shop.scheme = scheme
    assert digest(shop, authority, **credentials) == DIGEST
    assert [permit for _method, _path, permit in shop.asked] == permits


def test_credentials_are_shown_to_nobody_who_did_not_ask(shop, authority):
    digest(shop, authority, **ANNS)
    assert {permit for _method, _path, permit in shop.asked} == {""}


def test_credentials_never_go_on_without_tls(shop, authority):
    shop.scheme, shop.realm = "bearer", "http://localhost:1/token"
    with pytest.raises(RefusedError, match="without TLS"):
        digest(shop, authority, **ANNS)


def test_a_certificate_nobody_vouches_for_is_refused(shop):
    with pytest.raises(RefusedError, match="ca_cert"):
        digest(shop, None)
    assert shop.asked == []


def test_a_registry_that_tells_no_digest_has_it_computed(shop, authority):
    shop.digest = ""
    assert digest(shop, authority) == f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"


@cases(
    ("status", "kind", "error"),
    {
        "refused": (403, "application/json", RefusedError),
        "gone": (404, "application/json", UnreachableError),
        "moved": (301, "text/html", UnreachableError),
        "broken": (500, "text/html", UnreachableError),
        "page": (200, "text/html; charset=utf-8", VerificationError),
        "nothing-said": (200, "", VerificationError),
    },
)
def test_an_answer_that_is_no_manifest_has_no_digest(shop, authority, status, kind, error):
    shop.digest, shop.status, shop.kind = "", status, kind
    with pytest.raises(error):
        digest(shop, authority)


@pytest.mark.parametrize("told", ["sha256:xyz", "md5:0", "sha256:" + "b2" * 32])
def test_a_digest_that_cannot_be_is_not_believed(shop, authority, told):
    shop.digest = told
    with pytest.raises(VerificationError):
        digest(shop, authority, f"easymo/core:v2@{DIGEST}")


def test_one_that_stumbles_is_asked_again_and_one_that_stays_away_is_told(shop, authority):
    shop.stumbles = 3
    assert digest(shop, authority) == DIGEST
    shop.stumbles = 1000
    with pytest.raises(UnreachableError, match="HTTP 503"):
        digest(shop, authority)
    with pytest.raises(UnreachableError, match="cannot be reached"):
        digest(shop, authority, registry="https://localhost:1")


@cases(
    ("scheme", "credentials"),
    {"none-given": ("basic", {}), "wrong": ("bearer", {"username": "ann", "password": "wrong"})},
)
def test_without_the_right_credentials_it_is_refused_and_no_secret_is_told(
    shop, authority, scheme, credentials
):
    shop.scheme = scheme
    with pytest.raises(RefusedError) as refused:
        digest(shop, authority, **credentials)
    assert "wrong" not in str(refused.value)


def test_half_a_credential_is_refused(shop, authority):
    with pytest.raises(InputError, match="go together"):
        registry(shop, authority, username="ann")


def test_all_that_are_missing_are_named_at_once(shop, authority):
    wanted = [Reference.parse(f"easymo/{name}") for name in ("core:v2", "core:v3", "wallet:v2")]
    with pytest.raises(MissingImagesError) as missing:
        resolve(registry(shop, authority), wanted)
    assert missing.value.details["missing"] == ["easymo/core:v3", "easymo/wallet:v2"]
    assert "2 of 3 images" in str(missing.value)
