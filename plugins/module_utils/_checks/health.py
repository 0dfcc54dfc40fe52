# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at components, each again and again until it is well or its time is over."""

from __future__ import annotations

import json
import logging
import typing as t
from dataclasses import replace
from textwrap import indent

from .. import _postgres
from .._doc_fragments._module import AUTHORITIES, nested
from .._doc_fragments._postgres import LOGIN
from .._errors import (
    DeployError,
    InputError,
    Library,
    RefusedError,
    UnreachableError,
)
from .._functions.probe import FunctionProbe, call, read_probes, verdict
from .._http import REQUESTS, ask, without_query
from .._module import add_fragment
from .._postgres import PSYCOPG2, PostgresTarget, SqlError
from .._redaction import excerpt
from .._templates import JMESPATH, holds, search
from .._threads import side_by_side
from . import metrics, models, pods
from .models import (
    FAIL,
    ONE_LOOK,
    PASS,
    UNKNOWN,
    Check,
    CheckError,
    Finding,
    Ground,
    Kind,
    Kinds,
    NotKnownError,
    Options,
    Patience,
)


def probe_postgres(options: Options, timeout: float) -> str:
    """Ask a PostgreSQL server a question."""
    target = PostgresTarget.from_params(options)
    patient = min(target.connect_timeout, max(2, int(timeout)))
    quick = replace(target, connect_timeout=patient)
    with _postgres.connected(quick, application_name="easymo.deploy health_check") as session:
        session.execute("SET default_transaction_read_only = on")
        session.rows(
            "SELECT pg_catalog.set_config('statement_timeout', %s, false)",
            (str(int(timeout * 1000)),),
        )
        try:
            rows = session.rows(options["query"])
        except SqlError as exc:
            raise CheckError(f"{target.where} refused the query: {exc}.") from exc
        value = rows[0][0] if rows and rows[0] else None
        version = session.server_version[1]
    if options["expect"] and not same(value, options["expect"]):
        raise CheckError(
            f"{target.where} answered {value!r} to {options['query']!r} and not {options['expect']!r}."
        )
    return f"PostgreSQL {version} answers {value}"


REDIS = Library("redis >= 6", "redis")


def probe_redis(options: Options, timeout: float) -> str:
    """PING a Redis server."""
    # It brings asyncio, and every phase of a release reads what it may check.
    import redis  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    where = f"Redis at {options['host']}:{options['port']}"
    server = redis.Redis(
        host=options["host"],
        port=options["port"],
        username=options["username"],
        password=options["password"],
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        # A caller that waits asks again by itself; retries in here would be hidden.
        retry=Retry(NoBackoff(), 0),
        ssl=options["tls"],
        ssl_ca_certs=options["ca_cert"],
        ssl_cert_reqs="required",
    )
    try:
        if not server.ping():
            raise CheckError(f"{where} does not answer PONG.")
    except redis.exceptions.AuthenticationError as exc:
        raise RefusedError(
            f"{where} refused the password; check 'username' and 'password'."
        ) from exc
    except redis.exceptions.TimeoutError as exc:
        raise UnreachableError(f"{where} did not answer within {timeout:g} s.") from exc
    except redis.exceptions.ConnectionError as exc:
        raise UnreachableError(f"{where} cannot be reached ({_reason(exc)}).") from exc
    except redis.exceptions.RedisError as exc:
        raise CheckError(f"{where} answered with an error: {_reason(exc)}.") from exc
    finally:
        server.close()
    return "PONG"


def _reason(exc: Exception) -> str:
    cause = exc.__cause__ or exc.__context__
    return str(getattr(cause, "strerror", None) or exc).rstrip(".")


CONFLUENT_KAFKA = Library("confluent-kafka >= 2.11", "confluent_kafka")


def probe_kafka(options: Options, timeout: float) -> str:
    """List the topics of a Kafka cluster."""
    import confluent_kafka  # noqa: PLC0415 - only this check needs it

    where = f"Kafka at {options['bootstrap']}"
    # A consumer that subscribes to nothing joins no group: it only looks.
    # librdkafka reports on stderr by itself otherwise; what matters reaches us as an exception.
    silent = logging.Logger("kafka", logging.CRITICAL + 1)
    consumer = confluent_kafka.Consumer(client_settings(options), logger=silent)
    try:
        known = consumer.list_topics(timeout=timeout).topics
        topics = {name for name in known if not name.startswith("__")}  # not Kafka's own
        missing = [topic for topic in options["topics"] if topic not in topics]
        if missing:
            raise CheckError(f"{where} has no topic {', '.join(missing)}; create it.")
        if not topics:
            raise CheckError(f"{where} has no topic at all.")
        return f"{len(topics)} topics"
    except confluent_kafka.KafkaException as exc:
        reason = exc.args[0].str().rstrip(".") if exc.args else "no reason given"
        raise UnreachableError(f"{where} did not answer within {timeout:g} s ({reason}).") from exc
    finally:
        consumer.close()


def client_settings(options: Options) -> dict[str, t.Any]:
    """librdkafka's settings for these options."""
    user = options["username"] or None
    settings: dict[str, t.Any] = {
        "bootstrap.servers": options["bootstrap"],
        "group.id": "easymo-deploy-health-check",
        "enable.auto.commit": False,
        "allow.auto.create.topics": False,
        "security.protocol": ("SASL_" if user else "") + ("SSL" if options["tls"] else "PLAINTEXT"),
        "ssl.ca.location": options["ca_cert"] or None,
        "sasl.mechanism": user and options["sasl_mechanism"],
        "sasl.username": user,
        "sasl.password": user and (options["password"] or ""),
    }
    return {name: value for name, value in settings.items() if value is not None}


_SHOWN = 200
_AT_ONCE = 8


def probe_http(options: Options, timeout: float) -> str:
    """Ask a URL, and compare the answer with what is expected."""
    body = options["body"]
    answer = ask(
        without_query(options["url"]),
        options["method"],
        options["url"],
        headers=options["headers"],
        # What is not text already goes as JSON.
        data=body if isinstance(body, str) else None,
        json=None if isinstance(body, str) else body,
        timeout=timeout,
        ca_cert=options["ca_cert"],
    )
    judge_answer(options, answer.status, answer.text)
    return f"HTTP {answer.status}"


def judge_answer(options: Options, status: int, text: str) -> None:
    """Raise CheckError with everything that is not as expected."""
    problems = "; ".join(_problems(options, status, text))
    if problems:
        saw = excerpt(text, _SHOWN)
        raise CheckError(
            f"{options['method']} {without_query(options['url'])} {problems}"
            f"{f' (it said: {saw})' if saw else ''}."
        )


def _problems(options: Options, status: int, text: str) -> t.Iterator[str]:
    if status not in options["status"]:
        yield f"answered {status} and not {' or '.join(map(str, options['status']))}"
    if options["text"] and options["text"] not in text:
        yield f"does not contain {options['text']!r}"
    if not options["json"] and not options["holds"]:
        return
    try:
        document = json.loads(text)
    except ValueError:
        yield "is not JSON"
        return
    for path, wanted in options["json"].items():
        match = search(path, document)
        if match is None:
            yield f"has no {path}"
        elif not same(match, wanted):
            yield f"has {path} {match!r} and not {wanted!r}"
    for condition in options["holds"]:
        if not holds(condition, document):
            yield f"does not hold {condition}"


def same(result: t.Any, wanted: t.Any) -> bool:
    """Equal, or written the same: a template may have made text of a number."""
    if isinstance(result, bool) or isinstance(wanted, bool):
        return str(result).lower() == str(wanted).lower()
    return bool(result == wanted or str(result) == str(wanted))


def probe_functions(options: Options, timeout: float) -> list[Finding]:
    """Call edge functions as anybody would, a row for each."""

    def look(probe: FunctionProbe) -> Finding:
        try:
            problem = verdict(probe, call(probe, options, timeout))
        except UnreachableError as exc:
            problem = str(exc)
        return Finding(FAIL if problem else PASS, problem or "it answered", name=probe.slug)

    probes = read_probes(options["names"], options["probes"], options["version"] or "")
    return side_by_side(look, probes, at_once=_AT_ONCE)


POSTGRES_OPTIONS = f"""  description: Connect to a database and ask it something.
  suboptions:
{indent(LOGIN, " " * 4)}    connect_timeout:
      description: Seconds to wait for a connection, at most the timeout of the check.
      type: int
      default: 10
    query:
      description: The question. It runs read-only.
      type: str
      default: SELECT 1
    expect:
      description: The first column of the first row of the answer. Any is right when this is empty.
      type: str
      default: "1"
"""
REDIS_OPTIONS = f"""  description: PING a Redis server.
  suboptions:
    host:
      description: Host of the server.
      type: str
      required: true
    port:
      description: Its port.
      type: int
      default: 6379
    username:
      description: User, where the server has users.
      type: str
    password:
      description: Password.
      type: str
    tls:
      description: Whether to speak TLS. The certificate is verified.
      type: bool
      default: false
{indent(AUTHORITIES, " " * 4)}"""
KAFKA_OPTIONS = f"""  description: List the topics of a cluster.
  suboptions:
    bootstrap:
      description: Where to begin, as C(host:port), several with commas between.
      type: str
      required: true
    topics:
      description: Topics that must be there. Without any, one topic of whatever name must be.
      type: list
      elements: str
      default: []
    tls:
      description: Whether to speak TLS. The certificate is verified.
      type: bool
      default: false
{indent(AUTHORITIES, " " * 4)}    username:
      description: User for SASL.
      type: str
    password:
      description: Password for SASL.
      type: str
    sasl_mechanism:
      description: How SASL is done.
      type: str
      choices: [PLAIN, SCRAM-SHA-256, SCRAM-SHA-512]
      default: SCRAM-SHA-512
"""
HTTP_OPTIONS = f"""  description: Ask a URL and compare the answer.
  suboptions:
    url:
      description: The URL. Redirects are not followed.
      type: str
      required: true
    method:
      description: The method.
      type: str
      default: GET
    headers:
      description: Headers to send. Their values are kept out of all output.
      type: dict
      default: {{}}
    body:
      description: Body to send. What is not text is sent as JSON.
      type: raw
    status:
      description: Status codes that are well.
      type: list
      elements: int
      default: [200]
    json:
      description:
        - Where the JSON of the answer must have which value, as JMESPath (U(https://jmespath.org)), for example
          C(checks.redis.status).
        - A number and the same number as text are equal.
      type: dict
      default: {{}}
    holds:
      description:
        - Expressions of JMESPath that must be true of the JSON of the answer, which what is missing or empty is not.
          A name alone asks whether it is there.
      type: list
      elements: str
      default: []
    text:
      description: What the body must contain.
      type: str
{indent(AUTHORITIES, " " * 4)}"""
FUNCTION_CALLS_OPTIONS = f"""  description:
    - Call edge functions. What the Management API lists as C(ACTIVE) need not answer. This calls each function as
      anybody would, with no JWT, and has a result of each.
    - By itself a function passes when it answers anything of its own below 500. It fails when the platform answers
      in its place, for example with C(NOT_FOUND) or C(NOT_FOUND_FUNCTION_BLOB), and when the gateway asks for a JWT.
  suboptions:
    functions_url:
      description: URL below which the functions are reached. Of a project it ends in C(.supabase.co/functions/v1).
      type: str
      required: true
    names:
      description: The functions to call.
      type: list
      elements: str
      required: true
    probes:
      description:
        - How to call functions that need more than a C(GET), by name.
        - Each takes C(path) below the function, C(method), C(status) as a list of the statuses that pass, and
          C(skip) for a function that must not be called.
      type: dict
      default: {{}}
    version:
      description: The version that a function must tell, where its answer is a JSON object with C(version).
      type: str
{indent(AUTHORITIES, " " * 4)}"""

SERVER_PROBES: Kinds = {
    "postgres": Kind(probe_postgres, POSTGRES_OPTIONS, (PSYCOPG2,)),
    "redis": Kind(probe_redis, REDIS_OPTIONS, (REDIS,)),
    "kafka": Kind(probe_kafka, KAFKA_OPTIONS, (CONFLUENT_KAFKA,)),
    "http": Kind(probe_http, HTTP_OPTIONS, (REQUESTS, JMESPATH)),
    "function_calls": Kind(probe_functions, FUNCTION_CALLS_OPTIONS, (REQUESTS,)),
}

PROBES: Kinds = {**SERVER_PROBES, **pods.PROBES, **metrics.PROBES}
CHECKS = models.options_of(
    """name:
  description: What the check is called in the results.
  type: str
  required: true
timeout:
  description: Seconds one look may take.
  type: float
  default: 10
""",
    "What is checked",
    PROBES,
)
add_fragment("_checks", "checks", CHECKS)


def checks_waited_for(at: str) -> str:
    """The suboptions of several checks that are waited for, below the option `at`."""
    return f"""    checks:
      description: The checks. Each has the options of its kind under the name of its kind.
      type: list
      elements: dict
      required: true
      suboptions:
{nested(CHECKS, 8, at)}    wait_timeout:
      description: Seconds to go on looking while a check does not pass. V(0) is one look.
      type: float
      default: 0
"""


def read_checks(options: Options) -> list[Check]:
    checks = models.read_checks(options["checks"])
    for check in checks:
        if check.timeout <= 0:
            raise InputError(
                f"The timeout of check {check.name!r} is {check.timeout:g}; it is more than 0."
            )
    return checks


def libraries(checks: t.Iterable[Check]) -> list[Library]:
    """Only what a check of this task needs must be installed."""
    return models.libraries(sorted(checks, key=lambda check: check.kind), PROBES)


def check_all(options: Options) -> list[Finding]:
    """What came of all checks of a task, in their order."""
    return run_probes(read_checks(options), Patience(options["wait_timeout"]))


def run_probes(
    checks: t.Sequence[Check], patience: Patience = ONE_LOOK, kinds: Kinds = PROBES
) -> list[Finding]:
    """The outcomes in the order of the checks."""

    def of_error(problem: DeployError) -> Finding:
        return Finding(UNKNOWN if isinstance(problem, NotKnownError) else FAIL, str(problem))

    return models.run_checks(
        checks,
        lambda check: kinds[check.kind].look(check.options, check.timeout),
        of_error,
        patience=patience,
    )


def refuse_failures(outcomes: t.Sequence[Finding]) -> None:
    """Raise one error that names every check that fails."""
    failed = [outcome for outcome in outcomes if not outcome.passed]
    if failed:
        raise CheckError(
            f"{len(failed)} of {len(outcomes)} checks fail. {' '.join(map(str, failed))}",
            results=[outcome.to_result() for outcome in outcomes],
        )


def look_health(options: Options, _ground: Ground) -> list[Finding]:
    """A row for each component."""
    return [
        Finding(row.status if row.known else models.HOLD, row.detail, name=row.name)
        for row in check_all(options)
    ]


def play_health(options: Options) -> Finding:
    rows = check_all(options)
    steps = tuple(row.to_result() for row in rows)
    wrong = [row for row in rows if not row.passed]
    if wrong:
        judge = models.failed if any(row.known for row in wrong) else models.held
        return judge(" ".join(map(str, wrong)), steps=steps)
    return models.passed(models.listed_or_counted(rows), steps=steps)


def _libraries_of_health(options: Options) -> list[Library]:
    return libraries(models.read_checks(options["checks"]))


HEALTH_OPTIONS = f"""  description: Components as M(easymo.deploy.health_check) looks at them, a row for each.
  suboptions:
{checks_waited_for("checks[].health")}"""

KINDS: Kinds = {"health": Kind(look_health, HEALTH_OPTIONS, components=_libraries_of_health)}
PLAYED_HEALTH_OPTIONS = f"""  description: Checks as those of M(easymo.deploy.health_check). All must pass.
  suboptions:
{checks_waited_for("tests[].health")}"""

TESTS: Kinds = {
    "health": Kind(
        play_health,
        PLAYED_HEALTH_OPTIONS,
        components=_libraries_of_health,
        intention=lambda options: (
            f"would ask {', '.join(entry['name'] for entry in options['checks'])}"
        ),
    )
}
