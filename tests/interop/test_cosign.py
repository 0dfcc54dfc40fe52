"""Signatures as cosign makes them, in a registry that is not ours: Debian's packages `cosign` and `docker-registry`."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.easymo.deploy.plugins.modules import images
from sandbox.cache import unpack
from sandbox.world import free_port
from tests.module_runner import run_module
from tests.waiting import until

CACHE = Path(__file__).parents[2] / ".sandbox" / "cache"
IMAGE = "shop/checkout:v2.0.0"
OCI = "application/vnd.oci.image.{}.v1+json"
ISSUER_OF_IDENTITY = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
"""https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md"""
WHO, ISSUER = "release@shop.example", "https://ci.shop.example"


class Registry:
    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.host, self.url = f"127.0.0.1:{port}", f"http://127.0.0.1:{port}"
        self.folder = folder
        self._cosign = unpack(CACHE, "cosign") / "usr/bin/cosign"
        program = unpack(CACHE, "docker-registry") / "usr/bin/docker-registry"
        settings = {
            "version": 0.1,
            "storage": {"filesystem": {"rootdirectory": str(folder / "blobs")}},
            "http": {"addr": self.host},
        }
        (folder / "registry.yml").write_text(json.dumps(settings), "utf-8")
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [program, "serve", folder / "registry.yml"], stdout=log, stderr=log
            )

    def cosign(self, *words: str | Path) -> None:
        environment = {**os.environ, "COSIGN_PASSWORD": "", "COSIGN_YES": "true"}
        done = subprocess.run(
            [self._cosign, *words], cwd=self.folder, env=environment, capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def push(self, image: str, content: str) -> str:
        """Its name by its digest."""
        name, _colon, tag = image.partition(":")
        config = json.dumps({"os": "linux", "config": {"Labels": {"content": content}}}).encode()
        begun = requests.post(f"{self.url}/v2/{name}/blobs/uploads/", timeout=10)
        requests.put(
            begun.headers["Location"], params={"digest": _sha256(config)}, data=config, timeout=10
        ).raise_for_status()
        of_config = {
            "mediaType": OCI.format("config"), "digest": _sha256(config), "size": len(config),
        }  # fmt: skip
        media = OCI.format("manifest")
        manifest = json.dumps(
            {"schemaVersion": 2, "mediaType": media, "config": of_config, "layers": []}
        )
        requests.put(
            f"{self.url}/v2/{name}/manifests/{tag}", data=manifest,
            headers={"Content-Type": media}, timeout=10,
        ).raise_for_status()  # fmt: skip
        return f"{self.host}/{name}@{_sha256(manifest.encode())}"

    def look(self, **signatures: t.Any) -> dict[str, t.Any]:
        given = {"program": str(self._cosign), "transparency_log": False, **signatures}
        return run_module(images, images=[IMAGE], registry=self.url, signatures=given)


def _sha256(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


@pytest.fixture
def registry(tmp_path) -> t.Iterator[Registry]:
    registry = Registry(tmp_path)
    try:
        until(lambda: _answers(registry.url))
        registry.cosign("generate-key-pair")
        yield registry
    finally:
        registry.process.terminate()
        registry.process.wait(60)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/v2/", timeout=60).ok
    except requests.ConnectionError:
        return False


def test_what_a_key_signed_is_released_and_nothing_else(registry):
    key = str(registry.folder / "cosign.pub")
    pushed = registry.push(IMAGE, "as CI built it")
    unsigned = registry.look(public_key=key)
    assert unsigned["reason"] == "VerificationFailed"
    assert f"{IMAGE} has no signature by {key}" in unsigned["msg"]

    registry.cosign("sign", "--key", "cosign.key", "--tlog-upload=false", pushed)
    signed = registry.look(public_key=key)["images"][IMAGE]
    assert signed["signed_by"] == key
    assert signed["pinned"].endswith(pushed.rpartition("@")[2])

    registry.cosign("generate-key-pair", "--output-key-prefix", "other")
    others = registry.look(public_key=str(registry.folder / "other.pub"))
    assert others["reason"] == "VerificationFailed"

    registry.push(IMAGE, "pushed by somebody else under the same tag")
    assert registry.look(public_key=key)["reason"] == "VerificationFailed"


def test_provenance_counts_by_its_type_and_signer(registry):
    key = str(registry.folder / "cosign.pub")
    pushed = registry.push(IMAGE, "as CI built it")
    registry.cosign("sign", "--key", "cosign.key", "--tlog-upload=false", pushed)
    wanted = {"public_key": key, "provenance": "slsaprovenance1"}
    without = registry.look(**wanted)
    assert without["reason"] == "VerificationFailed"
    assert f"{IMAGE} has no provenance by" in without["msg"]

    built = {"buildDefinition": {"buildType": "https://ci.shop.example/v1"}, "runDetails": {}}
    (registry.folder / "provenance.json").write_text(json.dumps(built), "utf-8")
    registry.cosign(
        "attest", "--key", "cosign.key", "--tlog-upload=false", "--type", "slsaprovenance1",
        "--predicate", "provenance.json", pushed,
    )  # fmt: skip
    assert registry.look(**wanted)["images"][IMAGE]["provenance"] == "slsaprovenance1"
    other = registry.look(public_key=key, provenance="cyclonedx")
    assert other["reason"] == "VerificationFailed", other["msg"]


def test_an_identity_counts_by_its_certificate(registry):
    roots = certify(registry.folder)
    pushed = registry.push(IMAGE, "as CI built it")
    registry.cosign(
        "sign", "--key", "cosign.key", "--certificate", "leaf.crt", "--certificate-chain", "root.crt",
        "--tlog-upload=false", pushed,
    )  # fmt: skip
    named = {"identity": WHO, "issuer": ISSUER, "ca_roots": roots}
    assert registry.look(**named)["images"][IMAGE]["signed_by"] == f"{WHO} of {ISSUER}"
    for other in ({"identity": "mallory@shop.example"}, {"issuer": "https://ci.other.example"}):
        assert registry.look(**{**named, **other})["reason"] == "VerificationFailed"


def certify(folder: Path) -> str:
    """`leaf.crt`, of cosign's key, and the authority that issued it, whose file is returned."""
    authority = ec.generate_private_key(ec.SECP256R1())
    of_cosign = load_pem_public_key((folder / "cosign.pub").read_bytes())
    keys = (authority.public_key(), t.cast("ec.EllipticCurvePublicKey", of_cosign))
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("root", "ci")]
    now = datetime.now(UTC)
    for number, stem in enumerate(("root", "leaf")):
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "crl_sign", "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        made = (
            x509.CertificateBuilder(names[0], names[number], keys[number])
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(stem == "root", None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=stem == "leaf", key_cert_sign=stem == "root", **usage
                ),
                critical=True,
            )
        )
        if stem == "leaf":
            issuer = x509.UnrecognizedExtension(ISSUER_OF_IDENTITY, ISSUER.encode())
            made = made.add_extension(
                x509.SubjectAlternativeName([x509.RFC822Name(WHO)]), critical=True
            )
            made = made.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            ).add_extension(issuer, critical=False)
        signed = made.sign(authority, SHA256())
        (folder / f"{stem}.crt").write_bytes(signed.public_bytes(Encoding.PEM))
    return str(folder / "root.crt")
