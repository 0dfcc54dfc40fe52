"""A running Supabase of the sandbox for tests: the component started as the supervisor would."""

import subprocess
import time
import typing as t
import uuid
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests

from sandbox.application import checkout
from sandbox.component import Component
from sandbox.faults import Fault, Faults
from sandbox.processes import environment
from sandbox.supabase.client import ManagementClient, Source, encode, read_functions
from sandbox.supabase.component import COMPONENT, management_client
from sandbox.supabase.settings import read_settings
from sandbox.world import World, free_port

READY_WITHIN = 60.0


@dataclass(frozen=True)
class Project:
    world: World
    facts: dict[str, t.Any]
    client: ManagementClient
    child: subprocess.Popen[bytes]

    def manage(self, method: str, path: str, **arguments: t.Any) -> requests.Response:
        url = f"{self.facts['management_url']}/v1/projects/{self.facts['project_ref']}{path}"
        token = {"Authorization": f"Bearer {self.facts['access_token']}"}
        headers = {**token, **arguments.pop("headers", {})}
        return requests.request(method, url, headers=headers, timeout=60, **arguments)

    def call(self, path: str, method: str = "GET", **arguments: t.Any) -> requests.Response:
        url = f"{self.facts['gateway_url']}{path}"
        return requests.request(method, url, timeout=60, **arguments)

    def deploy(
        self, source: Source, *, query: str = "", verify_jwt: bool = False
    ) -> requests.Response:
        body, content_type = encode(source, verify_jwt=verify_jwt)
        return self.manage(
            "POST",
            f"/functions/deploy?slug={source.slug}{query}",
            data=body,
            headers={"Content-Type": content_type},
        )

    def program(self, code: str) -> Source:
        """A function of its own for one test."""
        path = "supabase/functions/x/index.ts"
        return Source(f"f{uuid.uuid4().hex[:8]}", path, "", {path: code.encode()})

    def set_faults(self, *faults: Fault) -> None:
        Faults(self.world.faults_file).write(faults)


@contextmanager
def running(component: Component, world: World) -> t.Iterator[subprocess.Popen[bytes]]:
    """The component prepared, started, ready and settled; ended by what it asks to be ended by."""
    component.prepare(world)
    process = component.process(world)
    folder = world.folder(component.name)
    env = {**environment(folder, world.run), **process.env}
    with (folder / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            process.argv, env=env, cwd=process.cwd or folder, stdout=log, stderr=log
        )
    try:
        await_ready(component, world, child)
        component.settle(world)
        world.publish(component.name, component.facts(world))
        yield child
    finally:
        child.send_signal(process.stop_signal)
        child.wait(timeout=60)


@contextmanager
def project_in(world: World) -> t.Iterator[Project]:
    with running(COMPONENT, world) as child:
        client = management_client(read_settings(world))
        yield Project(world, COMPONENT.facts(world), client, child)


def without_database(world: World) -> None:
    """Let the database look published, at a port where nobody listens."""
    login = {"name": "postgres", "user": "postgres", "password": "unused"}
    certificate = world.certificate("postgres")
    server = {"host": "127.0.0.1", "port": free_port(), "ca_cert": str(certificate.ca)}
    world.publish("postgres", {**server, "databases": {"supabase": login}})


def await_ready(component: Component, world: World, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN
    last = "nothing asked yet"
    while time.monotonic() < deadline and child.poll() is None:
        try:
            if component.ready(world):
                return
            last = "not ready"
        except Exception as exc:
            last = str(exc)
        time.sleep(0.03)
    code = child.poll()
    ended = "" if code is None else f", and it ended with {code}"
    pytest.fail(f"The sandbox's {component.name} did not come up; last: {last}{ended}")


def release(version: str, slug: str) -> Source:
    with checkout(version) as folder:
        return next(source for source in read_functions(folder) if source.slug == slug)
