# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

from ._lock import LOCK
from ._module import nested
from ._s3 import S3

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

ADDRESSES = r"""targets:
  description: The public addresses.
  type: list
  elements: dict
  default: []
  suboptions:
    name: {type: str, required: true, description: What people call it.}
    url: {type: str, required: true, description: What is asked by GET.}
    verify_token: {type: str, default: "", description: The verify token of a webhook.}
    ca_cert: {type: path, description: File of the authorities that may have signed its certificate.}
controls:
  description:
    - Addresses elsewhere that have nothing to do with the platform. They are asked for a connection only, and only
      while something does not answer.
  type: list
  elements: str
  default: []
rate:
  description: How often each address is asked, in times a second.
  type: float
  default: 1
timeout:
  description: Seconds in which an address has to answer.
  type: float
  default: 5
enabled:
  description: Whether anything is measured. V(false) needs O(reason), and the record says so.
  type: bool
  default: true
reason:
  description: Why nothing is measured.
  type: str
"""

ORDER = r"""order:
  description:
    - What must be done before O(phase) is opened. Nothing when not given.
    - The task fails with V(OutOfOrder) and writes nothing when a phase before it is neither done in this
      attempt nor waived.
    - Nor does a release begin while another one is unfinished or partly rolled back, but for one that a later one,
      which is done, superseded by name.
    - And it neither goes on nor back (O(phase=rollback)) while a release that began later is unfinished or done.
  type: dict
  suboptions:
    phases:
      description: The names of all phases in their order. A phase that is not one of them waits for nothing.
      type: list
      elements: str
      default: []
    waived:
      description:
        - By phase, C(by) and C(reason) of the person who lets the release go on without it.
        - A missing phase is recorded as V(waived) when a later one is opened. It can still be run.
      type: dict
      default: {}
    flags:
      description:
        - The ConfigMap of the flags. A phase that is done and of whose flags one is off since, by itself or after a
          reset, is missing again. What a person's kill switch holds off counts as it was set.
      type: str
    passed:
      description: Phases that this run went through in check mode, where nothing is recorded.
      type: list
      elements: str
      default: []
    supersedes:
      description: By version, C(by) and C(reason) of the person who lets this release begin beside an unfinished one,
        or go on or back below a later one. The record keeps them.
      type: dict
      default: {}
"""

REPORT = r"""plan:
  description:
    - The phases in their order and how long each was planned to take. Phases that only the record knows follow them.
  type: list
  elements: dict
  required: true
  suboptions:
    name:
      description: The phase, as in the record.
      type: str
      required: true
    minutes:
      description: How long it was planned to take.
      type: int
      required: true
    title:
      description: What people call it. The default is its name.
      type: str
      default: ""
sign_offs:
  description: Names of the sign-offs that are expected. Those that the record has not are told as missing.
  type: list
  elements: str
  default: []
announced:
  description: Whether there is a channel in which the release is announced. If not, no announcement is missing.
  type: bool
  default: true
procedure:
  description: What the release follows, such as C(the runbook). The report tells deviations from it.
  type: str
  default: the plan
time_zone:
  description:
    - The time zone of the events, such as V(Africa/Nairobi). Elsewhere its times stand beside UTC.
  type: str
  default: UTC
"""


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  lock:
    description: How the deploy lock is taken.
    type: dict
    default: {{}}
    suboptions:
{nested(LOCK, 6, "lock")}  launch_window:
    description: In which this run may begin, as for M(easymo.deploy.preflight_check). At any time when not given.
    type: dict
    suboptions:
{nested(WINDOW, 6, "launch_window")}  availability:
    description: The public addresses to ask until this run ends, as M(easymo.deploy.availability) does.
    type: dict
    suboptions:
{nested(ADDRESSES, 6, "availability")}  page:
    description: The report that is written again and again until this run ends. None is written when not given.
    type: dict
    suboptions:
      dest:
        description: The folder of the report. The page is C(report.html) in it.
        type: path
        required: true
      folder:
        description: Another folder for the page, for example one that a web server shows.
        type: path
      services:
        description: Deployments whose pods are counted.
        type: list
        elements: str
        default: []
      interval:
        description: Seconds between two looks.
        type: float
        default: 5
      s3:
        description: An object that the page is kept as besides, for people to open it.
        type: dict
        suboptions:
          key:
            description: Its key, behind the prefix.
            type: str
            required: true
{nested(S3, 10, "page.s3")}{nested(REPORT, 6, "page")}"""

    REPORT: str = "options:\n" + indent(REPORT, "  ")
    ADDRESSES: str = "options:\n" + indent(ADDRESSES, "  ")
    ORDER: str = "options:\n" + indent(ORDER, "  ")
