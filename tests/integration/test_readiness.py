"""Each assumption of a release broken in turn: readiness names it, says what was seen and how to mend it."""

import base64
import json
import time
import typing as t
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

import psycopg2
import pytest
import yaml

from ansible_collections.easymo.deploy.plugins.modules import preflight_check
from sandbox.faults import Fault, Faults
from tests.fakes.http_server import Handler, serving
from tests.fault_setting import faults_set
from tests.integration.conftest import Place
from tests.integration.inventory_values import evaluated

INVENTORY = Path(__file__).parents[2] / "inventories" / "sandbox"
NOWHERE = "127.0.0.1:9"


@dataclass(frozen=True)
class Broken:
    """As broken_assumptions.yml tells it."""

    check: str
    told: str
    values: t.Mapping[str, t.Any] = field(default_factory=dict)
    row: str = ""
    faults: t.Sequence[t.Sequence[str]] = ()
    status: str = "fail"


BROKEN = {
    name: Broken(**told)
    for name, told in yaml.safe_load(
        Path(__file__).with_name("broken_assumptions.yml").read_text("utf-8")
    ).items()
}
LOADED = {"preflight_placeholders": [], "preflight_wait_timeout": 0}


def expired() -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"exp": int(time.time()) - 60})
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts
        )
        + ".c2ln"
    )


class Web(Handler):
    """Servers that are not what they should be, by the first part of the path."""

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        if kind == "html":
            self.answer(200, b"<html>Log in</html>", {"Content-Type": "text/html"})
        elif kind == "late":
            self.answer(200, b"", {"X": "y"})
        elif kind == "empty" and "format_query" in self.path:
            self.answer_json({"status": "success", "data": "up"})
        elif kind == "empty":
            data = {"resultType": "vector", "result": []}
            self.answer_json({"status": "success", "data": data})
        else:
            self.answer_json({"status": "ok"})

    def do_POST(self) -> None:
        self.body()
        self.answer_json({"status": "ok"})

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(time.time() - 3600 * ("/late" in self.path), usegmt=True)


@pytest.fixture(scope="module")
def reader(world) -> t.Iterator[str]:
    """A role that may connect and no more."""
    facts = world.facts("postgres")
    login = facts["administrator"]
    session = psycopg2.connect(
        host=facts["host"], port=facts["port"], user=login["user"], password=login["password"],
        dbname="agent_core_prod", sslrootcert=facts["ca_cert"], sslmode="verify-full",
    )  # fmt: skip
    session.autocommit = True
    with session.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS readiness_reader")
        cursor.execute("CREATE ROLE readiness_reader LOGIN PASSWORD 's3cr3t'")
        yield "readiness_reader"
        cursor.execute("DROP ROLE readiness_reader")
    session.close()


@pytest.fixture(scope="module")
def rows(world, reader, tmp_path_factory) -> t.Iterator[t.Any]:
    """By the name of what is broken, the check as the inventory makes it then, and how the cluster is reached."""
    folder = tmp_path_factory.mktemp("readiness")
    (folder / "other.crt").write_bytes(Path("/etc/ssl/certs/ca-certificates.crt").read_bytes())
    (folder / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 13.1'\n")
    (folder / "pg_dump").chmod(0o755)
    with serving(Web) as web:
        known = {
            "$web": web,
            "$tmp": str(folder),
            "$reader": reader,
            "$expired": expired(),
            "$nowhere": NOWHERE,
        }

        def filled(values: t.Mapping[str, t.Any]) -> t.Any:
            text = json.dumps(values)
            for name, value in known.items():
                text = text.replace(name, value)
            return {**LOADED, **json.loads(text)}

        questions = [(expression(one.check), filled(one.values)) for one in BROKEN.values()]
        all_good = ("{{ [kubernetes_connection, __preflight_readiness] }}", LOADED)
        *answers, good = evaluated(INVENTORY, "preflight", [*questions, all_good], world.directory)
        yield {**dict(zip(BROKEN, answers, strict=True)), "": good}


def expression(check: str) -> str:
    named = f"__preflight_readiness | selectattr('name', 'equalto', '{check}') | list"
    return f"{{{{ [kubernetes_connection, {named}] }}}}"


def look(connection: dict[str, str], checks: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    given = {"release": "2.0.0", "timeout": 10, "checks": checks, **connection}
    return Place("", "").run_bare(preflight_check, **given)


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_named_with_its_cure(world, rows, what):
    broken = BROKEN[what]
    assert isinstance(rows[what], list), rows[what]
    connection, checks = rows[what]
    assert len(checks) == 1
    with faults_set(Faults(world.faults_file), *(Fault(*one) for one in broken.faults)):
        result = look(connection, checks)
    found = {row["name"]: row for row in result["results"]}
    row = found[broken.row or broken.check]
    assert (row["status"], broken.told in row["detail"]) == (broken.status, True), (
        row["status"] + row["detail"]
    )
    cure = checks[0].get("cure", "")
    assert broken.status == "skipped" or row["detail"].endswith(cure)
    assert not [one for one in ("s3cr3t", "xoxb-", "sbp_", "s3cr3t") if f" {one}" in row["detail"]]


def test_before_a_release_everything_is_ready_and_what_nobody_can_know_is_told(rows):
    connection, checks = rows[""]
    result = look(connection, checks)
    assert result["verdict"] == "go", result["sentence"]
    assert {row["status"] for row in result["results"]} == {"pass", "skipped"}
    skipped = {
        row["name"]: row["detail"] for row in result["results"] if row["status"] == "skipped"
    }
    assert "seen in phase 5" in skipped["webhook_answers"]
    told = {row["name"]: row["detail"] for row in result["results"]}
    assert "come with the release" in told["queries_supabase_db"]
