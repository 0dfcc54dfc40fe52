"""What a person does by hand, with the real kubectl."""

import json
import subprocess
import sys
import typing as t
from pathlib import Path

from sandbox.names import NAMESPACE
from sandbox.world import World
from tests.benchmarks.measurement import BenchmarkError
from tests.benchmarks.stage import Stage

Object = dict[str, t.Any]

WITHIN = 600
AGENT_CORE = "deployment/agent-core"


class Kubectl:
    """In the platform's namespace of a sandbox."""

    def __init__(self, place: Stage) -> None:
        program = str(Path(sys.executable).with_name("kubectl"))
        config = World(place.state).facts("kubernetes")["kubeconfig"]
        self._argv = [program, f"--kubeconfig={config}", f"--namespace={NAMESPACE}"]

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

    def set_flags(self, data: dict[str, str]) -> None:
        """As a person does it, until every pod of agent-core was replaced."""
        patch = json.dumps({"data": data})
        self.run("patch", "configmap", "feature-flags", "--type=merge", "-p", patch)
        self.run("rollout", "restart", AGENT_CORE)
        self.run("rollout", "status", AGENT_CORE, "--timeout=120s")
