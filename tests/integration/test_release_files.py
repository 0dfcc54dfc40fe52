"""What a release publishes beside the tarball: each Python package that it may install, by version and hash."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ROOT / ".build/release"


@pytest.mark.nightly
def test_the_sbom_has_every_package_of_the_lock_by_its_hashes():
    subprocess.run([ROOT / "scripts/release"], check=True, capture_output=True, timeout=300)
    [bom], [lock] = FILES.glob("*.cdx.json"), FILES.glob("requirements-*.lock")
    locked = dict(re.findall(r"^(\S+)==(\S+)", lock.read_text("utf-8"), re.M))
    components = json.loads(bom.read_text("utf-8"))["components"]
    assert {part["name"]: part["version"] for part in components} == locked
    assert {"kubernetes", "psycopg2-binary", "requests"} <= {*locked}
    for part in components:
        hashes = [entry for at in part["externalReferences"] for entry in at.get("hashes", ())]
        assert {entry["alg"] for entry in hashes} == {"SHA-256"}, part["name"]
    for line in (FILES / "SHA256SUMS").read_text("utf-8").splitlines():
        digest, name = line.split()
        assert hashlib.sha256((FILES / name).read_bytes()).hexdigest() == digest
