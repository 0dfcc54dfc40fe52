# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

from ._checks import health
from ._module import AUTHORITIES, nested
from ._monitoring import PROMETHEUS, SERVER
from ._readiness_kinds import READINESS_KINDS
from ._s3 import S3
from ._sign_offs import REQUIRED

WINDOW = r"""window:
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
    - Who lets the release go outside of the window. Needs O(override_reason).
  type: str
  default: ""
override_reason:
  description: Why.
  type: str
  default: ""
"""

SERVICES = """    services:
      description: The Deployments that are going to be rolled.
      type: list
      elements: str
      required: true
"""

CLIENT = """    client_cert:
      description: File with our certificate, in PEM, for a server that asks for one.
      type: path
    client_key:
      description: File with its private key, when it is not in C(client_cert).
      type: path
"""

READER = f"""    token:
      description: Token that may read there.
      type: str
{indent(AUTHORITIES, " " * 4)}"""


def api(what: str, url: str) -> str:
    """Options for the API that a check of this kind asks: its address and its account."""
    return f"""    api_url:
      description: {what}
      type: str
      default: {url}
{READER}"""


DOCUMENT = """    path:
      description: The file on this machine.
      type: path
      required: true
"""


KINDS = f"""name:
  description: What the row is called. Kinds that end in several rows name them themselves.
  type: str
  required: true
item:
  description: The line of the checklist that it proves, or what the release needs it for.
  type: str
  default: ""
cure:
  description: What to do when it is not well, beside what its kind says.
  type: str
  default: ""
needs:
  description:
    - Values without which nothing can be seen, by the names of their variables, such as secrets. When one is empty
      the row is V(skipped) and names it.
  type: dict
  default: {{}}
unless:
  description: Why nothing needs it here. The row is V(skipped) then, and tells it.
  type: str
  default: ""
kind:
  description: What is checked, and which of the options below is read.
  type: str
  required: true
  choices:
    [plan, paths, placeholders, unknowable, launch_window, health, webhook, rollout, rbac, rights, pins,
     flags_start, flags_readers, images, queries, prisma_history, programs, backup_age, bucket, git,
     commit_status, test_results, load_test, clock, certificate, token, functions, alert_rules, series, slack,
     pagerduty, mail, sign_offs]
plan:
  description:
    - Whether the phases of the release are phases of the deployment, in its order, end with its last one, and have
      something to work on.
  type: dict
  suboptions:
    phases:
      description: The names of the release's phases, in order.
      type: list
      elements: str
      required: true
    known:
      description: Those of the deployment, in order.
      type: list
      elements: str
      required: true
    needs:
      description:
        - By phase, C(what) it can't do without, in words, and what is C(found) of it, a list.
        - Phases that always have something to do are left out.
      type: dict
      default: {{}}
paths:
  description: Whether files and folders exist.
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
{health("checks[].health")}rollout:
  description:
    - What stands against a rollout without downtime, every problem at once. An error is a rollout that would fail, or
      an outage while it goes on. A warning is what a release survives, and somebody should know.
    - Of Secrets that pods refer to only the names of their keys are looked at. What may not be seen is a warning.
  type: dict
  suboptions:
{SERVICES}pins:
  description:
    - Whether every Deployment has a template to return to, keeps old ReplicaSets, and does not run the image
      of the release already unless this attempt rolled it.
  type: dict
  suboptions:
{SERVICES}rbac:
  description: Whether the cluster lets this user do all that the phases do there. It has no options.
  type: dict
  suboptions: {{}}
flags_start:
  description:
    - Whether the feature is still off for all users, unless this release itself let them in, and no person has set the
      kill switch.
  type: dict
  suboptions:
    name:
      description: The ConfigMap of the flags.
      type: str
      default: feature-flags
    flag:
      description: The flag with the percentage of users. Empty where O(ignore:enabled_by) alone lets them in.
      type: str
      default: ""
    enabled_by:
      description: The flag that switches the feature on and off.
      type: str
      default: ""
backup_age:
  description: How old the newest backup of each database is.
  type: dict
  suboptions:
{nested(S3, 4, "checks[].backup_age")}    names:
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
images:
  description: Whether images are in their registry, as M(easymo.deploy.images) asks it.
  type: dict
  suboptions:
    images:
      description: The images, with tag or digest.
      type: list
      elements: str
      required: true
    registry:
      description: URL of the registry's API. The registry that an image names when empty.
      type: str
      default: ""
    username:
      description: Login. Anonymous when empty.
      type: str
      default: ""
    password:
      description: Its password or token.
      type: str
      default: ""
{indent(AUTHORITIES, " " * 4)}    absent:
      description: Why they cannot be there yet, for example because the release builds them. The check is skipped then.
      type: str
      default: ""
test_results:
  description:
    - Whether enough tests passed and none failed. The file is JUnit XML, or one JSON object with C(passed),
      C(failed), C(skipped).
    - It names C(version), C(commit) or both, in JUnit XML as properties. One of another release fails, one
      that names neither holds.
  type: dict
  suboptions:
{DOCUMENT}    least:
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
{DOCUMENT}    least_users:
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
      default: {{}}
commit_status:
  description:
    - Whether CI passed on the commit, by GitHub's check runs and its combined status. Nothing may have failed, been
      cancelled, or be on its way.
    - What was skipped or is neutral stops nothing, unless O(checks[].commit_status.contexts) names it. Then it
      holds, for it proves nothing; GitHub itself lets it pass.
    - The token needs to read checks, commit statuses and the repository's metadata.
  type: dict
  suboptions:
{api("Base URL of the API. That of an own server ends in C(/api/v3).", "https://api.github.com")}    repository:
      description: The repository, as C(owner/name).
      type: str
      required: true
    contexts:
      description: Names of check runs, such as those of a workflow's jobs, and contexts of statuses that must be there.
      type: list
      elements: str
      default: []
    ignore:
      description: Names and contexts that say nothing about CI, such as our own.
      type: list
      elements: str
      default: []
alert_rules:
  description:
    - Whether alerts are loaded in Prometheus and evaluated without errors, Prometheus has series of everything that
      their expressions ask for, and none of them fires.
    - With C(alertmanager), whether Alertmanager's routes take each to the receiver that its label C(notify) names,
      which has an integration, is in no route with time intervals, and is not silenced.
  type: dict
  suboptions:
{PROMETHEUS}    alertmanager:
      description: How Alertmanager is reached.
      type: dict
      suboptions:
{indent(SERVER, " " * 8)}    alerts:
      description: Names of the alerts.
      type: list
      elements: str
      required: true
    pods:
      description:
        - PromQL matchers of the pods of the release. What an expression asks for beside them may not have
          happened yet, such as an error.
      type: str
      default: job="pods"
    new_metrics:
      description: Names of metrics that only the release brings, so that there is no series of them before it.
      type: list
      elements: str
      default: []
clock:
  description:
    - Whether this machine's clock agrees with that of a server, by the header Date of whatever it answers.
  type: dict
  suboptions:
    url:
      description: The URL to ask.
      type: str
      required: true
{indent(AUTHORITIES, " " * 4)}{CLIENT}    max_skew:
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
{CLIENT}    days:
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
{api("Base URL of the Web API.", "https://slack.com/api/")}    people:
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
{api("Base URL of the REST API.", "https://api.pagerduty.com")}    schedules:
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
{nested(WINDOW, 4, "checks[].launch_window")}sign_offs:
  description:
    - Whether people have signed what no machine can check, a row C(sign_off_NAME) for each. See
      O(easymo.deploy.release#module:sign_off).
  type: dict
  suboptions:
    required:
      description: What must be signed.
      type: list
      elements: dict
      required: true
      suboptions:
{nested(REQUIRED, 8, "checks[].sign_offs.required[]")}    given:
      description:
        - Sign-offs that come with the task, by name, each a person's name or a dictionary with C(by),
          C(note), C(release) and C(instead). They count, and RV(facts) has them.
      type: dict
      default: {{}}
{READINESS_KINDS}"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  checks:
    suboptions:
{indent(KINDS, " " * 6)}"""
