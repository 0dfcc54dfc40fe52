# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether the feature flags are where a release begins: nobody in the feature, and nobody's kill switch set."""

from __future__ import annotations

import typing as t

from .._flags.plan import FlagsMap
from .._flags.switch import RESET, KillSwitch
from .._kubernetes_client import KUBERNETES
from .models import Finding, Ground, Kind, Options, failed, passed

PHASE = "feature_flags"


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    name = options["name"]
    flags = FlagsMap.from_json(name, ground.cluster().read("ConfigMap", name))
    record = ground.record.get()
    own = record is not None and PHASE in record.phases
    return [judge(flags, options["flag"], options["enabled_by"], own=own)]


def judge(flags: FlagsMap, flag: str, enabled_by: str, *, own: bool) -> Finding:
    """`own`: this attempt of the release has set flags already."""
    switch = KillSwitch.from_annotations(flags.annotations)
    if switch is not None and not switch.automatic:
        return failed(f"{switch}. After the fix, a person resets it: {RESET}")
    automatic = f"; {switch}, which the deployment resets" if switch else ""
    value = flags.data.get(flag)
    if value in (None, "", "0") or flags.data.get(enabled_by) == "false":
        shown = value or "not set"
        return passed(f"{flag} is {shown}, nobody is in the feature{automatic}")
    if own:
        return passed(f"{flag} is {value}, which this attempt of the release set{automatic}")
    return failed(
        f"{flag} is {value}, but a release starts with nobody in the feature: find who set it, and set it to 0"
    )


KIND = Kind(
    look,
    {
        "name": {"type": "str", "default": "feature-flags"},
        "flag": {"type": "str", "required": True},
        "enabled_by": {"type": "str", "default": ""},
    },
    (KUBERNETES,),
    reads_record=True,
)
