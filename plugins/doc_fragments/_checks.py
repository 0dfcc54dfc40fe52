# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

from ._kubernetes import CONNECTION
from ._metrics import GOOD, VOLUME
from ._module import AUTHORITIES, nested
from ._monitoring import PROMETHEUS
from ._postgres import LOGIN

CHECKS = f"""name:
  description: What the check is called in the results.
  type: str
  required: true
kind:
  description: What is checked, and which of the options below is read.
  type: str
  choices: [postgres, redis, kafka, http, function_calls, kubernetes, exec, metric]
  required: true
timeout:
  description: Seconds one look may take.
  type: float
  default: 10
postgres:
  description: Connect to a database and ask it something.
  type: dict
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
redis:
  description: PING a Redis server.
  type: dict
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
{indent(AUTHORITIES, " " * 4)}kafka:
  description: List the topics of a cluster.
  type: dict
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
http:
  description: Ask a URL and compare the answer.
  type: dict
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
{indent(AUTHORITIES, " " * 4)}function_calls:
  description:
    - Call edge functions. What the Management API lists as C(ACTIVE) need not answer. This calls each function as
      anybody would, with no JWT, and has a result of each.
    - By itself a function passes when it answers anything of its own below 500. It fails when the platform answers
      in its place, for example with C(NOT_FOUND) or C(NOT_FOUND_FUNCTION_BLOB), and when the gateway asks for a JWT.
  type: dict
  version_added: 0.3.0
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
{indent(AUTHORITIES, " " * 4)}kubernetes:
  description: All pods run and are ready, none is in a crash loop. Pods that end or have succeeded do not count.
  type: dict
  suboptions:
{nested(CONNECTION, 2, "checks[].kubernetes")}    label_selector:
      description: Only pods with these labels.
      type: str
      default: ""
    deployments:
      description:
        - Only pods of these Deployments must be well. What is wrong with others is told and fails nothing.
        - Needs C(list) on C(deployments) and C(replicasets).
      type: list
      elements: str
      default: []
      version_added: 0.3.0
    log_without:
      description:
        - A text that the last 500 log lines of no container may contain, for example V(ERROR).
        - Needs C(get) on C(pods/log).
      type: str
      default: ""
exec:
  description:
    - Run a program in every pod of a Deployment. It is well when each ends with 0, within 30 seconds.
    - Needs C(create) on C(pods/exec), and C(list) on C(pods) and C(replicasets).
  type: dict
  version_added: 0.3.0
  suboptions:
{nested(CONNECTION, 2, "checks[].exec")}    deployment:
      description: The Deployment. Pods of an earlier template and those that end are left out.
      type: str
      required: true
    container:
      description: The container to run it in. The one of the Deployment's name when not given, else the first.
      type: str
    command:
      description: The program and its arguments. No shell reads them.
      type: list
      elements: str
      required: true
metric:
  description:
    - Ask Prometheus for one number. Without a value it is not known whether all is well, and the check does not pass.
  type: dict
  version_added: 0.3.0
  suboptions:
{PROMETHEUS}    query:
      description: PromQL that gives one series.
      type: str
      required: true
{nested(GOOD + VOLUME, 4, "")}"""


def health(at: str) -> str:
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


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  checks:
    suboptions:
{indent(CHECKS, " " * 6)}"""
