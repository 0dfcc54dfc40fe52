"""playbooks/microservices.yml: the services in waves."""

from ..platform import image_of
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
    failures = [rolled] if rolled.get("failed") else []
    failures = failures or [rolled["services"][name] for name in rolled["failed_services"]]
    if failures:
        # The cause of the phase: a lock that was lost, where one was.
        script.failed(phase, max(failures, key=lease_lost))
        raise StopError("; ".join(str(one.get("msg")) for one in failures))
    script.close(phase, changed=rolled["changed"])
