"""The sandbox's Supabase as tests use it: a checkout to deploy from, and witnesses of their own."""

import email.parser
import email.policy
import shutil
import typing as t
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from sandbox.application import checkout
from sandbox.faults import Fault, Faults
from sandbox.supabase.client import ManagementClient, read_functions
from sandbox.world import World

FUNCTIONS = ("admin-agents", "admin-metrics", "health", "wa-webhook")
AMPLE = Fault("supabase", "rate-limited", "management", {"limit": "100000"})
"""The API's 120 calls a minute are less than a minute of tests makes."""


@dataclass(frozen=True)
class Project:
    """What runs is told by calling the functions and by reading the API with neither module nor adapter."""

    world: World
    facts: dict[str, t.Any]
    client: ManagementClient

    @property
    def options(self) -> dict[str, t.Any]:
        """The options of the doc fragment _supabase."""
        return {
            "api_url": self.facts["management_url"],
            "project_ref": self.facts["project_ref"],
            "access_token": self.facts["access_token"],
        }

    def url(self, slug: str) -> str:
        return f"{self.facts['gateway_url']}/functions/v1/{slug}"

    def call(self, slug: str) -> requests.Response:
        return requests.get(self.url(slug), timeout=30)

    def listed(self) -> dict[str, dict[str, t.Any]]:
        return {entry["slug"]: entry for entry in self.client.functions()}

    def settings(self) -> dict[str, tuple[int, bool]]:
        """The version, which goes up with each activation, and whether a JWT is asked for."""
        return {
            slug: (entry["version"], entry["verify_jwt"]) for slug, entry in self.listed().items()
        }

    def download(self, slug: str) -> dict[str, bytes]:
        """The files that the function was made of, by name."""
        answer = requests.get(
            f"{self.client.url}/v1/projects/{self.client.project_ref}/functions/{slug}/body",
            headers={
                "Accept": "multipart/form-data",
                "Authorization": f"Bearer {self.client.access_token}",
            },
            timeout=30,
        )
        head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
        parser = email.parser.BytesParser(policy=email.policy.HTTP)
        parts = parser.parsebytes(head + answer.content).iter_parts()
        return {
            str(part.get_filename()): part.get_payload(decode=True)
            for part in parts
            if part.get_filename()
        }

    def break_down(self, fault: str, target: str = "", **parameters: str) -> None:
        Faults(self.world.faults_file).write([Fault("supabase", fault, target, parameters), AMPLE])

    def mend(self) -> None:
        Faults(self.world.faults_file).write([AMPLE])

    def deploy(
        self, version: str, *, absent: t.Collection[str] = (), with_jwt: t.Collection[str] = ()
    ) -> None:
        """The application's functions at `version` as the sandbox sets them up, without those in `absent`."""
        for slug in absent:
            self.client.call("DELETE", f"/functions/{slug}")
        with checkout(version) as folder:
            sources = read_functions(folder)
        self.client.activate(
            [self.client.bundle(each, verify_jwt=each.slug in with_jwt) for each in sources]
        )


@contextmanager
def project_of(world: World) -> t.Iterator[Project]:
    """Left with the functions and without the faults that it was found with."""
    facts = world.facts("supabase")
    client = ManagementClient(facts["management_url"], facts["project_ref"], facts["access_token"])
    project = Project(world, facts, client)
    faults = Faults(world.faults_file)
    set_before = faults.all()
    project.mend()
    found = project.settings()
    running = project.call("health").json()["version"]
    try:
        yield project
    finally:
        project.mend()
        left = project.settings()
        if left != found:
            project.deploy(running, absent=set(left) - set(found))
        faults.write(set_before)


def checkout_copy(version: str, folder: Path) -> Path:
    """A copy of the application at `version` to change; returns its supabase/functions."""
    with checkout(version) as whole:
        shutil.copytree(whole / "supabase", folder / "supabase")
    return folder / "supabase" / "functions"


def add_function(functions: Path, code: str) -> str:
    """A throw-away function beside the application's own; returns its name."""
    slug = f"t{uuid.uuid4().hex[:8]}"
    (functions / slug).mkdir()
    (functions / slug / "index.ts").write_text(code, encoding="utf-8")
    return slug
