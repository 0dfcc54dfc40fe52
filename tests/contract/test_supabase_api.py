"""The sandbox's Supabase, running, against the wire facts of the hosted platform."""

import hashlib
import json
import shutil
import threading

import pytest
import requests

from ansible_collections.easymo.deploy.plugins.module_utils._functions.api import function_query
from sandbox.faults import Fault
from sandbox.names import PREVIOUS_VERSION, RELEASE_VERSION
from sandbox.supabase.client import Source
from tests.contract.supabase_project import release
from tests.fakes.http_server import Handler, serving
from tests.waiting import until

pytestmark = pytest.mark.skipif(
    not shutil.which("setpriv"), reason="the sandbox needs setpriv of util-linux"
)


@pytest.fixture(autouse=True)
def no_faults(project) -> None:
    project.set_faults()


def test_the_previous_release_is_deployed(project):
    listed = project.manage("GET", "/functions").json()

    assert {"admin-agents", "admin-metrics", "health", "wa-webhook"} <= {f["slug"] for f in listed}
    assert all(None not in record.values() for record in listed)
    admin = project.call("/functions/v1/admin-agents/_health").json()
    assert admin == {"status": "healthy", "version": PREVIOUS_VERSION}


@pytest.mark.parametrize("token", [None, "Bearer sbp_wrong", "Bearer "])
def test_no_call_without_the_token(project, token):
    url = f"{project.facts['management_url']}/v1/projects/{project.facts['project_ref']}/functions"
    headers = {"Authorization": token} if token else {}
    assert requests.get(url, headers=headers, timeout=60).status_code == 401


def test_a_deployment_is_the_next_version_and_answers_at_once(project):
    source = project.program('Deno.serve(() => new Response("one"))')
    first = project.deploy(source)
    again = project.deploy(source)

    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.json()["version"], again.json()["version"]) == (1, 2)
    assert first.json()["id"] == again.json()["id"]
    assert project.call(f"/functions/v1/{source.slug}").text == "one"


def test_metadata_may_come_first(project):
    parts = [
        ("metadata", (None, json.dumps({"entrypoint_path": "index.ts"}))),
        ("file", ("index.ts", b"Deno.serve(() => new Response())")),
    ]
    answer = project.manage("POST", "/functions/deploy?slug=first", files=parts)
    assert (answer.status_code, answer.json()["verify_jwt"]) == (201, True)


def test_bundling_alone_changes_nothing_until_all_are_activated(project):
    slugs = ("health", "admin-agents")
    sources = [release(RELEASE_VERSION, slug) for slug in slugs]
    records = [project.client.bundle(source, verify_jwt=False) for source in sources]
    versions = [project.call(f"/functions/v1/{slug}/_health").json()["version"] for slug in slugs]
    assert versions == [PREVIOUS_VERSION, PREVIOUS_VERSION]

    answer = project.manage("PUT", "/functions", json=records)
    assert (answer.status_code, len(answer.json()["functions"])) == (200, 2)
    versions = [project.call(f"/functions/v1/{slug}/_health").json()["version"] for slug in slugs]
    assert versions == [RELEASE_VERSION, RELEASE_VERSION]


def test_nothing_is_activated_when_one_was_never_bundled(project):
    source = project.program('Deno.serve(() => new Response("one"))')
    record = project.client.bundle(source, verify_jwt=False)
    unknown = {**record, "slug": "never", "version": 7}

    assert project.manage("PUT", "/functions", json=[record, unknown]).status_code == 400
    assert project.call(f"/functions/v1/{source.slug}").json()["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param("const x = ;", "SyntaxError", id="syntax"),
        pytest.param('import "./missing.ts";', "Module not found", id="missing-import"),
        pytest.param('import "jsr:@std/assert";', "jsr", id="remote-import"),
    ],
)
def test_what_makes_no_program_is_not_bundled(project, code, reason):
    answer = project.deploy(project.program(code))
    assert answer.status_code == 400
    assert reason.lower() in answer.json()["message"].lower()
    assert str(project.world.directory) not in answer.text


def test_what_throws_at_start_is_a_bundle_that_does_not_boot(project):
    source = project.program('throw new Error("boom")')
    assert project.deploy(source).status_code == 201

    answer = project.call(f"/functions/v1/{source.slug}")
    assert (answer.status_code, answer.json()["code"]) == (503, "BOOT_ERROR")


def test_sources_come_back_as_they_were_and_can_be_sent_again(project):
    source = release(PREVIOUS_VERSION, "wa-webhook")
    answer = project.manage(
        "GET", "/functions/wa-webhook/body", headers={"Accept": "multipart/form-data"}
    )
    assert answer.headers["Content-Type"].startswith("multipart/form-data")
    for path, content in source.files.items():
        assert f"Supabase-Path: source/{path}".encode() in answer.content
        assert content in answer.content

    before = project.manage("GET", "/functions/wa-webhook").json()
    files = {f"source/{path}": content for path, content in source.files.items()}
    exported = Source(
        "wa-webhook", f"source/{source.entrypoint_path}", f"source/{source.import_map_path}", files
    )
    assert project.deploy(exported).json()["ezbr_sha256"] == before["ezbr_sha256"]


def test_the_compressed_bundle_is_refused_clearly(project):
    answer = project.manage("GET", "/functions/health/body")
    assert (answer.status_code, "multipart/form-data" in answer.json()["message"]) == (406, True)


def test_no_request_is_lost_while_versions_change(project):
    source = project.program('Deno.serve(() => new Response("0"))')
    project.deploy(source)
    answers: list[tuple[int, str]] = []
    done = threading.Event()

    def ask() -> None:
        with requests.Session() as session:
            while not done.is_set():
                url = f"{project.facts['gateway_url']}/functions/v1/{source.slug}"
                answer = session.get(url, timeout=60)
                answers.append((answer.status_code, answer.text))

    asking = threading.Thread(target=ask)
    asking.start()
    for number in range(1, 4):
        until(lambda number=number: (200, str(number - 1)) in answers or not asking.is_alive())
        code = f'Deno.serve(() => new Response("{number}"))'
        path = source.entrypoint_path
        project.deploy(Source(source.slug, path, "", {path: code.encode()}))
    done.set()
    asking.join(timeout=60)

    assert {status for status, _ in answers} == {200}
    texts = [text for _, text in answers]
    assert texts == sorted(texts)
    assert {"0", "1", "2"} <= set(texts)


def test_a_slow_answer_outlives_its_version(project):
    asked, go = threading.Event(), threading.Event()

    class Waits(Handler):
        def do_GET(self) -> None:
            asked.set()
            go.wait(60)
            self.answer()

    with serving(Waits) as url:
        source = project.program(
            f'Deno.serve(async () => {{ await fetch("{url}"); return new Response("old"); }})'
        )
        project.deploy(source)
        texts: list[str] = []
        asking = threading.Thread(
            target=lambda: texts.append(project.call(f"/functions/v1/{source.slug}").text)
        )
        asking.start()
        assert asked.wait(60)
        path = source.entrypoint_path
        new = Source(source.slug, path, "", {path: b'Deno.serve(() => new Response("new"))'})
        project.deploy(new)

        assert project.call(f"/functions/v1/{source.slug}").text == "new"
        go.set()
        asking.join(timeout=60)
    assert texts == ["old"]


def test_a_dead_worker_is_started_again(project):
    source = project.program(
        'Deno.serve((r) => r.method === "DELETE" ? Deno.exit(3) : new Response("up"))'
    )
    project.deploy(source)
    assert project.call(f"/functions/v1/{source.slug}", "DELETE").status_code == 500
    assert project.call(f"/functions/v1/{source.slug}").text == "up"


def test_a_function_reaches_loopback_alone(project):
    source = project.program(
        'Deno.serve(async () => { try { await fetch("http://192.0.2.1/"); } '
        "catch (e) { return new Response(e.name); } return new Response(); })"
    )
    project.deploy(source)
    assert project.call(f"/functions/v1/{source.slug}").text == "NotCapable"


def test_methods_paths_headers_and_large_bodies_pass_unchanged(project):
    source = project.program(
        "Deno.serve(async (r) => new Response(await r.arrayBuffer(), { status: 207, headers: "
        '{ "x-method": r.method, "x-path": new URL(r.url).pathname + new URL(r.url).search, '
        '"x-given": r.headers.get("x-given") } }))'
    )
    project.deploy(source)
    body = bytes(range(256)) * 4096
    path = f"/functions/v1/{source.slug}/a%2Fb?c=d%20e"
    answer = project.call(path, "PUT", data=body, headers={"x-given": "yes"})

    assert (answer.status_code, answer.content) == (207, body)
    assert answer.headers["x-method"] == "PUT"
    assert answer.headers["x-path"] == f"/{source.slug}/a%2Fb?c=d%20e"
    assert answer.headers["x-given"] == "yes"


def test_verify_jwt_is_honoured(project):
    source = project.program('Deno.serve(() => new Response("in"))')
    assert project.deploy(source, verify_jwt=True).json()["verify_jwt"] is True
    path = f"/functions/v1/{source.slug}"

    missing = project.call(path)
    assert missing.json() == {"code": 401, "message": "Missing authorization header"}
    wrong = project.call(path, headers={"Authorization": "Bearer nonsense"})
    assert wrong.json()["message"] == "Invalid Token or Protected Header formatting"
    key = {"Authorization": f"Bearer {project.facts['anon_key']}"}
    assert project.call(path, headers=key).text == "in"


def test_a_deleted_function_is_gone(project):
    source = project.program('Deno.serve(() => new Response("in"))')
    project.deploy(source)

    assert project.manage("DELETE", f"/functions/{source.slug}").status_code == 200
    assert project.manage("DELETE", f"/functions/{source.slug}").status_code == 404
    assert project.call(f"/functions/v1/{source.slug}").status_code == 404


def test_secrets_are_digests_and_reach_running_functions(project):
    source = project.program('Deno.serve(() => new Response(Deno.env.get("COLOUR") ?? ""))')
    project.manage("POST", "/secrets", json=[{"name": "COLOUR", "value": "red"}])
    project.deploy(source)
    project.manage("POST", "/secrets", json=[{"name": "COLOUR", "value": "blue"}])
    assert project.call(f"/functions/v1/{source.slug}").text == "blue"

    listed = {entry["name"]: entry for entry in project.manage("GET", "/secrets").json()}
    assert listed["COLOUR"]["value"] == hashlib.sha256(b"blue").hexdigest()
    refused = project.manage("POST", "/secrets", json=[{"name": "SUPABASE_X", "value": "1"}])
    assert refused.status_code == 400
    assert project.manage("DELETE", "/secrets", json=["COLOUR"]).status_code == 200


def test_function_logs_are_found(project):
    source = project.program(
        'Deno.serve(() => { console.log("seen"); console.error("bad"); return new Response(); })'
    )
    record = project.deploy(source).json()
    project.call(f"/functions/v1/{source.slug}")
    sql = function_query(record["id"], 5, "error")

    def logged() -> list[str]:
        answer = project.manage("GET", "/analytics/endpoints/logs.all", params={"sql": sql})
        return [line["event_message"] for line in answer.json()["result"]]

    until(lambda: logged() == ["bad"])


def test_the_rest_root_is_for_the_service_key(project):
    anon, service = project.facts["anon_key"], project.facts["service_role_key"]

    assert project.call("/rest/v1/").status_code == 401
    assert project.call("/rest/v1/", headers={"apikey": anon}).status_code == 403
    away = project.call("/rest/v1/", headers={"apikey": service})
    assert (away.status_code, away.json()["code"]) == (503, "PGRST000")
    assert project.call("/auth/v1/health", headers={"apikey": anon}).status_code == 200


def test_health_tells_that_the_database_is_away(project):
    answer = project.manage("GET", "/health?services=auth&services=db").json()
    assert [(entry["name"], entry["status"]) for entry in answer] == [
        ("auth", "ACTIVE_HEALTHY"),
        ("db", "UNHEALTHY"),
    ]
    assert project.manage("GET", "/health").status_code == 400


@pytest.mark.parametrize(("fault", "status"), [
    (Fault("supabase", "errors"), 500),
    (Fault("supabase", "unauthorized"), 401),
    (Fault("supabase", "rate-limited"), 429),
], ids=lambda value: value.name if isinstance(value, Fault) else "")  # fmt: skip
def test_faults_of_the_management_api(project, fault, status):
    project.set_faults(fault)
    answer = project.manage("GET", "/functions")
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) == (status == 429)
    assert project.call("/functions/v1/health").status_code == 200


def test_a_rate_of_two_more_in_this_minute(project):
    rate = project.manage("GET", "/secrets").headers
    used = int(rate["X-RateLimit-Limit"]) - int(rate["X-RateLimit-Remaining"])
    project.set_faults(Fault("supabase", "rate-limited", parameters={"limit": str(used + 2)}))
    codes = [project.manage("GET", "/secrets").status_code for _ in range(3)]
    assert codes == [200, 200, 429]


def test_faults_of_one_function(project):
    source = project.program('Deno.serve(() => new Response("in"))')
    project.deploy(source)
    path = f"/functions/v1/{source.slug}"

    project.set_faults(Fault("supabase", "missing-blob", source.slug))
    listed = project.manage("GET", f"/functions/{source.slug}").json()
    missing = project.call(path)
    assert listed["status"] == "ACTIVE"
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND_FUNCTION_BLOB")
    assert missing.headers["sb-error-code"] == "NOT_FOUND_FUNCTION_BLOB"

    project.set_faults(Fault("supabase", "jwt-flipped", source.slug))
    assert project.manage("GET", f"/functions/{source.slug}").json()["verify_jwt"] is True
    assert project.call(path).status_code == 401

    project.set_faults(Fault("supabase", "bundle-fails", source.slug))
    assert project.deploy(source).status_code == 400
    assert project.call(path).text == "in"

    project.set_faults(Fault("supabase", "errors", source.slug))
    assert project.call(path).status_code == 500
    assert project.call("/functions/v1/health").status_code == 200
