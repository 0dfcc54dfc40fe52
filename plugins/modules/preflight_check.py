#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_check
short_description: Check everything that a release stands on, and tell all problems in one go
version_added: 0.3.0
description:
  - Runs all of O(checks) side by side. Each ends in a row, or in several, and no problem keeps another from being
    told.
  - A row is V(fail) for a definite problem and V(hold) for what cannot be told, as when somebody does not answer or
    a number is missing. Both stop the release.
  - Only looks. What the release record is to keep, overrides and sign-offs, is returned in RV(facts) for
    M(easymo.deploy.release).
  - In check mode the same is told, and whether the launch window is open and everybody has signed stops nothing,
    since a rehearsal may be made at any time.
author:
  - EasyMO (@easymo)
extends_documentation_fragment:
  - easymo.deploy._attributes_read_only
  - easymo.deploy._attributes_controller
  - easymo.deploy._kubernetes
attributes:
  check_mode:
    support: full
    details: Tells of the launch window and of sign-offs without stopping at them.
options:
  namespace:
    description:
      - The namespace to work in. Needed by the kinds that ask the cluster, and for what the release record knows
        already.
    type: str
    required: false
  release:
    description: The version that is released.
    type: str
    required: true
  checkout:
    description:
      - The checkout of the application, a git work tree. The commit at which it is counts as the one that is
        released.
    type: path
  commit:
    description: The commit that is released, its full name, where no checkout tells. It wins over O(checkout).
    type: str
    default: ""
  timeout:
    description: Seconds to wait for one answer.
    type: float
    default: 5
  waivers:
    description:
      - Rows that do not stop this release, by the name of the row. Each is a dictionary with C(by), the name of who
        waives it, and C(reason).
      - The row becomes V(waived), and RV(facts) tells of it. A row that is well stays as it is.
    type: dict
    default: {}
  fail:
    description: Whether the task fails when something stops the release. Else RV(verdict) and RV(sentence) tell.
    type: bool
    default: true
  checks:
    description: The checks. Each has the options of its kind under the name of its kind, V(rbac) none.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: What the row is called. Kinds that end in several rows name them themselves.
        type: str
        required: true
      item:
        description: The line of the checklist that it proves.
        type: str
        default: ""
      kind:
        description: What is checked, and which of the options below is read.
        type: str
        required: true
        choices:
          - paths
          - health
          - rollout
          - pins
          - rbac
          - flags_start
          - backup_age
          - test_results
          - load_test
          - git
          - commit_status
          - alert_rules
          - clock
          - certificate
          - token
          - slack
          - pagerduty
          - launch_window
          - sign_offs
      paths:
        description: Whether files and folders are here.
        type: dict
        suboptions:
          paths:
            description: The files and folders.
            type: list
            elements: path
            required: true
      health:
        description: Components as M(easymo.deploy.health_check) looks at them, a row for each.
        type: dict
        suboptions:
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
                description:
                  - All pods run and are ready, none is in a crash loop. Pods that end or have succeeded do not
                    count.
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
                    description:
                      - File with the certificate authorities that may have signed the API server's certificate.
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
            description: Seconds to go on looking while a component is not well. V(0) is one look.
            type: float
            default: 0
          wait_sleep:
            description: Seconds between two looks.
            type: float
            default: 1.0
      rollout:
        description:
          - What stands against a rollout without downtime, as M(easymo.deploy.rollout_preflight) finds it. Its
            warnings are warnings.
        type: dict
        suboptions:
          services:
            description: The Deployments that are going to be rolled.
            type: list
            elements: str
            required: true
      pins:
        description:
          - Whether every Deployment has a template to return to, keeps old ReplicaSets, and does not run the image
            of the release already unless this attempt rolled it.
        type: dict
        suboptions:
          services:
            description: The Deployments that are going to be rolled.
            type: list
            elements: str
            required: true
      rbac:
        description: Whether the cluster lets this user do all that the phases do there. It has no options.
        type: dict
        suboptions: {}
      flags_start:
        description:
          - Whether nobody is in the feature yet, unless this release itself let them in, and no person has set the
            kill switch.
        type: dict
        suboptions:
          name:
            description: The ConfigMap of the flags.
            type: str
            default: feature-flags
          flag:
            description: The flag with the percentage of users.
            type: str
            default: FEATURE_AI_AGENTS_ROLLOUT_PERCENTAGE
          enabled_by:
            description: The flag that switches the feature on and off.
            type: str
            default: FEATURE_AI_AGENTS
      backup_age:
        description: How old the newest backup of each database is.
        type: dict
        suboptions:
          bucket:
            description: The bucket. It must exist.
            type: str
            required: true
          prefix:
            description: Put in front of every key, for example V(v2-migration/).
            type: str
            default: ""
          endpoint_url:
            description: URL of an S3 compatible service. Without it, AWS is used.
            type: str
          region:
            description: Region of the bucket.
            type: str
          access_key:
            description: Access key. Without it, boto3's own search for credentials applies.
            type: str
          secret_key:
            description: Secret key that belongs to O(checks[].backup_age.access_key).
            type: str
          path_style:
            description:
              - Whether the bucket's name stands in the path instead of the host name, as most other services than
                AWS want it.
            type: bool
            default: false
          s3_ca_cert:
            description:
              - File with the certificate authorities that may have signed the certificate of
                O(checks[].backup_age.endpoint_url).
            type: path
          names:
            description: Names of the databases in the keys of their backups.
            type: list
            elements: str
            required: true
          max_age:
            description: Seconds from which on a backup is too old.
            type: int
            default: 3600
          required:
            description:
              - Whether one that is too old or missing holds. Else it is told, for the release takes backups itself.
            type: bool
            default: false
      test_results:
        description:
          - Whether enough tests passed and none failed. The file is JUnit XML, or one JSON object with C(passed),
            C(failed), C(skipped).
          - It names C(version), C(commit) or both, in JUnit XML as properties. One of another release fails, one
            that names neither holds.
        type: dict
        suboptions:
          path:
            description: The file on this machine. This or O(checks[].test_results.url) is needed.
            type: path
          url:
            description: Where to get it instead.
            type: str
          token:
            description: Bearer token for the URL.
            type: str
          ca_cert:
            description: File with the certificate authorities that may have signed the URL's certificate.
            type: path
          least:
            description: How many tests must have passed.
            type: int
            default: 1
      load_test:
        description:
          - Whether a load test was good. The file is one JSON object with C(users), C(error_rate) as a ratio,
            C(p95_seconds), and C(version) or C(commit) as those of tests.
          - Only the bounds that are set count.
        type: dict
        suboptions:
          path:
            description: The file on this machine. This or O(checks[].load_test.url) is needed.
            type: path
          url:
            description: Where to get it instead.
            type: str
          token:
            description: Bearer token for the URL.
            type: str
          ca_cert:
            description: File with the certificate authorities that may have signed the URL's certificate.
            type: path
          least_users:
            description: How many users at the same time there must have been.
            type: float
          error_rate:
            description: The ratio of errors must be below this.
            type: float
          p95:
            description: Seconds; the 95th percentile of the response time must be below this.
            type: float
      git:
        description:
          - Whether O(checkout) is a git work tree at the release's tag, the tag is in the branch, nothing differs
            from the commit, and the changelog has a heading for the version. Its rows are C(git_tag),
            C(git_branch), C(git_clean), C(git_changelog).
        type: dict
        suboptions:
          tag:
            description: The tag of the release.
            type: str
            required: true
          branch:
            description:
              - The branch that must contain it, as C(origin) has it, or the local one where there is no remote.
            type: str
            default: main
          changelog:
            description: The changelog in the checkout. Not looked at when empty.
            type: str
            default: CHANGELOG.md
          items:
            description: The lines of the checklist for C(tag), C(branch), C(clean) and C(changelog).
            type: dict
            default: {}
      commit_status:
        description: Whether CI passed on the commit, by the combined status of GitHub.
        type: dict
        suboptions:
          api_url:
            description: Base URL of the API.
            type: str
            default: https://api.github.com
          token:
            description: Token that may read there.
            type: str
          ca_cert:
            description: File with the certificate authorities that may have signed the server's certificate.
            type: path
          repository:
            description: The repository, as C(owner/name).
            type: str
            required: true
          contexts:
            description: Contexts that must be there.
            type: list
            elements: str
            default: []
          ignore:
            description: Contexts that say nothing about CI, such as our own.
            type: list
            elements: str
            default: []
      alert_rules:
        description:
          - Whether alerts are loaded in Prometheus and evaluated without errors, and their receivers exist in
            Alertmanager.
        type: dict
        suboptions:
          prometheus_url:
            description: URL of Prometheus.
            type: str
            required: true
          alertmanager_url:
            description: URL of Alertmanager. Needed with receivers.
            type: str
          alerts:
            description: Names of the alerts.
            type: list
            elements: str
            required: true
          receivers:
            description: Names of the receivers.
            type: list
            elements: str
            default: []
          token:
            description: Token that may read there.
            type: str
          ca_cert:
            description: File with the certificate authorities that may have signed the server's certificate.
            type: path
      clock:
        description:
          - Whether this machine's clock agrees with that of a server, by the header Date of whatever it answers.
        type: dict
        suboptions:
          url:
            description: The URL to ask.
            type: str
            required: true
          ca_cert:
            description: File with the certificate authorities that may have signed the server's certificate.
            type: path
          max_skew:
            description: Seconds by which the clocks may differ.
            type: float
            default: 5
      certificate:
        description: Whether the TLS certificate of an endpoint is accepted and valid for long enough.
        type: dict
        suboptions:
          url:
            description:
              - The endpoint. C(https://host) and C(tls://host:port) begin with TLS, C(postgresql://host:port) asks
                for it as clients of PostgreSQL do, and C(http://host) has none and is skipped.
            type: str
            required: true
          ca_cert:
            description: File with the certificate authorities that its clients accept.
            type: path
          days:
            description: For how many days it must still be valid.
            type: int
            default: 14
      token:
        description:
          - Whether a JSON Web Token ends only after the release, by its claim C(exp). An opaque token is skipped.
            It is never shown.
        type: dict
        suboptions:
          token:
            description: The token.
            type: str
            required: true
          minutes:
            description: For how many minutes it must be good.
            type: int
            default: 0
      slack:
        description: Whether people and channels are in the workspace, and the app is in the channels.
        type: dict
        suboptions:
          api_url:
            description: Base URL of the Web API.
            type: str
            default: https://slack.com/api/
          token:
            description: Token that may read there.
            type: str
          ca_cert:
            description: File with the certificate authorities that may have signed the server's certificate.
            type: path
          people:
            description: Members by id, e-mail address or name, and user groups by handle, such as V(@on-call).
            type: list
            elements: str
            default: []
          channels:
            description: Channels by id or name.
            type: list
            elements: str
            default: []
      pagerduty:
        description: Whether somebody is on call from now to the end of the release.
        type: dict
        suboptions:
          api_url:
            description: Base URL of the REST API.
            type: str
            default: https://api.pagerduty.com
          token:
            description: Token that may read there.
            type: str
          ca_cert:
            description: File with the certificate authorities that may have signed the server's certificate.
            type: path
          schedules:
            description: Ids of the schedules.
            type: list
            elements: str
            required: true
          minutes:
            description: For how many minutes from now somebody must be on call.
            type: int
            default: 0
      launch_window:
        description: Whether the launch window is open for long enough.
        type: dict
        suboptions:
          window:
            description:
              - C(timezone), as in V(Africa/Nairobi). C(days), a list of V(monday) to V(sunday), all when it is
                missing. C(start) and C(end) as V("09:00") in local time, C(end) up to V("24:00"); an end that is
                not after the start is of the next day.
              - C(holidays), a list of dates. C(freezes), a list of dictionaries with C(from), C(to) and C(why),
                dates or local times.
              - A local time that a daylight-saving change repeats counts the first time it comes, and one that it
                skips counts as the moment of the change.
            type: dict
            required: true
          lead_minutes:
            description: So many minutes before it opens one may begin.
            type: int
            default: 0
          needed_minutes:
            description: So many minutes of it must be left, or the row holds.
            type: int
            default: 0
          wait_minutes:
            description:
              - When it opens within so many minutes, the check waits for that. Not in check mode.
            type: int
            default: 0
          override_by:
            description:
              - Who lets the release go outside of the window. Needs O(checks[].launch_window.override_reason).
            type: str
            default: ""
          override_reason:
            description: Why.
            type: str
            default: ""
      sign_offs:
        description:
          - Whether people have signed what no machine can check, a row C(sign_off_NAME) for each. See
            M(easymo.deploy.release_sign_off).
        type: dict
        suboptions:
          required:
            description: What must be signed.
            type: list
            elements: dict
            required: true
            suboptions:
              name:
                description: The sign-off's name.
                type: str
                required: true
              what:
                description: The line of the checklist that is signed.
                type: str
                required: true
              of:
                description: Who should sign it, in words.
                type: str
                default: ""
              section:
                description: The section of the checklist.
                type: str
                default: ""
          given:
            description:
              - Sign-offs that come with the task, by name, each a person's name or a dictionary with C(by),
                C(note), C(release), C(git_sha) and C(instead). They count, and RV(facts) has them.
            type: dict
            default: {}
requirements:
  - requests >= 2.32
  - kubernetes >= 34 (for kinds that ask the cluster)
  - boto3 >= 1.40 (for V(backup_age))
  - slack-sdk >= 3.36 (for V(slack))
  - the program git (for V(git) and O(checkout))
  - what M(easymo.deploy.health_check) needs for the kinds of its checks
seealso:
  - module: easymo.deploy.release_sign_off
  - module: easymo.deploy.health_check
  - module: easymo.deploy.rollout_preflight
"""

EXAMPLES = r"""
- name: Look at staging's tests and at who is on call
  easymo.deploy.preflight_check:
    release: 2.0.0
    checkout: /srv/release/easymo
    checks:
      - name: unit_tests
        item: "1 Staging Validation: All tests passing in staging"
        kind: test_results
        test_results: {path: /srv/release/staging-results/unit.xml, least: 84}
      - name: on_call
        kind: pagerduty
        pagerduty:
          token: "{{ pagerduty_token }}"
          schedules: [PONCALL]
          minutes: 150

- name: Look whether the launch window is open, and decide by hand
  easymo.deploy.preflight_check:
    release: 2.0.0
    fail: false
    checks:
      - name: launch_window
        kind: launch_window
        launch_window:
          window: {timezone: Africa/Nairobi, days: [tuesday], start: "09:00", end: "11:00"}
          needed_minutes: 50
  register: window

- name: Go although the load test was made with fewer users
  easymo.deploy.preflight_check:
    release: 2.0.0
    checks:
      - name: load_test
        kind: load_test
        load_test: {url: 'https://ci.example.com/2.0.0/load-test.json', least_users: 100, error_rate: 0.02}
    waivers:
      load_test: {by: Jane Doe, reason: the test site has room for 80 users}
"""

RETURN = r"""
verdict:
  description:
    - V(go), V(stop) when something stands against the release, or V(hold) when something only cannot be told.
    - V(stop) and V(hold) both stop the release.
  returned: success, and when a row fails the task
  type: str
  sample: go
sentence:
  description:
    - Every problem, the definite ones first. Empty when there is none.
    - How to go on without, when nothing but messages to people depends on what cannot be told.
  returned: success
  type: str
  sample: ""
lines:
  description: A line for each row, for people.
  returned: success, and when a row fails the task
  type: list
  elements: str
  sample: ["\u2705 git_tag: PASS (v2.0.0 is 4f1c0de51f05, and the checkout is at it)"]
results:
  description: What came of each check.
  returned: success, and when a row fails the task
  type: list
  elements: dict
  contains:
    name: {description: The row., returned: always, type: str, sample: git_tag}
    item: {description: The line of the checklist., returned: always, type: str, sample: Version tagged}
    kind: {description: Its kind., returned: always, type: str, sample: git}
    status:
      description: V(pass), V(fail), V(hold), V(skipped) or V(waived).
      returned: always
      type: str
      sample: pass
    detail:
      description: What was seen, or what is wrong and what to do about it.
      returned: always
      type: str
      sample: v2.0.0 is 4f1c0de51f05, and the checkout is at it
    seconds: {description: How long the check took., returned: always, type: float, sample: 0.03}
facts:
  description:
    - What the release record is to keep. C(overrides) by what was overruled, C(sign_offs) that came with the task.
  returned: success, and when a row fails the task
  type: dict
  sample: {}
commit:
  description: The commit that is released, empty when it is not known.
  returned: success
  type: str
  sample: 4f1c0de51f05cb3c2b5d2a3f0d5d3e1b1c9b8a7d
reason:
  description: V(NotReadyToRelease) for RV(verdict) V(stop), V(Hold) for V(hold), or one word for what else was wrong.
  returned: failure
  type: str
  sample: NotReadyToRelease
"""

import time
import typing as t
from datetime import datetime

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._cluster import MonotonicClock
from ..module_utils._errors import DeployError, InputError
from ..module_utils._kubernetes import KubernetesCluster
from ..module_utils._kubernetes_client import Connection
from ..module_utils._library import refuse_missing
from ..module_utils._module import Module, emit_progress, execute, refuse_below
from ..module_utils._options import kubernetes_options
from ..module_utils._preflight.git_program import head_of
from ..module_utils._preflight.kinds import NEED_RECORD, RUNNERS, libraries
from ..module_utils._preflight.launch_window import known_overrides
from ..module_utils._preflight.models import Check, Ground, Known, Row
from ..module_utils._preflight.options import kind_options, read_checks, readiness_options
from ..module_utils._preflight.outcome import (
    GO,
    conclude,
    gather_facts,
    line,
    overrides,
    read_waivers,
    waive,
)
from ..module_utils._preflight.run import run_checks
from ..module_utils._release.plan import Record
from ..module_utils._release.store import ReleaseStore
from ..module_utils._time import UTC, utc_now

NO_OPTIONS = frozenset({"rbac"})


def module_spec() -> dict[str, t.Any]:
    kinds = [kind for kind in kind_options() if kind not in NO_OPTIONS]
    return {
        "argument_spec": {
            **kubernetes_options(),
            "namespace": {"type": "str"},
            "release": {"type": "str", "required": True},
            "checkout": {"type": "path"},
            "commit": {"type": "str", "default": ""},
            "timeout": {"type": "float", "default": 5},
            "waivers": {"type": "dict", "default": {}},
            "fail": {"type": "bool", "default": True},
            "checks": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": readiness_options(),
                "required_if": [("kind", kind, [kind]) for kind in kinds],
            },
        },
        "supports_check_mode": True,
    }


def run(module: Module) -> dict[str, t.Any]:
    params = module.params
    refuse_below(params, timeout=0.1)
    waivers = read_waivers(params["waivers"])
    checks = read_checks(params["checks"])
    refuse_missing(libraries(checks))
    ground = survey(module, checks, uses_record=bool(waivers))
    rows, findings = run_checks(checks, RUNNERS, ground, tell=lambda row: tell(module, row))
    for warning in (one for finding in findings for one in finding.warnings):
        module.warn(warning)
    waived = waive(rows, waivers)
    known = known_overrides(ground.record.value)
    used = overrides(rows, waived, waivers, known, utc_now())
    facts = gather_facts([*(one.facts for one in findings), {"overrides": used} if used else None])
    result = conclude(waived, facts, check_mode=module.check_mode, fail=params["fail"])
    if result["sentence"] and result["verdict"] == GO:
        module.warn(f"It would stop: {result['sentence']}")
    return {**result, "commit": ground.commit.value}


def tell(module: Module, row: Row) -> None:
    emit_progress(module, "CheckEnded", line(row), {"name": row.name, "status": row.status})


def survey(module: Module, checks: t.Sequence[Check], *, uses_record: bool) -> Ground:
    """What is looked up once for all of them."""
    params = module.params
    wants = uses_record or bool(NEED_RECORD & {check.kind for check in checks})

    def cluster() -> KubernetesCluster:
        if not params["namespace"]:
            raise InputError("'namespace' is missing, so the cluster cannot be asked: set it.")
        return KubernetesCluster(Connection.from_params(params))

    def record() -> Record | None:
        if not (wants and params["namespace"]):
            return None
        return ReleaseStore(cluster(), params["release"], clock=MonotonicClock()).read()

    def wait(seconds: float, why: str) -> None:
        emit_progress(module, "Waiting", why, {"seconds": round(seconds)})
        time.sleep(seconds)

    def commit() -> str:
        return params["commit"] or (head_of(params["checkout"]) if params["checkout"] else "")

    return Ground(
        release=params["release"],
        checkout=params["checkout"] or "",
        now=datetime.now(UTC),
        timeout=params["timeout"],
        check_mode=module.check_mode,
        commit=known(commit, ""),
        record=known(record, None),
        cluster=cluster,
        wait=wait,
    )


def known(look: t.Callable[[], t.Any], instead: t.Any) -> Known[t.Any]:
    try:
        return Known(look())
    except DeployError as exc:
        return Known(instead, exc)


def main() -> None:
    execute(AnsibleModule(**module_spec()), run)


if __name__ == "__main__":
    main()
