"""Three services and one database of a team that has no flags, functions, messages or channels: inventories/example.

Somebody else's Deployment crashes in their namespace all along.
A dangerous migration is refused, the release is deployed, again, and taken back.
"""

import json
import shutil
import typing as t
from pathlib import Path

import pytest

from sandbox.services.manifests import Team, deployment
from sandbox.world import World
from tests.stories.people import HANGS, Operator, Run, Witness

pytestmark = pytest.mark.nightly

NAMESPACE, SERVICES = "shop", ("catalog", "orders", "payments")
OLD, NEW = dict.fromkeys(SERVICES, "v1.0.0"), dict.fromkeys(SERVICES, "v1.1.0")
# One service answers at its address, one by a program in its pods, and one by a number.
HEALTH = {
    "payments": {"exec": {"command": ["sh", "-c", 'test -n "$DATABASE_URL"']}},
    "orders": {"metric": {"query": "count(up)", "pass": {"min": 1}}},
}
SHORT = {"contract_health": HEALTH, "release_watch_duration": 3, "release_watch_interval": 1}
TEAM = ("inventories/example", "sandbox/checkout/shop/stack.yml")
HISTORY = "select version || ' ' || installed_on::text from flyway_schema_history order by 1"


class Shop:
    """As the witness sees it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._witness = Witness(world)

    def images(self) -> dict[str, str]:
        """By service, the version that its Deployment asks for."""
        listed = json.loads(self._kubectl("get", "deployments", *SERVICES, "-o", "json"))["items"]
        images = {
            one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["image"]
            for one in listed
        }
        return {name: image.partition(":")[2] for name, image in images.items()}

    def rolled_out(self) -> bool:
        for service in SERVICES:
            self._kubectl("rollout", "status", f"deployment/{service}", HANGS)
        return True

    def versions(self) -> list[str]:
        """Each service's Deployment with its version: any write shows."""
        path = "jsonpath={range .items[*]}{.metadata.name}={.metadata.resourceVersion} {end}"
        return self._kubectl("get", "deployments", *SERVICES, "-o", path).split()

    def record(self) -> dict[str, t.Any]:
        path = "jsonpath={.data.record\\.json}"
        printed = self._kubectl("get", "configmap", "release-1.1.0", "-o", path)
        return json.loads(printed)

    def lets_in(self, manifest: dict[str, t.Any]) -> None:
        self._kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def sql(self, query: str) -> list[str]:
        return self._witness.sql("shop", query)

    def tables(self) -> set[str]:
        return set(self.sql("select tablename from pg_tables where schemaname = 'public'"))

    def databases(self) -> set[str]:
        return set(self.sql("select datname from pg_database where datname like '%shop%'"))

    def dumps(self) -> dict[str, str]:
        return {
            key: listed for key, listed in self._witness.dumps().items() if key.startswith("shop/")
        }

    def report(self) -> str:
        return (self._world.directory / "shop/1.1.0/report.txt").read_text(encoding="utf-8")

    def _kubectl(self, *arguments: str, stdin: str = "") -> str:
        return self._witness.kubectl("-n", NAMESPACE, *arguments, stdin=stdin)


@pytest.fixture(scope="module")
def shop(world, operator) -> Shop:
    made = operator.sandbox("host", *TEAM)
    assert made.rc == 0, made.tail()
    shop = Shop(world)
    foreign = deployment("orders", 1, "shop/orders:v1.0.0-crash", Team(NAMESPACE, "shop", ()))
    foreign["metadata"]["name"] = "solo"
    for labels in (
        foreign["spec"]["selector"]["matchLabels"],
        foreign["spec"]["template"]["metadata"]["labels"],
    ):
        labels["app"] = "solo"
    shop.lets_in(foreign)
    return shop


def hosted(operator: Operator) -> tuple[str, ...]:
    overlay = operator.world.facts("hosted")[NAMESPACE]["inventory"]
    return ("-i", TEAM[1], "-i", overlay, "-e", json.dumps(SHORT))


def plays(operator: Operator, playbook: str, *arguments: str) -> Run:
    quick = (*hosted(operator), "-e", "rolling_update_soak=0")
    return operator.plays(playbook, *quick, *arguments, inventory="example")


def test_a_migration_that_destroys_is_refused_before_anything_is_touched(
    operator, shop, world, tmp_path
):
    folder = tmp_path / "migrations"
    shutil.copytree(Path(world.facts("hosted")[NAMESPACE]["checkout"]) / "migrations", folder)
    (folder / "V4__forget_orders.sql").write_text("DROP TABLE orders;\n", encoding="utf-8")
    run = plays(
        operator, "deploy", "--tags", "preflight,database", "-e", f"release_sql_migrations={folder}"
    )
    assert run.rc != 0
    assert "V4__forget_orders.sql" in run.output
    assert "DROP TABLE" in run.output
    assert shop.tables() == {"products", "orders"}
    assert shop.sql("select count(*) from orders") == ["2000"]
    assert shop.images() == OLD


def test_it_is_deployed(operator, shop):
    run = plays(operator, "deploy")
    assert run.rc == 0, run.tail()
    assert shop.images() == NEW
    assert shop.rolled_out()
    assert shop.tables() == {"products", "orders", "payments", "flyway_schema_history"}
    assert len(shop.sql("select version from flyway_schema_history")) == 3
    assert shop.sql("select count(*) from orders") == ["2000"]
    record = shop.record()
    assert (record["status"], record["attempt"]) == ("done", 1)
    assert set(record["phases"]) == {
        "preflight",
        "database",
        "microservices",
        "smoke_tests",
        "monitoring",
        "sign_off",
    }


def test_the_migrations_were_rehearsed_on_the_backup(shop):
    listed = "".join(shop.dumps().values())
    # As the database was before.
    assert "TABLE DATA public orders shop" in listed
    assert "payments" not in listed
    rehearsal = shop.record()["phases"]["database"]["evidence"]["rehearsals"]["shop"]
    assert rehearsal["status"] == "passed"
    assert shop.databases() == {"shop"}


def test_a_second_run_changes_nothing(operator, shop):
    before = (shop.versions(), shop.sql(HISTORY), set(shop.dumps()))
    run = plays(operator, "deploy")
    assert run.rc == 0, run.tail()
    assert not any(run.changed().values()), run.changed()
    assert (shop.versions(), shop.sql(HISTORY), set(shop.dumps())) == before


def test_the_release_is_taken_back(operator, shop, world, witness, tmp_path):
    """By now the team has Slack, and has written no text for it."""
    sinks = world.facts("sinks")
    slack = {
        "slack_channel": "#v2-deployment",
        "slack_api_url": sinks["slack_api_url"],
        "secret_slack_bot_token": sinks["slack_bot_token"],
    }
    more = tmp_path / "slack.yml"
    more.write_text(json.dumps({"all": {"vars": slack}}), encoding="utf-8")
    why = ("-e", "by=ann", "-e", "reason='orders are slow'")
    run = plays(operator, "rollback", *why, "-i", str(more))
    assert run.rc == 0, run.tail()
    assert "Shop 1.1 was rolled back in sandbox. State: user flows work" in str(
        witness.received()["slack"]
    )
    assert shop.images() == OLD
    assert shop.rolled_out()
    # What the release added stays: the old code runs on it.
    assert shop.tables() >= {"products", "orders", "payments"}
    assert shop.record()["status"] == "rolled_back"
    assert "ROLLED BACK" in shop.report()
