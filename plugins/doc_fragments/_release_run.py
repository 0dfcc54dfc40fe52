# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from textwrap import indent

from ._addresses import ADDRESSES
from ._lock import LOCK
from ._module import nested
from ._preflight_checks import WINDOW
from ._s3 import S3

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
      version_added: 0.2.0
sign_offs:
  description: Names of the sign-offs that are expected. Those that the record has not are told as missing.
  type: list
  elements: str
  default: []
  version_added: 0.2.0
announced:
  description: Whether there is a channel in which the release is announced. If not, no announcement is missing.
  type: bool
  default: true
  version_added: 0.3.0
time_zone:
  description:
    - The time zone in which the timeline is drawn, such as V(Africa/Nairobi). Elsewhere its times stand beside UTC.
  type: str
  default: UTC
  version_added: 0.2.0
journal:
  description:
    - The journal that the callback P(easymo.deploy.journal#callback) wrote, for the tasks that took longest and those
      that were tried again. Nothing else depends on it, and a file that can't be read adds nothing.
    - Only what ran for real between the begin and the end of the release counts. Damaged lines are counted and told.
  type: path
  version_added: 0.2.0
"""


class ModuleDocFragment:
    DOCUMENTATION: str = (
        r"""
options:
  lock:
    description: How the deploy lock is taken.
    type: dict
    default: {}
    suboptions:
"""
        + nested(LOCK, 6, "lock")
        + r"""
  launch_window:
    description: In which this run may begin, as for M(easymo.deploy.preflight_check). At any time when not given.
    type: dict
    suboptions:
"""
        + nested(WINDOW, 6, "launch_window")
        + r"""
  availability:
    description: The public addresses to ask until this run ends, as M(easymo.deploy.availability) does.
    type: dict
    suboptions:
"""
        + nested(ADDRESSES, 6, "availability")
        + r"""
  page:
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
"""
        + nested(S3, 10, "page.s3")
        + nested(REPORT, 6, "page")
    )

    REPORT: str = "options:\n" + indent(REPORT, "  ")
