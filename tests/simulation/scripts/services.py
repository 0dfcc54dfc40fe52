"""playbooks/microservices.yml: the services in waves."""

import typing as t

from ..platform import image_of
from ..tasks import Result
from .script import Script, StopError, lease_lost


def microservices(script: Script) -> None:
    phase = "microservices"
    script.begin(phase)
    waves = script.waves()
    rolled = script.task(
        "rolling_update/main",
        "Roll out the images of the release",
        services=[
            {
                "name": name,
                "image": image_of(name, script.version, script.world.plan),
                "log_line": "",
            }
            for wave in waves
            for name in wave
        ],
        waves=waves,
        pinned={},
        checks=[],
        release=script.version,
        undo_on_failure=True,
        soak=None if script.world.plan.probed else 0,
        fence=script.epoch,
    )
    if rolled.get("failed"):
        _settle(script, phase, {"control": rolled})
    failures = {name: rolled["services"][name] for name in rolled["failed_services"]}
    if failures:
        _settle(script, phase, failures)
    script.close(phase, changed=rolled["changed"])


def _settle(script: Script, phase: str, failures: dict[str, Result]) -> t.NoReturn:
    # The cause of the phase: a lock that was lost, where one was.
    cause = max(failures.values(), key=lease_lost)
    script.failed(phase, cause)
    if not lease_lost(cause):
        script.task(
            "service_rollback/settle",
            "Record what was undone and each version",
            name=script.version,
            evidence={"settlement": {}},
            fence=script.epoch,
        )
    raise StopError("; ".join(str(one.get("msg")) for one in failures.values()))
