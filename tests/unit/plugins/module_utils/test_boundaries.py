"""Whatever stands on the other side of a boundary answers, there comes out a typed value or an error of ours.

Each boundary has an answer that is well, of which a property bends some places, and a look at what is read of it.
"""

import contextlib
import functools
import hashlib
import io
import json
import typing as t
from types import SimpleNamespace
from unittest import mock

import pytest
from botocore.awsrequest import AWSResponse
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client.exceptions import ApiException
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from ansible_collections.easymo.deploy.plugins.module_utils._alerts import api as alerts_api
from ansible_collections.easymo.deploy.plugins.module_utils._alerts.apply import Routing
from ansible_collections.easymo.deploy.plugins.module_utils._alerts.plan import (
    AlertmanagerConfig,
    LoadedRule,
    WantedRule,
)
from ansible_collections.easymo.deploy.plugins.module_utils._availability.claims import (
    RELEASE,
    MeasuredStore,
    attachment_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._checks import people
from ansible_collections.easymo.deploy.plugins.module_utils._checks.git import look_commit_status
from ansible_collections.easymo.deploy.plugins.module_utils._cluster import FIELD_MANAGER
from ansible_collections.easymo.deploy.plugins.module_utils._decode import restored
from ansible_collections.easymo.deploy.plugins.module_utils._errors import DeployError
from ansible_collections.easymo.deploy.plugins.module_utils._flags.plan import FlagsMap
from ansible_collections.easymo.deploy.plugins.module_utils._functions.api import (
    SupabaseFunctionsApi,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate import sources
from ansible_collections.easymo.deploy.plugins.module_utils._gate.store import (
    ATTACHMENT,
    WatchStore,
    watches_of,
)
from ansible_collections.easymo.deploy.plugins.module_utils._guard.memory import Acts
from ansible_collections.easymo.deploy.plugins.module_utils._images import HttpRegistry, Reference
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_calls import (
    exit_of,
    object_in,
)
from ansible_collections.easymo.deploy.plugins.module_utils._kubernetes_client import to_error
from ansible_collections.easymo.deploy.plugins.module_utils._lock.models import DeployFreeze, Lock
from ansible_collections.easymo.deploy.plugins.module_utils._messages.apply import SENDERS
from ansible_collections.easymo.deploy.plugins.module_utils._messages.plan import Message
from ansible_collections.easymo.deploy.plugins.module_utils._ramp.plan import RampState
from ansible_collections.easymo.deploy.plugins.module_utils._release.pins import pack, read_pins
from ansible_collections.easymo.deploy.plugins.module_utils._release.record import Record
from ansible_collections.easymo.deploy.plugins.module_utils._release.store import (
    Attachment,
    ReleaseStore,
)
from ansible_collections.easymo.deploy.plugins.module_utils._rollout import models
from ansible_collections.easymo.deploy.plugins.module_utils._run_process import Run
from ansible_collections.easymo.deploy.plugins.module_utils._s3 import S3Bucket
from ansible_collections.easymo.deploy.plugins.module_utils._time import Deadline, now
from tests.examples import examples
from tests.fakes.cluster import FakeClock, MemoryCluster

URL = "https://server.example.com"
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
JSON = st.recursive(
    SCALARS | st.sampled_from([10**400, "1e400", "k:{bad", "NaN"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value: t.Any, at: tuple[t.Any, ...] = ()) -> t.Iterator[tuple[t.Any, ...]]:
    """The path of each value in a document, its own first."""
    yield at
    inner = value.items() if isinstance(value, dict) else ()
    for key, entry in enumerate(value) if isinstance(value, list) else inner:
        yield from places(entry, (*at, key))


@st.composite
def bent(draw: st.DrawFn, document: t.Any) -> t.Any:
    """The document with something else, or nothing, in up to three places."""
    root = {"": json.loads(json.dumps(document))}
    for _ in range(draw(st.integers(1, 3))):
        *outer, key = draw(st.sampled_from([*places(root)][1:]))
        holder: t.Any = root
        for step in outer:
            holder = holder[step]
        if outer and draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = draw(JSON)
    return root[""]


ALERTS = alerts_api.AlertsApi(
    *(alerts_api.MonitoringServer(URL) for _server in range(2)), timeout=9.0
)
PROMETHEUS = sources.Prometheus(alerts_api.MonitoringServer(URL), 9.0)
SUPABASE = SupabaseFunctionsApi(
    {"api_url": URL, "project_ref": "shop", "access_token": "x", "ca_cert": None, "request_timeout": 9},
    patience=0,
)  # fmt: skip
REGISTRY = HttpRegistry(
    dict.fromkeys(("registry", "username", "password"), "") | {"ca_cert": None},
    timeout=9.0,
    deadline=Deadline(0),
)
RULE = WantedRule("High", "up", 60.0, {"notify": "ops"}, {}, "shop")


def send(kind: str, **options: t.Any) -> t.Any:
    message = Message(
        kind, "ops", "It is done.", {"url": URL, "api_url": URL, "token": "x", **options}
    )
    return SENDERS[kind](message, Deadline(0), None)  # fmt: skip


def of_functions() -> t.Any:
    deployed = {entry.slug: entry for entry in SUPABASE.list()}
    return [SUPABASE.log_of(entry, since=sources.timedelta(hours=1)) for entry in deployed.values()]


def queried(kind: str, result: t.Any) -> t.Any:
    return {"status": "success", "data": {"resultType": kind, "result": result}}


SERIES = {"metric": {"alertname": "High"}, "value": [1.0, "1"], "values": [[1.0, "1"], [61.0, "1"]]}
FIRING = {"labels": {"service": "shop"}, "state": "firing", "activeAt": "2026-11-24T06:00:00Z"}
LOADED = {
    "name": "High",
    "query": "up",
    "duration": 60,
    "health": "ok",
    "labels": {"notify": "ops"},
}
ROUTE = {"receiver": "ops", "match": {"service": "shop"}, "matchers": ['notify="ops"'], "continue": True,
         "mute_time_intervals": ["night"]}  # fmt: skip
ROUTES = {
    "route": {"receiver": "ops", "routes": [ROUTE]},
    "receivers": [{"name": "ops", "slack_configs": [{}]}],
}
SILENCE = {
    "status": {"state": "active"},
    "matchers": [{"name": "notify", "value": "ops", "isRegex": False}],
}
FUNCTION = {"id": "f1", "slug": "pay", "status": "ACTIVE", "version": 3, "verify_jwt": True,
            "entrypoint_path": "file:///a/index.ts", "ezbr_sha256": "ab"}  # fmt: skip
LOGGED = {"timestamp": 1764000000000000, "event_message": "failed", "level": "error"}
INCIDENT = {
    "id": "i1",
    "name": "ops",
    "status": "resolved",
    "incident_updates": [{"body": "It is done."}],
}
CHECK = {"name": "unit", "status": "completed", "conclusion": "success"}
COMMIT = {
    "check_runs": [CHECK],
    "statuses": [{"context": "lint", "state": "success"}],
    "total_count": 1,
}


def look_routes() -> str:
    return Routing(ALERTS.alertmanager(), [], {"job": "pods"}).problem(RULE)


def look_rules() -> t.Any:
    return sources.judged(sources.AlertsSource(ALERTS, ("High",), 600.0).loaded(), [])


def look_times() -> t.Any:
    rule = LoadedRule(**vars(RULE), health="ok", last_error="")
    return sources.judged({"High": rule}, ALERTS.firing_times(["High"], 600))


CHECK_OPTIONS: dict[str, t.Any] = {"api_url": URL, "token": "x", "ca_cert": None}
GROUND: t.Any = SimpleNamespace(known_commit=lambda: "a1" * 20, timeout=9.0, now=now())


def look_shifts() -> t.Any:
    return people.look_pagerduty({**CHECK_OPTIONS, "schedules": ["p"], "minutes": 60}, GROUND)


def look_slack(*contacts: str) -> t.Any:
    options = {**CHECK_OPTIONS, "channels": [], "people": [*contacts]}
    return people.look_slack(options, GROUND)


def look_github() -> t.Any:
    return look_commit_status(
        {**CHECK_OPTIONS, "repository": "a/b", "ignore": [], "contexts": []}, GROUND
    )


WEB: dict[str, tuple[t.Any, t.Callable[[], t.Any]]] = {
    "prometheus": (queried("vector", [SERIES]), lambda: PROMETHEUS.sample("up")),
    "prometheus-vector": (queried("vector", [SERIES]), lambda: PROMETHEUS.vector("up")),
    "prometheus-count": (queried("vector", [SERIES]), lambda: ALERTS.count("up")),
    "prometheus-times": (queried("matrix", [SERIES]), look_times),
    "prometheus-outages": (queried("matrix", [SERIES]), lambda: ALERTS.outages(0, 600)),
    "prometheus-rules": (
        {"data": {"groups": [{"name": "shop", "rules": [LOADED | {"alerts": [FIRING]}]}]}}, look_rules),
    "prometheus-format": ({"data": "up"}, lambda: ALERTS.formatted("up")),
    "prometheus-config": ({"data": {"yaml": "global: {external_labels: {a: b}}"}}, ALERTS.external_labels),
    "prometheus-reload": ({"message": "reloaded"}, ALERTS.reload),
    "alertmanager": (ROUTES, look_routes),
    "alertmanager-silences": (
        [SILENCE], lambda: Routing(restored(AlertmanagerConfig, ROUTES, ""), ALERTS.silences(), {}).problem(RULE)),
    "registry": ({"token": "x"}, lambda: REGISTRY.digest(Reference.parse("shop/core:v2"))),
    "supabase-functions": ([FUNCTION], SUPABASE.list),
    "supabase-log": ({"result": [LOGGED]}, lambda: SUPABASE.lines(["f1"])),
    "supabase-secrets": ([{"name": "KEY", "value": "ab"}], SUPABASE.secrets),
    "slack": ({"ok": True, "channel": "C1", "ts": "1.2"}, lambda: send("slack", channel="ops")),
    "slack-webhook": ("ok", lambda: send("slack", token="", webhook_url=URL)),
    "pagerduty": (
        {"status": "success", "dedup_key": "k"},
        lambda: send("pagerduty", routing_key="r", action="resolve", dedup_key="k")),
    "status-page": ([INCIDENT], lambda: send("statuspage", page_id="p", status="resolved")),
    "github": (COMMIT, look_github),
    "oncalls": (
        {"oncalls": [{"user": {"summary": "Ann"}, "start": "2026-11-24T06:00:00Z", "end": None}]}, look_shifts),
    "slack-user": ({"ok": True, "user": {"deleted": False}}, lambda: look_slack("U0123456789")),
    "slack-users": (
        {"ok": True, "usergroups": [{"handle": "ops", "date_delete": 0}], "members": [{"name": "ann"}]},
        lambda: look_slack("ann")),
}  # fmt: skip
WRAPPED = {"alertmanager": lambda config: {"config": {"original": json.dumps(config)}}}
CHALLENGE = "WWW-Authenticate"
WELL = {
    "registry": {
        CHALLENGE: f'Bearer realm="{URL}/token"',
        "Docker-Content-Digest": "sha256:" + "a1" * 32,
    }
}
STATUSES = st.sampled_from([200, 204, 301, 400, 401, 403, 404, 407, 422, 429, 500, 503])
HEADERS = st.fixed_dictionaries({}, optional={
    "Content-Type": st.sampled_from(["text/html; charset=none", "multipart/form-data; boundary=a"]),
    "Content-Encoding": st.sampled_from(["gzip", "zstd", "x"]),
    "Retry-After": st.sampled_from(["0", "-1", "9" * 400, "9" * 5000, "soon", "Fri, 31 Dec 9999 23:59:59 GMT"]),
    "Docker-Content-Digest": st.sampled_from(["", "sha256:", "sha256:" + "a1" * 32]),
    CHALLENGE: st.sampled_from([
        "", "Basic", "Bearer", 'Bearer realm="http://[::1"', f'Bearer realm="{URL}/t",scope=', 'Bearer realm="x:y"']),
})  # fmt: skip
BODIES = st.binary(max_size=9) | st.sampled_from(["", "<html>", "[", "9", '"\xff"']).map(
    lambda text: text.encode("latin-1") * 20_000
)


@contextlib.contextmanager
def answering(status: int, headers: t.Mapping[str, str], body: bytes) -> t.Iterator[None]:
    """To every request the same; who demands a token takes a HEAD with one alone."""

    def answer(adapter: HTTPAdapter, request: t.Any, **_how: t.Any) -> t.Any:
        head = request.method == "HEAD"
        refused = head and CHALLENGE in headers and "Authorization" not in request.headers
        raw = HTTPResponse(
            io.BytesIO(b"" if head else body), headers, 401 if refused else status, preload_content=False
        )  # fmt: skip
        return adapter.build_response(request, raw)

    with mock.patch.object(HTTPAdapter, "send", answer):
        yield


def sent(name: str, document: t.Any) -> bytes:
    return json.dumps(WRAPPED.get(name, lambda same: same)(document)).encode()


@pytest.mark.parametrize("name", WEB)
def test_an_answer_that_is_well_is_a_value(name):
    document, look = WEB[name]
    with answering(200, WELL.get(name, {}), sent(name, document)):
        look()


@pytest.mark.parametrize("name", WEB)
@examples(400)
@given(data=st.data())
def test_whatever_a_server_answers_is_a_value_or_a_sentence(name, data):
    document, look = WEB[name]
    well = st.just((200, WELL.get(name, {})))
    texts = bent(document).map(functools.partial(sent, name))
    status, headers = data.draw(well | st.tuples(STATUSES, HEADERS))
    body = data.draw(texts | texts | BODIES)
    with answering(status, headers, body), contextlib.suppress(DeployError):
        look()


META = {"name": "pay", "uid": "u1", "namespace": "shop", "generation": 2, "resourceVersion": "7",
        "labels": {"pod-template-hash": "ab"}, "annotations": {models.REVISION: "3", "easymo.com/lock-run": "1 - -"},
        "ownerReferences": [{"uid": "u0", "kind": "ReplicaSet", "controller": True}], "managedFields": [{
            "manager": FIELD_MANAGER, "operation": "Apply", "time": "2026-11-24T06:00:00Z", "fieldsV1": {
                "f:data": {"f:FLAG": {}}, "f:metadata": {"f:annotations": {"f:a": {}}}, "f:spec": {"f:template": {
                    "f:spec": {"f:containers": {'k:{"name":"pay"}': {"f:image": {}}}}}}}}]}  # fmt: skip
CONDITIONS = [
    {"type": "Ready", "status": "True", "reason": "Is", "lastUpdateTime": "2026-11-24T06:00:00Z"}
]
TEMPLATE = {"metadata": {"labels": {"app": "pay"}}, "spec": {"containers": [
    {"name": "pay", "image": "shop/pay:1", "readinessProbe": {"periodSeconds": 5}}]}}  # fmt: skip
CONTAINER = {"name": "pay", "ready": True, "restartCount": 1, "state": {"running": {"startedAt": "x"}},
             "lastState": {"terminated": {"reason": "Error", "exitCode": 1}}, "started": True}  # fmt: skip
SELECTOR = {
    "matchLabels": {"app": "pay"},
    "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
}


def look_deployment(body: t.Any) -> t.Any:
    known = models.Deployment.from_json(body)
    sets = [
        models.ReplicaSet.from_json({**body, "metadata": META}),
        models.ReplicaSet.from_json(body),
    ]
    current = models.current_replica_set(known, sets)
    return (known.selector, known.images, known.complete, known.written, known.owned_images, str(known.counts),
            known.condition("Ready"), models.ready_budget(known), current and current.revision)  # fmt: skip


def look_pod(body: t.Any) -> t.Any:
    pod = models.Pod.from_json(body)
    return pod.owner, pod.ready, pod.deleting, pod.template_hash, pod.containers


def look_lease(body: t.Any) -> t.Any:
    lock = Lock.from_json(body)
    return lock.until, lock.to_result(), lock.to_json("shop")


LISTED = "<ListBucketResult><Contents><Key>a</Key><Size>3</Size></Contents></ListBucketResult>"


BUCKET = S3Bucket.from_params(
    dict.fromkeys(("profile", "session_token", "s3_ca_cert"))
    | {"bucket": "b", "endpoint_url": URL, "access_key": "k", "secret_key": "s", "path_style": True, "region": "x"},
    attempts=1,
)  # fmt: skip


@examples(400)
@given(
    status=STATUSES.filter(lambda status: status != 301),  # boto3 follows it for seconds
    content=st.sampled_from(["", "3", "x", LISTED]) | st.text(max_size=4),
    lost=st.sampled_from(["", "<Size>", "<Key>a</Key>", "</Contents>"]),
)
def test_whatever_s3_answers_is_a_list_or_a_sentence(status, content, lost):
    answer = AWSResponse(URL, status, {}, io.BytesIO())
    answer._content = LISTED.replace("3", content).replace(lost, "").encode()
    with mock.patch("botocore.httpsession.URLLib3Session.send", return_value=answer):
        with contextlib.suppress(DeployError):
            [*BUCKET.list("")]
        with contextlib.suppress(DeployError):
            BUCKET.upload_part("a", BUCKET.start_upload("a"), 1, b"")


CLUSTER, STORED = MemoryCluster(), "release-2.0.0"
STORE = ReleaseStore(CLUSTER, "2.0.0", clock=FakeClock())


def attached(name: str, document: t.Any) -> None:
    """As an attachment of the record has it, be it well or not."""
    text = pack(json.dumps(document).encode(), name)
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    data = {"attempt": "1", "sha256": digest, "content": text}
    CLUSTER.put("ConfigMap", {"metadata": {"name": f"{STORED}-{name}"}, "data": data})


def look_watches(document: t.Any) -> t.Any:
    attached(ATTACHMENT, document)
    watches_of(STORE, 1)
    watches = WatchStore(STORE)
    watches.read()
    return [watches.state(gate) for gate in watches.watches]


def look_attachment(data: t.Any) -> t.Any:
    CLUSTER.put("ConfigMap", {"metadata": {"name": f"{STORED}-guard"}, "data": data})
    return Attachment(STORE, "guard").read()


def look_pins(document: t.Any) -> t.Any:
    data = {"pins": pack(json.dumps(document).encode(), "pins")}
    CLUSTER.put("ConfigMap", {"metadata": {"name": f"{STORED}-pins"}, "data": data})
    pins = read_pins(CLUSTER, STORED)
    return pins and [
        models.images_of(pin.template)
        for name in pins.deployments
        if (pin := pins.deployment(name))
    ]


ACT = {"id": "a", "what": "kill_switch", "at": "2026-11-24T06:00:00Z", "release": "2.0.0", "attempt": 1,
       "causes": ["x"], "before": 5, "to": 0}  # fmt: skip
STATE = {"started": 1764000000.0, "attempt": 1, "series": {"errors": {"count": 3, "total": 1.5}}}
PINS = {
    "attempt": 1,
    "config_maps": {},
    "deployments": {"pay": {"uid": "u", "template": TEMPLATE, "annotations": {}}},
}
PACKED = {
    "attempt": "1",
    "sha256": hashlib.sha256(b"{}").hexdigest(),
    "content": pack(b"{}", "guard"),
}

MEASURED = {"attempt": 1, "interval": 1.0, "since": "2026-11-24T06:00:00Z", "until": None, "gaps": [], "outages": [],
            "targets": {"pay": {"probes": 3, "failures": 1}}, "downtime": 0.0, "prober": "", "fence": 0, "off": "",
            "closed": False}  # fmt: skip


def look_measured(document: t.Any) -> t.Any:
    attached(attachment_of(RELEASE), document)
    return MeasuredStore(STORE).of_attempt(1)


STATUS = {
    "status": "Failure",
    "message": "no",
    "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
}


def look_status(document: t.Any) -> t.Any:
    """As an error's body, and as the end of a command in a container, which may have been cut off."""
    text = json.dumps(document)
    with contextlib.suppress(ApiException):
        exit_of(text)
    refused = ApiException(status=422)
    refused.body = text
    return to_error(refused, "x", "shop"), object_in(text.encode(), "x")


PHASE = {"status": "done", "started": "2026-11-24T06:00:00Z", "finished": ""}
DOCUMENTS: dict[str, tuple[t.Any, t.Callable[[t.Any], t.Any]]] = {
    "deployment": (
        {"metadata": META, "spec": {"replicas": 2, "selector": SELECTOR, "template": TEMPLATE},
         "status": {"replicas": 2, "conditions": CONDITIONS}}, look_deployment),
    "pod": (
        {"metadata": META, "spec": {"nodeName": "n1"},
         "status": {"phase": "Running", "conditions": CONDITIONS, "containerStatuses": [CONTAINER]}}, look_pod),
    "selector": (SELECTOR, lambda selector: models.selects(selector, {"a": "b"})),
    "lease": (
        {"metadata": META, "spec": {"holderIdentity": "ann/1", "leaseDurationSeconds": 120, "leaseTransitions": 3,
                                    "renewTime": "2026-11-24T06:00:00.000001Z"}}, look_lease),
    "freeze": (
        {"metadata": META, "data": {"reason": "holidays", "until": "2026-11-24T06:00:00Z"}},
        lambda body: DeployFreeze.from_json(body).in_force(now())),
    "watches": ({"monitoring": {"writer": "w", "state": STATE, "asked": {"errors": {"unit": "ratio"}}}}, look_watches),
    "attachment": (PACKED, look_attachment),
    "pins": (PINS, look_pins),
    "acts": ([ACT], lambda acts: Acts.from_annotation(json.dumps(acts)).of("x")),
    "ramp": ({"step": 1, "history": []}, lambda state: RampState.from_annotation(json.dumps(state))),
    "record": (
        {"version": "2.0.0", "attempt": 1, "status": "running", "actor": "ann", "git_sha": "a1", "facts": {},
         "started": "2026-11-24T06:00:00Z", "phases": {"database": PHASE}},
        lambda record: [Record.read(record), Record.load(json.dumps(record), "It")]),
    "status": (STATUS, look_status),
    "event": (
        {"involvedObject": {"kind": "Pod", "name": "pay"}, "reason": "Killing", "count": 2, "eventTime": "x"},
        lambda body: models.Event.from_json(body).last_seen),
    "measured": (MEASURED, look_measured),
    "rows": (1, lambda value: sources.read_rows([(value,)])),
    "lock-run": (["12", "34", "boot"], lambda parts: Run.from_text(json.dumps(parts))),
    "flags": ({"metadata": META, "data": {"FLAG": "true"}}, lambda body: FlagsMap.from_json("flags", body)),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_that_is_well_is_a_value(name):
    document, read = DOCUMENTS[name]
    read(document)


@pytest.mark.parametrize("name", DOCUMENTS)
@examples(400)
@given(data=st.data())
def test_whatever_a_document_has_is_a_value_or_a_sentence(name, data):
    document, read = DOCUMENTS[name]
    with contextlib.suppress(DeployError):
        read(data.draw(bent(document)))
