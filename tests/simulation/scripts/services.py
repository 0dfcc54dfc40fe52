# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/microservices.yml: the services in waves."""

from __future__ import annotations

import typing as t

from ..platform import image_of
from .script import Script, StopError, lease_lost

if t.TYPE_CHECKING:
    from ..tasks import Result


def microservices(script: Script) -> None:
    phase = "microservices"
    script.begin(phase)
    changed = False
    for wave in script.waves():
        opened = script.open(phase)
        if opened.get("failed"):
            _settle(script, phase, dict.fromkeys(wave, opened))
        rolled = script.task(
            "rolling_update/main",
            "Roll out the images of the release",
            services=[
                {
                    "name": one,
                    "image": image_of(one, script.version, script.world.plan),
                    "log_line": "",
                    "health_url": "",
                }
                for one in wave
            ],
            pinned={},
            release=script.version,
            undo_on_failure=True,
            wait_timeout=300,
            quorum="nodes",
            soak=None,
            wait_for_old=False,
            fence=script.epoch,
        )
        if rolled.get("failed"):
            _settle(script, phase, dict.fromkeys(wave, rolled))
        failures = {name: one for name, one in rolled["services"].items() if one.get("failed")}
        changed = changed or rolled["changed"]
        if failures:
            _settle(script, phase, failures)
    script.close(phase, changed=changed)


def _settle(script: Script, phase: str, failures: dict[str, Result]) -> t.NoReturn:
    for failure in failures.values():
        script.failed(phase, failure)
    if not any(lease_lost(one) for one in failures.values()):
        script.task(
            "service_rollback/settle_wave",
            "Record what was undone and each version",
            name=script.version,
            evidence={"settlement": {}},
            fence=script.epoch,
        )
    raise StopError("; ".join(str(one.get("msg")) for one in failures.values()))
