# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  flag:
    description: The flag that is the percentage. The annotation C(easymo.com/ramp) beside it is the ramp's state.
    type: str
    required: true
  enabled_by:
    description: The flag that turns the feature on at all. Nothing goes up while it is not true. Empty for none.
    type: str
    default: ""
  schedule:
    description: The steps, from the first to the last. Percentages rise, and days do not fall.
    type: list
    elements: dict
    required: true
    suboptions:
      day:
        description: The day on which the step may be taken, from V(1). The ramp begins on the day of the first step.
        type: int
        required: true
      percentage:
        description: The share of the users, from V(1) to V(100). V(0) comes before the first step by itself.
        type: int
        required: true
      users:
        description: About how many users that are, for people to read.
        type: int
      must_detect:
        description:
          - The watch of this step must be able to see so many times as many failing users, as
            O(easymo.deploy.metrics_gate#module:must_detect). Not at 100 %, where no user is left to compare with.
        type: float
  watch_duration:
    description: Seconds for which a step stands before the next one may be taken, however long the gate looked.
    type: float
    default: 7200
  day_length:
    description: Seconds of a day. For rehearsals.
    type: float
    default: 86400
  max_silence:
    description:
      - Nothing goes up, and people are told, when the guard did not look for more seconds than this. V(0) allows
        any time.
    type: float
    default: 0
  actor:
    description: Who acts, for the history. The user and the machine when not given.
    type: str
  lock:
    description: The Lease that is the deploy lock. C(easymo-deploy) when not given.
    type: str
"""
