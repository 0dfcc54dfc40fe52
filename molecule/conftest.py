"""What the scenarios' verifiers look with: kubectl, psql, and this machine as testinfra sees it."""

import json
import os
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import testinfra

PROGRAMS = Path(sys.executable).parent
Facts = dict[str, t.Any]


@dataclass(frozen=True)
class Witness:
    """The sandbox's facts, and this machine as a host of testinfra."""

    facts: Facts
    host: t.Any = field(default_factory=lambda: testinfra.get_host("local://"))

    def kubectl(self, arguments: str, *, namespace: str = "") -> str:
        facts = self.facts["kubernetes"]
        done = self.host.run(
            f"{PROGRAMS}/kubectl --kubeconfig=%s --namespace=%s {arguments}",
            facts["kubeconfig"],
            namespace or facts["namespace"],
        )
        assert done.rc == 0, done.stderr + done.stdout
        return str(done.stdout)

    def read(self, arguments: str, *, namespace: str = "") -> t.Any:
        return json.loads(self.kubectl(f"get {arguments} --output=json", namespace=namespace))

    def record(self, release: str, *, namespace: str = "") -> Facts:
        """The release record as it stands in the cluster."""
        (text,) = self.read(f"configmap release-{release}", namespace=namespace)["data"].values()
        return json.loads(text)

    def psql(self, database: str, sql: str) -> list[str]:
        """The rows, columns joined by |; asked by the server's own client program."""
        facts = self.facts["postgres"]
        login = facts["administrator"]
        done = self.host.run(
            "PGPASSWORD=%s PGSSLMODE=verify-full PGSSLROOTCERT=%s "
            "%s --host=%s --port=%s --username=%s --dbname=%s --no-psqlrc -At --command=%s",
            login["password"],
            facts["ca_cert"],
            f"{facts['bin']}/psql",
            facts["host"],
            str(facts["port"]),
            login["user"],
            database,
            sql,
        )
        assert done.rc == 0, done.stderr
        return str(done.stdout).splitlines()


@pytest.fixture(scope="session")
def witness() -> Witness:
    state = Path(os.environ["EASYMO_SANDBOX_STATE"], "run", "state.json")
    return Witness(json.loads(state.read_text(encoding="utf-8"))["components"])
