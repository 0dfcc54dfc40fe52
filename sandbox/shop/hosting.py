# SPDX-License-Identifier: GPL-3.0-or-later
"""`shop`: puts the other team into a sandbox that is up, as it is before its release."""

from __future__ import annotations

import contextlib
import shutil
import typing as t
from pathlib import Path

import psycopg2

from sandbox.application import git
from sandbox.kubernetes.service_accounts import token
from sandbox.names import DEPLOYER
from sandbox.node.settle import Api, create, wait_available
from sandbox.postgres import database_url
from sandbox.services.manifests import Team, home, secret, workload
from sandbox.shop import IMAGES, NAMESPACE, PREVIOUS_VERSION, RELEASE_VERSION, SERVICES

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World

HERE = Path(__file__).parent
CHECKOUT = HERE / "checkout"
DATABASE = USER = "shop"
REPLICAS = 2
TOKEN_SECONDS = 30 * 86400
ENVIRONMENT = "shop-database"
AUTHOR = ("-c", "user.name=The shop", "-c", "user.email=shop@example.com")


def host(world: World, report: t.Callable[[str], None]) -> None:
    """Safe to repeat: what is there stays as it is."""
    login = {"name": DATABASE, "user": USER, "password": world.secret(f"postgres-{USER}")}
    _make_database(world.facts("postgres"), login)
    with world.changing() as state:
        state["components"]["postgres"]["databases"][DATABASE] = login
    _make_workloads(world)
    world.publish(
        "shop",
        {
            "namespace": NAMESPACE,
            "deployer_token": token(
                world.secret("kubernetes-token"), NAMESPACE, DEPLOYER, TOKEN_SECONDS
            ),
            "checkout": str(_checkout(world)),
        },
    )
    report(
        f"The shop is up: {', '.join(SERVICES)} in the namespace {NAMESPACE}, at {PREVIOUS_VERSION}."
    )


def _make_database(postgres: Facts, login: Facts) -> None:
    administrator = {**postgres["administrator"], "name": "postgres"}
    with contextlib.closing(psycopg2.connect(database_url(postgres, administrator))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if cursor.fetchone():
                return
            cursor.execute(f"CREATE ROLE {USER} LOGIN CREATEDB PASSWORD %s", [login["password"]])
            cursor.execute(f"CREATE DATABASE {DATABASE} OWNER {USER}")
    files = (CHECKOUT / "migrations/V1__catalogue_and_orders.sql", HERE / "rows.sql")
    with (
        contextlib.closing(psycopg2.connect(database_url(postgres, login))) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        for file in files:
            cursor.execute(file.read_text(encoding="utf-8"))


def _make_workloads(world: World) -> None:
    team = Team(NAMESPACE, IMAGES, ({"secretRef": {"name": ENVIRONMENT}},))
    postgres = world.facts("postgres")
    values = {"DATABASE_URL": database_url(postgres, postgres["databases"][DATABASE])}
    wanted = [*home(team), secret(ENVIRONMENT, values, team)]
    for service in SERVICES:
        wanted += workload(service, REPLICAS, PREVIOUS_VERSION, team)
    facts = world.facts("kubernetes")
    api = Api(facts["server"], facts["token"], facts["ca_cert"])
    with contextlib.closing(api):
        for manifest in wanted:
            create(api, manifest)
        wait_available(api, NAMESPACE, set(SERVICES))


def _checkout(world: World) -> Path:
    """The shop's repository at the release's tag. Without git: the files alone."""
    target = world.folder("shop") / "checkout"
    if not target.exists():
        shutil.copytree(CHECKOUT, target)
        if shutil.which("git"):
            git(target, "init", "--quiet", "--initial-branch=main")
            git(target, "add", ".")
            git(target, *AUTHOR, "commit", "--quiet", "--message", f"Release {RELEASE_VERSION}")
            git(target, "tag", f"v{RELEASE_VERSION}")
    return target
