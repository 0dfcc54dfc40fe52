#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: health_check
short_description: Check databases, caches, queues, URLs and pods at once
version_added: 0.1.0
description:
  - Runs all checks side by side and reports every one that fails, in one sentence each.
  - Only looks. Nothing is changed anywhere.
  - Runs in the controller when the connection is local, and on the host otherwise.
author:
  - EasyMO (@easymo)
extends_documentation_fragment:
  - easymo.deploy._attributes_read_only
  - easymo.deploy._attributes_controller
options:
  checks:
    description: The checks. Each has the options of its kind under the name of its kind.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the check is called in the results.
        type: str
        required: true
      kind:
        description: What is checked, and which of the options below is read.
        type: str
        choices: [postgres, redis, kafka, http, kubernetes]
        required: true
      timeout:
        description: Seconds one look may take.
        type: float
        default: 10
      postgres:
        description: Connect to a database and ask it something.
        type: dict
        suboptions:
          login_host:
            description: Host of the server.
            type: str
            required: true
          login_port:
            description: Its port.
            type: int
            default: 5432
          login_user:
            description: Role to connect as.
            type: str
            required: true
          login_password:
            description: Its password.
            type: str
          login_db:
            description: Database to connect to.
            type: str
            required: true
          ssl_mode:
            description: How TLS is used, as libpq's C(sslmode).
            type: str
            choices: [disable, allow, prefer, require, verify-ca, verify-full]
            default: verify-full
          ca_cert:
            description: File with the certificate authorities that may have signed the server's certificate.
            type: path
          connect_timeout:
            description: Seconds to wait for a connection, at most the timeout of the check.
            type: int
            default: 10
          query:
            description: The question. It runs read-only.
            type: str
            default: SELECT 1
          expect:
            description: The first column of the first row of the answer.
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
          ca_cert:
            description: File with the certificate authorities that may have signed the server's certificate.
            type: path
      kafka:
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
          ca_cert:
            description: File with the certificate authorities that may have signed the brokers' certificates.
            type: path
          username:
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
            default: {}
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
              - What the JSON of the answer must hold, as dotted paths with their values.
              - A number and the same number as text are equal.
            type: dict
            default: {}
          text:
            description: What the body must contain.
            type: str
          ca_cert:
            description: File with the certificate authorities that may have signed the server's certificate.
            type: path
      kubernetes:
        description: All pods run and are ready, none is in a crash loop. Pods that end or have succeeded do not count.
        type: dict
        suboptions:
          kubeconfig:
            description: A kubeconfig file to connect with.
            type: path
          context:
            description: The context of the kubeconfig.
            type: str
          host:
            description: URL of the API server.
            type: str
          api_key:
            description: Bearer token for the API server.
            type: str
          ca_cert:
            description: File with the certificate authorities that may have signed the API server's certificate.
            type: path
          validate_certs:
            description: Whether the certificate of the API server is verified.
            type: bool
            default: true
          namespace:
            description: The namespace of the pods.
            type: str
            required: true
          label_selector:
            description: Only pods with these labels.
            type: str
            default: ""
          log_without:
            description:
              - A text that the last 500 log lines of no container may contain, for example V(ERROR).
              - Needs C(get) on C(pods/log).
            type: str
            default: ""
            version_added: 0.2.0
  wait_timeout:
    description: Seconds to go on asking until a check passes. V(0) is to ask once.
    type: float
    default: 0
  wait_sleep:
    description: Seconds between two looks.
    type: float
    default: 1.0
requirements:
  - confluent-kafka >= 2.11 (kafka)
  - kubernetes >= 34 (kubernetes)
  - psycopg2-binary >= 2.9.10 (postgres)
  - redis >= 6 (redis)
  - requests >= 2.32 (http)
"""

EXAMPLES = r"""
- name: Check that a service answers
  easymo.deploy.health_check:
    checks:
      - name: wallet-service
        kind: http
        http: {url: https://api.easymo.com/health/wallet-service}

- name: Check everything a release needs, waiting up to a minute
  easymo.deploy.health_check:
    wait_timeout: 60
    checks:
      - name: agent-core database
        kind: postgres
        postgres:
          login_host: prod-agent-db.easymo.com
          login_user: easymo_admin
          login_password: "{{ vault_agent_core_db_password }}"
          login_db: agent_core_prod
      - name: redis
        kind: redis
        redis: {host: prod-redis.easymo.com, password: "{{ vault_redis_password }}", tls: true}
      - name: kafka
        kind: kafka
        kafka: {bootstrap: "prod-kafka:9092", topics: [orders]}
      - name: webhook worker
        kind: http
        http:
          url: https://api.easymo.com/health/whatsapp-webhook-worker
          json: {status: ok, checks.redis.status: ok}
      - name: pods
        kind: kubernetes
        kubernetes: {namespace: easymo-prod}
"""

RETURN = r"""
results:
  description: What came of each check, in their order.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: What the check is called.
      returned: always
      type: str
      sample: redis
    kind:
      description: What was checked.
      returned: always
      type: str
      sample: redis
    status:
      description: V(pass) or V(fail).
      returned: always
      type: str
      sample: pass
    seconds:
      description: How long the last look took.
      returned: always
      type: float
      sample: 0.004
    detail:
      description: What it saw.
      returned: always
      type: str
      sample: PONG
reason:
  description: One word for why the task failed.
  returned: failure
  type: str
  sample: CheckFailed
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._checks.kinds import PROBES, refuse_missing_libraries
from ..module_utils._checks.models import Check
from ..module_utils._checks.options import checks_options
from ..module_utils._checks.run import Patience, refuse_failures, run_checks
from ..module_utils._errors import InputError
from ..module_utils._module import Module, execute


def module_spec() -> dict[str, t.Any]:
    return {
        "argument_spec": checks_options(),
        "supports_check_mode": True,
    }


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    checks = [read_check(entry) for entry in params["checks"]]
    refuse_missing_libraries(checks)
    patience = Patience(timeout=params["wait_timeout"], pause=params["wait_sleep"])
    outcomes = run_checks(checks, PROBES, patience)
    refuse_failures(outcomes)
    return {"changed": False, "results": [outcome.to_result() for outcome in outcomes]}


def read_check(entry: dict[str, t.Any]) -> Check:
    if entry["timeout"] <= 0:
        raise InputError(
            f"The timeout of check {entry['name']!r} is {entry['timeout']:g}; it is more than 0."
        )
    return Check(
        name=entry["name"],
        kind=entry["kind"],
        options=entry[entry["kind"]],
        timeout=entry["timeout"],
    )


def main() -> None:
    execute(AnsibleModule(**module_spec()), run)


if __name__ == "__main__":
    main()
