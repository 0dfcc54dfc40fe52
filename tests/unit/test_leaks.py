"""Whoever looks for secrets finds them in every form, or the story of secrets proves nothing."""

import base64
import gzip
import io
import json
import subprocess
import sys
import tarfile
import uuid
from urllib.parse import quote

import pytest

from tests.leaks import CommandLines, Secrets, faces, leaked, unpacked
from tests.victims import MARK
from tests.waiting import until

SECRET = 'pL4nt%ed "/p@ss+wörd'
SECRETS = Secrets(password=SECRET, other="another-secret")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"said {SECRET}.", id="raw"),
        pytest.param(f"https://x/?token={quote(SECRET, safe='')}&a", id="url"),
        pytest.param(json.dumps({"password": SECRET}), id="json"),
        pytest.param(SECRET.encode().hex(), id="hexadecimal"),
        *(
            pytest.param(
                base64.b64encode(f"{'u' * n}:{SECRET}{tail}".encode()).decode(),
                id=f"base64-{n}{tail}",
            )
            for n in range(4)
            for tail in ("", "x", "xy")
        ),
        pytest.param(base64.urlsafe_b64encode(SECRET.encode()).decode(), id="base64 for URLs"),
        pytest.param(
            unpacked(base64.b64encode(gzip.compress(SECRET.encode())).decode()), id="packed"
        ),
    ],
)
def test_a_secret_is_found_in_every_form(text):
    assert leaked(text, SECRETS) == {"password"}


def test_it_is_found_in_a_packed_archive():
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        entry = tarfile.TarInfo("x/y.ts")
        entry.size = len(SECRET.encode())
        tar.addfile(entry, io.BytesIO(SECRET.encode()))
    packed = base64.b64encode(archive.getvalue()).decode()
    assert leaked(unpacked(packed), SECRETS) == {"password"}


def test_ordinary_text_has_none():
    assert leaked("password: ********, other things, another secret", SECRETS) == set()
    assert min(len(face) for face in faces(SECRET)) > 8


def test_what_a_failing_test_prints_has_names_alone():
    assert repr(SECRETS) == "<password, other>"


@pytest.mark.slow
def test_the_command_lines_of_a_run_are_seen_of_children_with_an_environment_of_their_own_too():
    mark = uuid.uuid4().hex
    grandchild = "[sys.executable, '-c', 'input()', 'hunter2']"
    child = f"import subprocess, sys; subprocess.run({grandchild}, env={{}})"
    with CommandLines(mark) as lines:
        process = subprocess.Popen(
            [sys.executable, "-c", child], env={MARK: mark}, stdin=subprocess.PIPE
        )
        until(lambda: any("hunter2" in one.split() for one in lines.seen))
        process.communicate(b"\n", timeout=60)
