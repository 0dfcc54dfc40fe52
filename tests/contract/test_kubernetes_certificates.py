"""Which authorities are trusted: those that kubectl trusts, by its own word, and no others."""

from __future__ import annotations

import ssl
import subprocess
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.easymo.deploy.plugins.module_utils._checks import web
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import Ground
from ansible_collections.easymo.deploy.plugins.module_utils._errors import RefusedError
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes import KubernetesCluster
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import Connection
from tests.fakes.http_server import Handler, serving
from tests.integration.conftest import KUBECTL

FOUND = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}
Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Authority:
    """Basic constraints and nothing else: no keyUsage, no key identifiers."""

    name: str
    key: Key
    pem: Path

    @classmethod
    def made(cls, folder: Path, name: str) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        body = _builder(name, name, key).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        path = folder / f"{name}.pem"
        path.write_bytes(body.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return cls(name, key, path)

    def issue(self, folder: Path, address: str) -> Path:
        """Certificate and key of a server, in one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        body = _builder("kube-apiserver", self.name, key).add_extension(names, critical=False)
        path = folder / f"server-{address}.pem"
        path.write_bytes(
            body.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return path


def _builder(subject: str, issuer: str, key: Key) -> x509.CertificateBuilder:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
    )


class Found(Handler):
    def do_GET(self) -> None:
        self.answer_json(FOUND)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("authority"), "kubernetes")


@pytest.fixture(params=["127.0.0.1"])
def server(request, authority, tmp_path) -> t.Iterator[str]:
    """The URL of a server whose certificate is for the address of the parameter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue(tmp_path, request.param))
    with serving(Found, context) as url:
        yield url


def kubectl(server: str, ca: Path) -> int:
    argv = [KUBECTL, f"--server={server}", f"--certificate-authority={ca}", "--token=x"]
    path = "/api/v1/namespaces/prod/configmaps/x"
    return subprocess.run(
        [*argv, "get", "--raw", path], capture_output=True, timeout=60, check=False
    ).returncode


def read(server: str, ca: Path) -> t.Any:
    given = Connection("prod", host=server, api_key="x", ca_cert=str(ca))
    return KubernetesCluster(given).read("ConfigMap", "x")


def preflight(server: str, ca: Path) -> str:
    nothing = None
    ground = Ground("", "", datetime.now(UTC), 10, False, nothing, nothing, nothing, nothing)
    given = {"url": server, "ca_cert": str(ca), "client_cert": None, "client_key": None, "days": 30}
    return web.look_certificate(given, ground).status


def test_an_authority_without_key_usage_is_trusted_as_by_kubectl(server, authority):
    assert kubectl(server, authority.pem) == 0
    assert read(server, authority.pem) == FOUND
    assert preflight(server, authority.pem) == "pass"


def test_another_authority_is_refused_by_all_three(server, tmp_path):
    other = Authority.made(tmp_path, "kubernetes").pem
    assert kubectl(server, other) != 0
    with pytest.raises(RefusedError, match="authority that signed it"):
        read(server, other)
    with pytest.raises(RefusedError, match="is not accepted"):
        preflight(server, other)


@pytest.mark.parametrize("server", ["127.0.0.2"], indirect=True)
def test_a_certificate_for_another_address_is_refused_by_all_three(server, authority):
    assert kubectl(server, authority.pem) != 0
    with pytest.raises(RefusedError):
        read(server, authority.pem)
    with pytest.raises(RefusedError, match="is not accepted"):
        preflight(server, authority.pem)
