"""What the prober costs beside a run of ansible-playbook, which asks twenty addresses over TLS once a second each."""

import base64
import gzip
import json
import ssl
import subprocess
import time
import typing as t
from contextlib import contextmanager
from pathlib import Path

import psutil
import trustme
import yaml

from sandbox.names import NAMESPACE
from sandbox.world import World
from tests.ansible_playbook import PROGRAM
from tests.benchmarks.measurement import BenchmarkError, Measurement, Size
from tests.benchmarks.stage import REPOSITORY, SEED_MB, Stage, stage
from tests.fakes.http_server import Handler, serving
from tests.integration.conftest import KUBECTL

ADDRESSES = 20
RELEASE = "2.0.0-bench-availability"
CONFIG_MAP = f"release-{RELEASE}-availability"
WITHIN = 60.0


class Well(Handler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer_json({"status": "ok"})


def availability(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    seconds = size.of(small=3, full=60)
    with stage() as place:
        place.sandbox("up", "--seed-mb", SEED_MB)
        authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        trusted = place.state / "bench-ca.pem"
        authority.cert_pem.write_to_path(str(trusted))
        with serving(Well, context) as url, _asking(place, url, trusted) as prober:
            # The first answers open the connections.
            time.sleep(2)
            before, began = sum(prober.cpu_times()[:2]), time.monotonic()
            time.sleep(seconds)
            used, took = sum(prober.cpu_times()[:2]) - before, time.monotonic() - began
            memory = prober.memory_full_info()
    note = f"{ADDRESSES} addresses over TLS, once a second each, for {took:.0f} s"
    yield Measurement(
        "CPU of a minute", used / took * 60, "s", 0.6, f"{note}; 1 % of a core is 0.6 s"
    )
    shared = (
        f"{memory.rss >> 20} MB with what it shares with ansible-playbook, which it was forked from"
    )
    yield Measurement("memory of its own", memory.uss / 2**20, "MB", 40, shared)


@contextmanager
def _asking(place: Stage, url: str, trusted: Path) -> t.Iterator[psutil.Process]:
    """The prober of an ansible-playbook that has them asked until the end of the block."""
    kubeconfig = World(place.state).facts("kubernetes")["kubeconfig"]
    go, playbook = place.state / "bench.go", place.state / "bench.yml"
    targets = [
        {"name": f"address-{number}", "url": f"{url}/{number}", "ca_cert": str(trusted)}
        for number in range(ADDRESSES)
    ]
    where = {"kubeconfig": kubeconfig, "namespace": NAMESPACE}
    tasks = [
        {"easymo.deploy.availability": {**where, "release": RELEASE, "targets": targets}},
        {"ansible.builtin.wait_for": {"path": str(go), "state": "absent"}},
    ]
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    playbook.write_text(yaml.safe_dump([play]))
    go.touch()
    run = subprocess.Popen(
        [PROGRAM, str(playbook)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield _prober(kubeconfig)
    finally:
        go.unlink()
        run.wait(WITHIN)


def _prober(kubeconfig: str) -> psutil.Process:
    """As the record names it."""
    look = [KUBECTL, f"--kubeconfig={kubeconfig}", f"--namespace={NAMESPACE}", "get", "configmap"]
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        argv = [*look, CONFIG_MAP, "-o", "jsonpath={.data.content}"]
        looked = subprocess.run(argv, capture_output=True, check=False)
        if looked.returncode == 0:
            named = json.loads(gzip.decompress(base64.b64decode(looked.stdout)))["prober"]
            if named and psutil.pid_exists(int(named.split()[0])):
                return psutil.Process(int(named.split()[0]))
        time.sleep(0.2)
    raise BenchmarkError("The prober did not start.")
