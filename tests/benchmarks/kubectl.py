"""What a person does by hand, with the real kubectl."""

import json
import subprocess
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.names import NAMESPACE, PREVIOUS_VERSION, RELEASE_VERSION
from sandbox.world import World
from tests.benchmarks.measurement import BenchmarkError
from tests.benchmarks.stage import Stage

Object = dict[str, t.Any]

WITHIN = 600
AGENT_CORE = "deployment/agent-core"


class Kubectl:
    """In a namespace of a sandbox, the platform's unless another is named."""

    def __init__(self, place: Stage, namespace: str = NAMESPACE) -> None:
        program = str(Path(sys.executable).with_name("kubectl"))
        config = World(place.state).facts("kubernetes")["kubeconfig"]
        self._argv = [program, f"--kubeconfig={config}", f"--namespace={namespace}"]

    def run(self, *words: str, stdin: str = "") -> str:
        """What it printed; raises BenchmarkError with its error when it fails."""
        done = subprocess.run(
            [*self._argv, *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN + 30,
        )
        if done.returncode:
            raise BenchmarkError(f"kubectl {' '.join(words)[:200]}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def objects(self, kind: str) -> list[Object]:
        """All of the kind."""
        return t.cast("list[Object]", json.loads(self.run("get", kind, "--output=json"))["items"])

    def set_flags(self, data: dict[str, str]) -> None:
        """As a person does it, until every pod of agent-core was replaced."""
        patch = json.dumps({"data": data})
        self.run("patch", "configmap", "feature-flags", "--type=merge", "-p", patch)
        self.run("rollout", "restart", AGENT_CORE)
        self.run("rollout", "status", AGENT_CORE, "--timeout=120s")

    def roll(self, service: str, version: str = RELEASE_VERSION) -> None:
        """A service as the runbook rolls it: another image, then wait until it is rolled out."""
        image = f"{service}=easymo/{service}:v{version}"
        self.run("set", "image", f"deployment/{service}", image)
        self.run("rollout", "status", f"deployment/{service}", f"--timeout={WITHIN}s")

    def roll_at_once(self, services: t.Sequence[str], version: str = RELEASE_VERSION) -> None:
        """Each of them as in a terminal of its own."""
        with ThreadPoolExecutor(len(services)) as pool:
            for _done in pool.map(lambda service: self.roll(service, version), services):
                pass

    def as_before_the_release(self, services: t.Sequence[str]) -> None:
        """At their previous version with no pod of another left, and nothing known of the release."""
        self.roll_at_once(services, PREVIOUS_VERSION)
        gone = ("--for=delete", f"--timeout={WITHIN}s")
        terminating = [
            pod["metadata"]["name"]
            for pod in self.objects("pods")
            if "deletionTimestamp" in pod["metadata"]
        ]
        if terminating:
            self.run("wait", "pods", *terminating, *gone)
        record = f"release-{RELEASE_VERSION}"
        self.run("delete", "configmap", record, f"{record}-pins", "--ignore-not-found")
