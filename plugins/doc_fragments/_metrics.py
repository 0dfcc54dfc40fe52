# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

from ._monitoring import SERVER
from ._postgres import DATABASE
from ._supabase import SUPABASE

PROMETHEUS = f"""prometheus:
  description: How Prometheus is reached. Needed when a metric is of the kind V(prometheus).
  type: dict
  suboptions:
{indent(SERVER, " " * 4)}"""

GOOD = """unit:
  description: The unit of the value, for people.
  type: str
  default: ""
pass:
  description: Where the value should be. Without bounds, any number passes.
  type: dict
  suboptions:
    min:
      description: The lowest good value.
      type: float
    max:
      description: The highest good value.
      type: float
"""

VOLUME = """volume:
  description:
    - What a ratio is of. With fewer than C(at_least) of them it proves nothing, and the sample is missing.
  type: dict
  suboptions:
    query:
      description: Gives how many there were. Asked of the same place as C(query), before it.
      type: str
      required: true
    at_least:
      description: So many are needed.
      type: float
      required: true
    unit:
      description: What they are, for people.
      type: str
      default: requests
"""

BOUNDS = f"""{GOOD}rollback:
  description: Where the value is so bad that the release goes back. Without bounds, the metric only holds.
  type: dict
  suboptions:
    below:
      description: Lower values are breaches.
      type: float
    above:
      description: Higher values are breaches.
      type: float
{VOLUME}connection:
  description: The database to ask. Needed with the kind V(postgres).
  type: dict
  suboptions:
{indent(DATABASE, " " * 4)}"""

ONE_LOOK = f"""name:
  description: What the metric is called.
  type: str
  required: true
kind:
  description: Who is asked.
  type: str
  choices: [prometheus, postgres]
  default: prometheus
query:
  description:
    - PromQL that gives one series, or SQL that gives one value. SQL runs read-only.
  type: str
  required: true
{BOUNDS}"""
"""A metric that one look is enough for."""

METRIC = f"""name:
  description: What the metric is called.
  type: str
  required: true
kind:
  description: Who is asked.
  type: str
  choices: [prometheus, postgres, kubernetes_log, alerts, http, function_log]
  default: prometheus
query:
  description:
    - PromQL that gives one series, or SQL that gives one value. SQL runs read-only.
    - For V(kubernetes_log) a regular expression. The value is the number of lines that it is found in, in
      the logs of all running containers of O(metrics[].deployment) in the last O(metrics[].window)
      seconds.
    - For V(alerts) the names of alerting rules of Prometheus, with C(|) between. The value is the number of alerts that
      fire, or did within the last O(metrics[].window) seconds. A rule's annotation C(gate) says what one that fires is,
      C(rollback) for a breach, C(hold) for neither good nor a breach, C(note) for nothing but an entry in
      RV(easymo.deploy.metrics_gate#module:alerts). Without it, it is C(hold), and so is one that has ended. A rule that
      is not loaded or not evaluated is missing.
    - For V(http) a JSON Pointer (RFC 6901) to the number in the answer of O(metrics[].url), such as V(/count).
    - For V(function_log) a regular expression. The value is the number of lines of the level V(error) that it is found
      in, in the logs of the edge functions O(metrics[].functions) in the last O(metrics[].window) seconds.
    - Needed unless the metric compares cohorts.
  type: str
treated:
  description:
    - Compares users who have the feature with those of O(metrics[].control), served at the same time. The value is
      the evidence that the former fail more often, which is a breach from C(1 / alpha) on. There are no other bounds,
      and no O(metrics[].query).
    - Each of the four queries gives a number that only grows, of messages of which each user has at most one a minute,
      and none for two hours after any that failed. PromQL gives an application's counter, with one series for each
      instance, so that one that is not scraped for five minutes is known again. SQL counts since C({{since}}), for
      which the time stands at which the watch began, as RFC 3339 in UTC; for C({{treated_share}}) the share of users
      stands who have the feature, from 0 to 1.
    - For the kinds V(prometheus) and V(postgres).
  type: dict
  suboptions: &cohort
    seen:
      description: How many of their messages were counted.
      type: str
      required: true
    failed:
      description: How many of those failed.
      type: str
      required: true
control:
  description: The users without the feature, counted in the same way.
  type: dict
  suboptions: *cohort
worse_than:
  description:
    - Treated users may fail up to so many times as often as the control. It is a breach when they fail more often
      for what they wrote and as users too. Only the former is neither good nor a breach, for what they wrote may
      explain it.
  type: float
  default: 1.05
{BOUNDS}interval:
  description:
    - Seconds from one look at this metric to the next. O(easymo.deploy.metrics_gate#module:interval) when not given.
  type: float
initial_delay:
  description:
    - Seconds from the first look of the watch to the first that counts for this metric. One look waits for no metric.
  type: float
  default: 0
count:
  description:
    - So many samples with a value end this metric's own watch. Fewer at the end of
      O(easymo.deploy.metrics_gate#module:duration) hold.
    - Without it, the metric is looked at to the end.
  type: int
breaches:
  description: So many breaches of this metric in a row roll back. O(breaches) when not given.
  type: int
max_missing:
  description: The share of this metric's samples that may be missing. O(max_missing) when not given.
  type: float
deployment:
  description: The Deployment whose logs are read. Needed with the kind V(kubernetes_log).
  type: str
window:
  description:
    - Of how many seconds before each look the logs are read. At most 1 MB of each container is, and 1,000 lines of each
      edge function.
    - For V(alerts), within how many seconds an alert that has ended still counts.
    - Windows longer than the interval see a line in several looks.
  type: int
  default: 60
functions:
  description: The edge functions whose logs are read. Needed with the kind V(function_log).
  type: list
  elements: str
supabase:
  description: The project of O(metrics[].functions). Needed with the kind V(function_log).
  type: dict
  suboptions:
{indent(SUPABASE, " " * 4)}url:
  description:
    - Needed with the kind V(http). Asked by GET, without following redirects. An answer without a number is a missing
      sample.
  type: str
token:
  description: Bearer token for O(metrics[].url).
  type: str
ca_cert:
  description: File with the certificate authorities that may have signed the certificate of O(metrics[].url).
  type: path
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
{indent(PROMETHEUS, " " * 2)}  metrics:
    description: What to look at.
    type: list
    elements: dict
    required: true
    suboptions:
{indent(METRIC, " " * 6)}  breaches:
    description:
      - So many samples in a row beyond the rollback bound of a metric roll back. Gaps neither count nor reset.
    type: int
    default: 2
  max_missing:
    description: The share of a metric's samples that may be missing, from V(0) to V(1).
    type: float
    default: 0.1
  query_timeout:
    description: Seconds to wait for the answer to one query.
    type: float
    default: 10
  alpha:
    description:
      - The share of watches of healthy releases that comparisons of cohorts may stop, at most. One budget for all of
        them, however often they are looked at. V(rollback) at evidence of C(1 / alpha).
    type: float
    default: 0.01
"""

    WATCH = """
options:
  duration:
    description: Seconds to watch. V(0) is one look.
    type: float
    default: 3600
  interval:
    description: Seconds from one look to the next.
    type: float
    default: 10
  initial_delay:
    description: Seconds to wait before the first look, so that rates cover the release only.
    type: float
    default: 0
  must_detect:
    description:
      - Every comparison of failing users must be able to see so many times as many, nine times of ten. As long as
        too few users were seen for that, it is neither good nor a breach, and holds at the end.
    type: float
  treated_share:
    description:
      - The share of the users who are treated, as it is configured. A comparison that sees more than twice or less
        than half of it, by more than chance, is missing, as with swapped queries.
      - With V(0) or V(1) no users are compared, which is good, and the verdict says so.
    type: float
  evidence_before:
    description:
      - The evidence with which the watch before this one ended, by metric, as C(evidence) of C(comparison) in
        RV(samples). Half of the stake goes on with it. What was enough for V(rollback) is spent, and counts as none.
    type: dict
    default: {}
"""
