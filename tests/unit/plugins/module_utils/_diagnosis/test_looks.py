"""What the collectors make of what they see, over a cluster in memory and gateways of our own."""

import typing as t
from types import SimpleNamespace

import pytest

from ansible_collections.easymo.deploy.plugins.module_utils._alerts.api import MonitoringServer
from ansible_collections.easymo.deploy.plugins.module_utils._checks.models import Check
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.error_rate import (
    failed_checks,
    frequent_messages,
    look_at_error_lines,
    look_at_health,
    look_at_public,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.evidence import (
    CollectedPart,
    CollectionLimits,
    Notebook,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.function import (
    look_at_answers,
    look_at_logs,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.kubernetes import (
    last_error,
    look_at_deployments,
)
from ansible_collections.easymo.deploy.plugins.module_utils._diagnosis.rules import find_causes
from ansible_collections.easymo.deploy.plugins.module_utils._errors import (
    DeployError,
    InputError,
    UnreachableError,
)
from ansible_collections.easymo.deploy.plugins.module_utils._functions.api import LogEntry
from ansible_collections.easymo.deploy.plugins.module_utils._functions.probe import (
    FunctionProbe,
)
from ansible_collections.easymo.deploy.plugins.module_utils._gate.sources import (
    Prometheus,
    Vector,
    read_answer,
)
from ansible_collections.easymo.deploy.plugins.module_utils._http import Answer
from ansible_collections.easymo.deploy.plugins.module_utils._http import Answer as HttpAnswer
from ansible_collections.easymo.deploy.plugins.module_utils._redaction import Redactor
from ansible_collections.easymo.deploy.plugins.module_utils._rollout.diagnosis import read_tail
from ansible_collections.easymo.deploy.plugins.module_utils._secret_forms import secrets_within
from tests.fakes.cluster import FakeClock, MemoryCluster
from tests.fakes.controller import NAME, Controller
from tests.fakes.prometheus import prometheus

SECRET = "pl4nted-secret"


def notebook() -> Notebook:
    part = CollectedPart("crash_loop", "pods")
    return Notebook(part, Redactor([SECRET]), CollectionLimits(pods=2))


def looked(image: str, *, only: str = "", log: str = "") -> CollectedPart:
    cluster = MemoryCluster()
    controller = Controller(cluster, image)
    for _tick in range(6):
        controller.tick()
    for pod in cluster.logs:
        cluster.logs[pod] = log or cluster.logs[pod]
    notes = notebook()
    services = [NAME, "vendor-service"] if only else [NAME]
    look_at_deployments(notes, cluster, services=services, only=only, clock=FakeClock())
    return notes.collected()


def sentences(part: CollectedPart) -> str:
    return " ".join(cause.sentence for cause in find_causes(part.facts))


def test_a_crash_loop_is_named_with_its_last_words_and_where_they_stand():
    part = looked("easymo/wallet:v2-crash", log=f"INFO up\nFATAL no redis for {SECRET}\nINFO bye\n")
    (cause,) = find_causes(part.facts)
    assert (cause.certainty, "crashed" in cause.sentence) == ("almost certain", True)
    assert "FATAL no redis for ********" in cause.sentence
    place = cause.evidence[0]
    assert part.files[place.file][place.line - 1] == "FATAL no redis for ********"
    assert ".previous.log" in place.file


def test_a_pod_that_crashed_and_is_ready_again_is_no_certain_cause():
    cluster = MemoryCluster()
    Controller(cluster, "easymo/wallet:v2")
    for (kind, _name), body in cluster.objects.items():
        if kind == "Pod":
            status = body["status"]["containerStatuses"][0]
            status["restartCount"] = 3
            status["lastState"] = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    notes = notebook()
    look_at_deployments(notes, cluster, services=[NAME], clock=FakeClock())
    causes = find_causes(notes.collected().facts)
    assert causes
    assert {cause.certainty for cause in causes} == {"possible"}
    assert all("ready again" in cause.sentence for cause in causes)


@pytest.mark.parametrize("elsewhere", ["True", "False"], ids=["ready elsewhere", "ready nowhere"])
def test_what_fails_on_one_node_alone_is_laid_to_the_node(elsewhere):
    cluster = MemoryCluster()
    Controller(cluster, "easymo/wallet:v2")
    first, *others = [body for (kind, _name), body in cluster.objects.items() if kind == "Pod"]
    for number, pod in enumerate([first, *others]):
        pod["spec"]["nodeName"] = f"node-{number}"
        ready = "False" if pod is first else elsewhere
        pod["status"]["conditions"] = [{"type": "Ready", "status": ready}]
    waiting = {"reason": "CreateContainerError", "message": "mount: permission denied"}
    first["status"]["containerStatuses"][0] |= {"ready": False, "state": {"waiting": waiting}}
    notes = notebook()
    look_at_deployments(notes, cluster, services=[NAME], clock=FakeClock())
    (cause, *_rest) = find_causes(notes.collected().facts)
    named = elsewhere == "True"
    assert ("on node node-0, and its pods elsewhere are ready" in cause.sentence) is named
    assert ("Look at node node-0" in cause.hint) is named
    assert (named and "rollback.yml" in cause.hint) is False


@pytest.mark.parametrize(
    ("image", "only", "words"),
    [
        ("easymo/wallet:v2-nopull", "", "not in the registry"),
        ("easymo/wallet:v2-unready", "", "run and are not ready"),
        ("easymo/wallet:v2", "nobody", "no such Deployment"),
    ],
    ids=["an image that is not there", "pods that run and are not ready", "a name of nothing"],
)
def test_what_is_wrong_is_named(image, only, words):
    assert words in sentences(looked(image, only=only))


def test_a_service_that_is_well_has_no_cause_and_logs_only_when_asked_for():
    assert not [name for name in looked("easymo/wallet:v2").files if name.endswith(".log")]
    named = looked("easymo/wallet:v2", only=NAME)
    assert [name for name in named.files if name.endswith(".log")]
    assert find_causes(named.facts) == []


def test_no_more_pods_are_read_than_the_limit_and_that_is_told():
    part = looked("easymo/wallet:v2-crash")
    assert len({name.split(".")[0] for name in part.files if name.endswith(".log")}) == 2
    assert any("worst 2" in one for one in part.cut)


def test_a_cluster_out_of_sight_is_no_cause():
    cluster = MemoryCluster()
    cluster.out_of_sight = True
    notes = notebook()
    with pytest.raises(UnreachableError):
        look_at_deployments(notes, cluster, services=[NAME])
    assert find_causes(notes.collected().facts) == []


def test_errors_are_counted_by_what_they_say():
    lines = [f"pod-1 ERROR order {n} failed after 0x{n}ms" for n in range(3)] + [
        "pod-2 ERROR no redis"
    ]
    assert [(count, number) for _text, count, number in frequent_messages(lines)] == [
        (3, 3),
        (1, 4),
    ]


def test_services_whose_requests_fail_are_read_too():
    cluster = MemoryCluster()
    Controller(cluster, "easymo/wallet:v2")
    for pod in cluster.logs:
        cluster.logs[pod] = "INFO fine\nERROR no ledger\n"
    notes = notebook()
    failing = Vector((({"service": NAME}, 0.2), ({"service": "gateway"}, 0.3)))
    look_at_error_lines(notes, cluster, [], lambda: failing)
    part = notes.collected()
    assert "say 'ERROR no ledger'" in sentences(part)
    assert any("were checked for errors" in one for one in part.cut)


def test_vectors_leave_out_what_is_no_number_and_say_what_is_wrong(monkeypatch):
    def series(answer: str | DeployError) -> Vector:
        def ask(_self: Prometheus, _query: str) -> t.Any:
            if isinstance(answer, DeployError):
                raise answer
            result = [{"metric": {"service": "a"}, "value": [0, answer]}]
            data = {"resultType": "vector", "result": result}
            return read_answer(200, {"status": "success", "data": data})

        monkeypatch.setattr(Prometheus, "_ask", ask)
        return Prometheus(MonitoringServer(), 1).vector("q")

    assert series("0.5").series == (({"service": "a"}, 0.5),)
    assert series("NaN").series == ()
    assert series(UnreachableError("It is busy.")) == Vector((), "It is busy")
    with pytest.raises(InputError):
        series(InputError("x"))


@pytest.mark.parametrize(("answers", "words"), [
    ({}, ["no function answers"]),
    ({"a": Answer(200, {}, b"ok")}, ["b alone does not answer"]),
    ({"a": Answer(404, {"sb-error-code": "NOT_FOUND_FUNCTION_BLOB"}, b""),
     "b": Answer(503, {}, b'{"code": "BOOT_ERROR"}')}, ["a is listed and has no bundle",
     "b does not start"]),
    ({"a": Answer(500, {}, b"{'boom'}"), "b": Answer(401, {}, b'{"code": 401}')},
     ["a answers, and fails itself: it answered 500", "b: the gateway requires a JWT"]),
    ({"a": Answer(200, {}, b""), "b": Answer(404, {}, b"no such path")}, []),
], ids=["gateway down", "one silent", "platform", "own and JWT", "well"])  # fmt: skip
def test_answers_of_functions(answers, words):
    notes = notebook()

    def call(probe: FunctionProbe) -> Answer:
        if probe.slug not in answers:
            raise UnreachableError("it did not answer within 10 s (ConnectionError)")
        return answers[probe.slug]

    look_at_answers(notes, [FunctionProbe("a"), FunctionProbe("b")], call)
    causes = [cause.sentence for cause in find_causes(notes.collected().facts)]
    assert len(causes) == len(words)
    for word in words:
        assert any(word in sentence for sentence in causes), (word, causes)


def test_an_entry_of_several_lines_is_one_line_of_a_functions_log():
    class Functions:
        def list(self) -> t.Sequence[SimpleNamespace]:
            return [SimpleNamespace(slug="checkout")]

        def log_of(self, *_arguments: object, **_more: object) -> t.Sequence[LogEntry]:
            texts = ("{\n  user: 1\n}", "", "}", "the database\nis away")
            return [LogEntry(1.0 * n, "error" if n else "", text) for n, text in enumerate(texts)]

    notes = notebook()
    look_at_logs(notes, Functions(), ["checkout"])
    (errors,) = notes.collected().facts
    assert errors.values["count"] == 3
    assert errors.values["line"] == "the database is away"


def test_what_services_say_of_what_they_depend_on_is_one_cause():
    unwell = '{"status": "fail", "checks": {"redis": {"status": "fail", "error": "refused"}, "db": {"status": "ok"}}}'
    notes = notebook()
    look_at_public(notes, ["a", "b"], lambda _name: HttpAnswer(503, {}, unwell.encode()))
    (cause,) = find_causes(notes.collected().facts)
    assert cause.sentence == "2 of 2 services say that their redis fails (refused)."


def test_what_the_check_of_a_worker_says_is_a_cause_and_its_silence_is_none():
    def metric(name: str) -> Check:
        given = {"prometheus": {"url": server.url}, "query": name, "unit": "s", "pass": {"max": 60}}
        return Check(name, "metric", {**given, "volume": None}, 5)

    notes = notebook()
    with prometheus() as server:
        server.says("late", 61)
        server.says("well", 7)
        server.says("quiet", [])
        look_at_health(notes, [metric("late"), metric("well"), metric("quiet")])
    part = notes.collected()
    assert [cause.sentence for cause in find_causes(part.facts)] == [
        "late is not well: 'late' gives 61 s and should give at most 60."
    ]
    assert part.unseen == ["quiet: There is no value of 'quiet' (no series)."]


@pytest.mark.parametrize("text", ["", "[]", '{"checks": 3}', '{"checks": {"a": null}}', "<html>"])
def test_a_health_of_another_form_blames_nobody(text):
    assert failed_checks(text) == {}


class LongLog(MemoryCluster):
    def log(self, pod: str, container: str, **limits: t.Any) -> str:
        lines = [f"line {n} {'x' * 90}\n" for n in range(100)][-limits["tail_lines"] :]
        return "".join(lines)[: limits.get("limit_bytes")]


def test_the_end_of_a_log_is_read_whole_rather_than_its_beginning():
    text, cut = read_tail(LongLog(), "p", "c", lines=64, limit=2000)
    assert text.splitlines()[-1].startswith("line 99 ")
    assert (len(text) <= 2000, "the last 16 were read" in cut) == (True, True)
    assert read_tail(LongLog(), "p", "c", lines=3, limit=2000)[1] == ""
    assert "ends in a line" in read_tail(LongLog(), "p", "c", lines=4, limit=50)[1]


def test_the_last_error_is_found_and_words_that_only_look_so_are_not():
    assert last_error(["INFO ok", "TypeError: x", "INFO errors=0"]) == 2
    assert last_error(["INFO all is well", "terror"]) == 0


def test_secrets_of_options_are_known_however_deep_and_names_are_none():
    params = {
        "kubernetes": {"api_key": "k-123456", "host": "h"},
        "databases": [{"connection": {"login_password": "p-123456"}}],
        "functions": {"required_secrets": ["WA_APP_SECRET"]},
        "secrets": [{"name": "secret_x"}],
    }
    assert sorted(secrets_within(params)) == ["k-123456", "p-123456"]
