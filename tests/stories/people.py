"""The people of a story: an operator who types commands, and a witness who looks with other tools than ours."""

from __future__ import annotations

import base64
import copy
import email.parser
import email.policy
import gzip
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

import boto3
import requests

from ansible_collections.easymo.deploy.plugins.module_utils._story.next_step import commands_in
from sandbox.names import NAMESPACE, SERVICES
from sandbox.world import Facts, World
from tests import ansible_server, kubernetes_api
from tests.ansible_playbook import ITS_OWN_OUTPUT
from tests.victims import Victim
from tests.waiting import until

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CONSOLE = "easymo.deploy.console"
HANGS = "--timeout=120s"
"""Of a wait of kubectl's for what must come."""
PATIENCE = 600
"""Seconds that one command may take on a busy machine."""
QUICK = (
    # Users are compared whom Prometheus has scraped twice, on a busy machine too.
    *("-e", "release_watch_duration=6"),
    *("-e", "release_watch_interval=1"),
    *("-e", "release_watch_delay=1"),
    *("-e", "release_smoke_metrics_wait=0"),
    *("-e", "rolling_update_soak=0"),
)
"""What a deployment waits for though no story measures it: each of these times has tests of its own."""


@dataclass(frozen=True)
class Run:
    """What a playbook did, as the operator saw it."""

    rc: int
    output: str

    def changed(self) -> dict[str, int]:
        """Number of changes by host, from the recap."""
        found = re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", self.output, re.MULTILINE)
        return {host: int(count) for host, count in found}

    def plays(self) -> list[str]:
        return re.findall(r"^PLAY \[(.*?)\]", self.output, re.MULTILINE)

    def tail(self) -> str:
        """Why it failed on the first line, which is all that the summary of a test run shows."""
        failure = re.search(r"^(?:fatal: |✗ ).*", self.output, re.MULTILINE | re.DOTALL)
        text = failure[0] if failure else ""
        # A result is printed in the order of its keys: what a module returns besides may be long.
        message = re.search(r"^ *msg: .*", text, re.MULTILINE | re.DOTALL)
        why = " ".join((message or [text])[0].split())[:500]
        return f"{why}\n{self.output[-4000:]}"


def ended(begun: Victim, output: Path) -> Run:
    """What came of a playbook that printed into this file and was left to run."""
    return Run(begun.process.wait(PATIENCE), output.read_text("utf-8"))


def playing(playbooks: str, inventory: str, arguments: t.Iterable[str]) -> list[str | Path]:
    """The command line of one playbook, or of several with a blank between."""
    named = [f"playbooks/{playbook}.yml" for playbook in playbooks.split()]
    return [BIN / "ansible-playbook", *named, "-i", Path("inventories", inventory), *arguments]


def unpacked(configmap: dict[str, t.Any]) -> t.Any:
    """What the project keeps in one."""
    return json.loads(gzip.decompress(base64.b64decode(configmap["data"]["content"])))


def approval(approved_by: str, reason: str) -> list[str]:
    return [
        "-e",
        f"by={json.dumps(approved_by)}",
        "-e",
        f"reason={json.dumps(reason)}",
    ]


class Operator:
    """Types ansible-playbook in the checkout, and reads Ansible's own output."""

    def __init__(
        self,
        world: World,
        checkout: Path = ROOT,
        environment: dict[str, str] | None = None,
        *,
        real: bool = False,
    ) -> None:
        """`real`: each run is a new process of ansible-playbook, with forks, in place of `tests.ansible_server`."""
        self.world = world
        self._checkout = checkout
        self._real = real
        self._inventory = "sandbox"
        self._environment = {
            **(os.environ if environment is None else environment),
            "EASYMO_SANDBOX_STATE": str(world.directory),
            **ITS_OWN_OUTPUT,
        }

    @classmethod
    def elsewhere(cls, world: World, machine: Path) -> Operator:
        """On a machine that never deployed: a fresh checkout, an empty home and nothing in the environment."""
        checkout, home = machine / "checkout", machine / "home"
        home.mkdir()
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            source, target = ROOT / name, checkout / name
            if source.is_symlink() or source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        path = os.environ["PATH"].removeprefix(f"{BIN}{os.pathsep}")
        return cls(world, checkout, {"PATH": path, "HOME": str(home)}, real=True)

    def plays(self, playbooks: str, *arguments: str, inventory: str = "") -> Run:
        """One playbook, or several with a blank between."""
        return self._plays(playing(playbooks, inventory or self._inventory, arguments))

    def enters(self, command: str) -> Run:
        """A command of ansible-playbook as it is printed."""
        _printed, *words = shlex.split(command)
        return self._plays([BIN / "ansible-playbook", *words])

    def _plays(self, argv: list[str | Path]) -> Run:
        if self._real:
            return self._types(*argv)
        ended = ansible_server.run(
            argv, cwd=self._checkout, env=self._environment, timeout=PATIENCE
        )
        return Run(ended.returncode, ended.stdout + ended.stderr)

    def of(self, inventory: Path) -> Operator:
        """The same person, with another inventory than the sandbox's."""
        other = copy.copy(self)
        other._inventory = str(inventory)
        return other

    def at_the_console(self) -> Operator:
        """Reads what the project itself shows of a run."""
        other = copy.copy(self)
        other._environment = {**self._environment, "ANSIBLE_STDOUT_CALLBACK": CONSOLE}
        return other

    def deploys(self, *arguments: str) -> Run:
        """Without the waiting that QUICK takes out."""
        return self.plays("deploy_v2", *QUICK, *arguments)

    def goes_back(self, *arguments: str) -> Run:
        return self.plays("rollback", *arguments)

    def restores(self, approved_by: str, reason: str, *arguments: str) -> Run:
        return self.goes_back("--tags", "database", *approval(approved_by, reason), *arguments)

    def begins_to_restore(self, approved_by: str, reason: str) -> Victim:
        """The same, for somebody to kill."""
        return self.begins("rollback", "--tags", "database", *approval(approved_by, reason))

    def begins(
        self,
        playbook: str,
        *arguments: str,
        inventory: str = "sandbox",
        output: Path = Path(os.devnull),
    ) -> Victim:
        """A playbook for somebody to kill, or to meet: see `ended`."""
        with output.open("wb") as printed:
            argv = playing(playbook, inventory, arguments)
            return Victim(argv, self._checkout, self._environment, printed)

    def pastes(self, script: str) -> Run:
        """Lines of a shell, from a guide."""
        return self._types("bash", "-ec", script)

    def types(self, run: Run, playbook: str) -> Run:
        """What a run told to type of that playbook, as it is printed, with a name and a reason in their places."""
        said = commands_in(" ".join(run.output.split()))
        # Ansible tells a failure as it is first, and once more as YAML.
        options = next(told for name, told in said if name == f"{playbook}.yml")
        meant = options.replace("'NAME'", "'Jane Doe'").replace("'WHY'", "'a rehearsal'")
        return self.plays(playbook, *shlex.split(meant))

    def sandbox(self, *arguments: str) -> Run:
        return self._types(sys.executable, "-m", "sandbox", *arguments)

    def _types(self, *argv: str | Path) -> Run:
        ended = subprocess.run(
            argv,
            cwd=self._checkout,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Run(ended.returncode, ended.stdout + ended.stderr)


class Witness:
    """Looks at the platform with kubectl and Kubernetes' own client, psql, pg_restore and curl's like."""

    def __init__(self, world: World) -> None:
        self._world = world

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        kubeconfig = self._world.facts("kubernetes")["kubeconfig"]
        ended = subprocess.run(
            [BIN / "kubectl", "--kubeconfig", kubeconfig, "-n", NAMESPACE, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env={
                **os.environ,
                **kubernetes_api.NO_COLLECTOR,
                "KUBECACHEDIR": str(self._world.folder("kubectl-cache")),
            },
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def reads(self, kind: str, name: str = "", selector: str = "") -> t.Any:
        """An object, or a list's items: what is looked at again and again."""
        kubeconfig = self._world.facts("kubernetes")["kubeconfig"]
        found = kubernetes_api.read(kubeconfig, NAMESPACE, kind, name, selector)
        return found if name else found["items"]

    def images(self) -> dict[str, str]:
        """The version each service runs, from the pods that are ready, by service."""
        found: dict[str, set[str]] = {service: set() for service in SERVICES}
        for pod in self.reads("pods"):
            service = pod["metadata"]["labels"]["app"]
            if service in found and "deletionTimestamp" not in pod["metadata"]:
                image = pod["spec"]["containers"][0]["image"].partition("@")[0]
                found[service].add(image.rsplit(":", 1)[1])
        return {service: "+".join(sorted(versions)) for service, versions in found.items()}

    def pods(self) -> dict[str, set[str]]:
        """The uids of the pods that do not end, by service: a restart makes others."""
        found: dict[str, set[str]] = {service: set() for service in SERVICES}
        for pod in self.reads("pods"):
            metadata = pod["metadata"]
            if metadata["labels"]["app"] in found and "deletionTimestamp" not in metadata:
                found[metadata["labels"]["app"]].add(metadata["uid"])
        return found

    def templates(self) -> dict[str, str]:
        """The image that each service's Deployment asks for, tag, digest and all."""
        found = {
            one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["image"]
            for one in self.reads("deployments")
        }
        return {service: found[service] for service in SERVICES}

    def rolled_out(self) -> bool:
        for service in SERVICES:
            self.kubectl("rollout", "status", f"deployment/{service}", HANGS)
        return True

    def environment(self, deployment: str) -> dict[str, str]:
        printed = self.kubectl("exec", f"deployment/{deployment}", "--", "env")
        return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)

    def environments(self, deployment: str, variable: str) -> dict[str, str]:
        """The variable in each pod of the deployment that does not end, by the pod's name."""
        pods = [one["metadata"] for one in self.reads("pods", selector=f"app={deployment}")]
        found = {}
        for name in [pod["name"] for pod in pods if "deletionTimestamp" not in pod]:
            lines = self.kubectl("exec", name, "--", "env").splitlines()
            found[name] = dict(line.split("=", 1) for line in lines if "=" in line)[variable]
        return found

    def flags(self) -> dict[str, str]:
        return self.reads("configmaps", "feature-flags")["data"]

    def resource_versions(self) -> list[str]:
        """Every Deployment and ConfigMap with its version: any write to one of them shows.

        But for the status of a Deployment, which a pod that is slow on a busy machine moves, so its generation counts,
        and for what is measured of a way back, each time that one is taken. The prober of a run that ended writes once
        more within seconds: that is waited for.
        """
        self._await_probers()
        metadata = [one["metadata"] for one in self._written()]
        found = [
            f"{one['name']}={one.get('generation', one['resourceVersion'])}" for one in metadata
        ]
        return sorted(one for one in found if "-availability-rollback=" not in one)

    def _written(self) -> list[t.Any]:
        return [*self.reads("deployments"), *self.reads("configmaps")]

    def states(self) -> list[str]:
        """The same by what they say, but for the epoch of the deploy lock, which each that holds it leaves."""
        self._await_probers()
        found = {}
        for one in self._written():
            metadata = one["metadata"]
            annotations = metadata.pop("annotations", {})
            for epoch in ("easymo.com/fence", "easymo.com/kill-switch-epoch"):
                annotations.pop(epoch, None)
            del metadata["resourceVersion"]
            metadata.pop("managedFields", None)
            # Annotations move a Deployment's generation; its spec is compared itself.
            metadata.pop("generation", None)
            one.get("status", {}).pop("observedGeneration", None)
            said = json.dumps([one, annotations], sort_keys=True).encode()
            found[metadata["name"]] = hashlib.sha256(said).hexdigest()
        return sorted(
            f"{name}={state}"
            for name, state in found.items()
            if not name.endswith("-availability-rollback")
        )

    def _await_probers(self) -> None:
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in self._probers()))

    def _probers(self) -> list[str]:
        """The pid of each that wrote last what it measures, and that it goes on."""
        listed = self.reads("configmaps")
        measured = [unpacked(one) for one in listed if "-availability" in one["metadata"]["name"]]
        return [one["prober"].split()[0] for one in measured if one["prober"]]

    def availability(self, release: str, subject: str = "") -> t.Any:
        """What was measured of a release, or of its `-rollback`."""
        return unpacked(self.reads("configmaps", f"release-{release}-availability{subject}"))

    def measured(self, query: str) -> float:
        """What Prometheus says of it, 0 while it says nothing."""
        url = f"{self._world.facts('prometheus')['url']}/api/v1/query"
        answer = requests.get(url, params={"query": query}, timeout=60).json()
        series = answer["data"]["result"]
        return float(series[0]["value"][1]) if series else 0.0

    def sql(self, database: str, query: str) -> list[str]:
        postgres = self._world.facts("postgres")
        login = postgres["databases"][database]
        ended = subprocess.run(
            [f"{postgres['bin']}/psql", "-At", "-c", query],
            env={
                "PGHOST": postgres["host"],
                "PGPORT": str(postgres["port"]),
                "PGUSER": login["user"],
                "PGPASSWORD": login["password"],
                "PGDATABASE": login["name"],
                "PGSSLMODE": "verify-full",
                "PGSSLROOTCERT": postgres["ca_cert"],
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.split()

    def replicas(self) -> dict[str, tuple[int, int]]:
        """How many pods each service is to have, and how many are there, ending ones too."""
        apps = [pod["metadata"]["labels"]["app"] for pod in self.reads("pods")]
        found = {
            one["metadata"]["name"]: one["spec"]["replicas"] for one in self.reads("deployments")
        }
        return {name: (found[name], apps.count(name)) for name in SERVICES}

    def record(self, version: str) -> Facts:
        data = self.reads("configmaps", f"release-{version}")["data"]
        return json.loads(data["record.json"])

    def rows(self, database: str) -> dict[str, int]:
        """How many rows each table of the deployer's own has, by schema.table, counted by psql."""
        tables = self.sql(
            database,
            "select format('%I.%I', schemaname, tablename) from pg_tables "
            "where tableowner = current_user order by 1",
        )
        counts = " union all ".join(f"select '{one}=' || count(*) from {one}" for one in tables)
        pairs = (line.rsplit("=", 1) for line in self.sql(database, counts))
        return {table: int(count) for table, count in pairs}

    def functions_version(self) -> str:
        url = f"{self._world.facts('supabase')['gateway_url']}/functions/v1/health"
        return requests.get(url, timeout=10).json()["version"]

    def function_sources(self) -> dict[str, bytes]:
        """Every file of every function that runs, by function and path, as the platform hands them out."""
        facts = self._world.facts("supabase")
        url = f"{facts['management_url']}/v1/projects/{facts['project_ref']}/functions"
        token = {"Authorization": f"Bearer {facts['access_token']}"}
        files: dict[str, bytes] = {}
        for entry in requests.get(url, headers=token, timeout=10).json():
            asked = {**token, "Accept": "multipart/form-data"}
            answer = requests.get(f"{url}/{entry['slug']}/body", headers=asked, timeout=10)
            head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
            message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
                head + answer.content
            )
            for part in message.iter_parts():
                if name := part.get_filename():
                    content = part.get_payload(decode=True)
                    files[f"{entry['slug']} {entry['verify_jwt']} {name}"] = content
        return files

    def dumps(self) -> dict[str, str]:
        """What pg_restore lists of each dump in the bucket, by key."""
        bucket = self.bucket()
        keys = [entry.key for entry in bucket.objects.all() if entry.key.endswith(".dump")]
        return {key: self._listing(bucket, key) for key in keys}

    def bucket(self) -> t.Any:
        facts = self._world.facts("seaweedfs")
        return boto3.resource(
            "s3",
            endpoint_url=facts["endpoint"],
            aws_access_key_id=facts["access_key"],
            aws_secret_access_key=facts["secret_key"],
            region_name=facts["region"],
        ).Bucket(facts["bucket"])

    def serves(self, service: str) -> bool:
        """Whether its health endpoint answers through the public way in."""
        url = f"{self._world.facts('gateway')['url']}/health/{service}"
        return requests.get(url, timeout=10).status_code == 200

    def _listing(self, bucket: t.Any, key: str) -> str:
        with tempfile.NamedTemporaryFile() as file:
            bucket.download_fileobj(key, file)
            file.flush()
            return subprocess.run(
                [f"{self._world.facts('postgres')['bin']}/pg_restore", "--list", file.name],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            ).stdout

    def received(self) -> Facts:
        """What the sinks received, by sink."""
        url = self._world.facts("sinks")["url"].rstrip("/")
        return requests.get(f"{url}/api/messages.json", timeout=10).json()
