"""What cosign is asked, and what is made of its answers: a program that only says what a case has."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    InputError,
    UnreachableError,
    VerificationError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._image_signatures import SignatureCheck
from ansible_collections.easymo.deploy.plugins.module_utils._images import Reference

DIGEST = f"sha256:{'1' * 64}"
IMAGE = Reference.parse("registry.example.com/shop/checkout:v2")
PASSWORD = "not-a-real-password"
COSIGN = """#!{python}
import json, os, pathlib, sys
folder = pathlib.Path(__file__).parent
config = os.environ.get("DOCKER_CONFIG")
asked = {{"argv": sys.argv[1:], "config": config and json.loads((pathlib.Path(config) / "config.json").read_text())}}
(folder / "asked.json").write_text(json.dumps(asked))
said = json.loads((folder / "says.json").read_text())
print(said["out"])
sys.exit(said["rc"] if said["rc"] == 0 else print(said["err"], file=sys.stderr) or said["rc"])
"""


class Cosign:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program = folder / "cosign"
        program.write_text(COSIGN.format(python=sys.executable), "utf-8")
        program.chmod(0o755)
        self.check = SignatureCheck(
            program=str(program), public_key="release.pub", identity=None, issuer=None, ca_roots=None,
            transparency_log=True, offline=False, provenance=None, timeout=10,
            registry="", username="", password="", ca_cert=None,
        )  # fmt: skip
        self.says(json.dumps([{"critical": {"image": {"docker-manifest-digest": DIGEST}}}]))

    def says(self, out: str = "", rc: int = 0, err: str = "") -> None:
        said = json.dumps({"out": out, "rc": rc, "err": err})
        (self._folder / "says.json").write_text(said, "utf-8")

    @property
    def asked(self) -> dict[str, object]:
        return json.loads((self._folder / "asked.json").read_text("utf-8"))


@pytest.fixture
def cosign(tmp_path) -> Cosign:
    return Cosign(tmp_path)


def test_credentials_stand_in_no_argument(cosign):
    replace(cosign.check, username="ci", password=PASSWORD).verify(IMAGE, DIGEST)
    asked = cosign.asked
    assert PASSWORD not in json.dumps(asked["argv"])
    assert list(asked["config"]["auths"]) == ["registry.example.com"]


def test_a_mirror_is_asked_by_its_own_name(cosign):
    replace(cosign.check, registry="https://mirror.example.com").verify(IMAGE, DIGEST)
    assert cosign.asked["argv"][-1] == f"mirror.example.com/shop/checkout@{DIGEST}"
    with pytest.raises(InputError, match="below a path"):
        replace(cosign.check, registry="https://mirror.example.com/hub")


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        ({"rc": 1, "err": "Error: dial tcp: i/o timeout"}, UnreachableError, "is not known"),
        ({"rc": 12, "err": "Error: no matching signatures"}, VerificationError, "has no signature by release.pub"),
        ({"out": "[]"}, VerificationError, "verified another image"),
        ({"out": "verified"}, VerificationError, "not JSON"),
    ],
    ids=["not seen", "unsigned", "of another image", "another program"],
)  # fmt: skip
def test_no_answer_but_the_right_one_passes(said, error, text, cosign):
    cosign.says(**said)
    with pytest.raises(error, match=text):
        cosign.check.verify(IMAGE, DIGEST)


def test_whose_signature_counts_must_be_said(cosign):
    for named in (
        {"public_key": None},
        {"public_key": None, "identity": "ci@shop.example"},
        {"identity": "ci@shop.example", "issuer": "https://ci.shop.example"},
    ):
        with pytest.raises(InputError, match="set 'public_key', or 'identity' and 'issuer'"):
            replace(cosign.check, **named)
