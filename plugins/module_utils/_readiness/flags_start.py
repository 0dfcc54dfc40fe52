# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to easymo.deploy.
"""Whether the feature flags are where a release begins: nobody in the feature, and nobody's kill switch set."""

from __future__ import annotations

import typing as t

from ansible_collections.easymo.deploy.plugins.module_utils._cluster import RELEASE_ANNOTATION
from ansible_collections.easymo.deploy.plugins.module_utils._flags.plan import FlagsMap
from ansible_collections.easymo.deploy.plugins.module_utils._flags.switch import RESET, KillSwitch
from ansible_collections.easymo.deploy.plugins.module_utils._readiness.models import (
    Finding,
    Ground,
    Options,
    failed,
    passed,
)


def look(options: Options, ground: Ground) -> t.Sequence[Finding]:
    name = options["name"]
    flags = FlagsMap.from_json(name, ground.cluster().read("ConfigMap", name))
    return [judge(flags, options["flag"], options["enabled_by"], ground.release)]


def judge(flags: FlagsMap, flag: str, enabled_by: str, release: str) -> Finding:
    switch = KillSwitch.from_annotations(flags.annotations)
    if switch is not None and not switch.automatic:
        return failed(f"{switch}. When its cause is gone, that person resets it: {RESET}")
    automatic = f"; {switch}, which the deployment resets" if switch else ""
    value = flags.data.get(flag)
    if not flags.exists or value in (None, "", "0") or flags.data.get(enabled_by) == "false":
        return passed(f"{flag} is {value or 'not set'}, nobody is in the feature{automatic}")
    if flags.annotations.get(RELEASE_ANNOTATION) == release:
        return passed(f"{flag} is {value}, which this release itself set{automatic}")
    owner = flags.annotations.get(RELEASE_ANNOTATION)
    by = f" by release {owner}" if owner else ""
    return failed(
        f"{flag} is {value}{by} where a release starts with nobody in the feature: set it to 0 first"
    )
