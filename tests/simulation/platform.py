"""The platform that stands before the release, and what the release wants of it."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .plan import Plan
    from .world import World

NAMESPACE = "easymo-prod"
CLUSTER: t.Mapping[str, t.Any] = {"namespace": NAMESPACE}
"""The options that say how to reach it."""
OLD, VERSION, NEXT = "2.0.0", "2.1.0", "2.2.0"
RELEASES = (VERSION, NEXT)
"""In most runs there is the first alone. What is wrong with a plan's images is wrong with its own."""
FLAGS, SWITCH, PERCENTAGE = "feature-flags", "FEATURE_AI", "FEATURE_AI_PERCENTAGE"
FLAGS_BEFORE = {SWITCH: "false", PERCENTAGE: "0", "FEATURE_OLD": "true", "FEATURE_OTHER": "false"}
FLAGS_ON: t.Mapping[str, t.Mapping[str, t.Any]] = {
    VERSION: {SWITCH: True, "FEATURE_NEW": "soon"},
    NEXT: {SWITCH: True, "FEATURE_NEXT": True},
}
"""By the release. Each brings one that was not there."""
FLAGS_OFF: t.Mapping[str, t.Any] = {SWITCH: False, PERCENTAGE: 0}
"""Of every release."""
OFF: t.Mapping[str, t.Mapping[str, t.Any]] = {
    VERSION: FLAGS_OFF,
    NEXT: {**FLAGS_OFF, "FEATURE_NEXT": False},
}
SCHEDULE = [
    {"day": 1, "percentage": 1},
    {"day": 2, "percentage": 10},
    {"day": 3, "percentage": 50},
    {"day": 4, "percentage": 100},
]
DAY = 60
"""Of the ramp, in seconds."""
WATCHED, LOOKS = 40, 5
"""Seconds for which each of its steps is watched, and from one look to the next."""
RAMP: t.Mapping[str, t.Any] = {
    "flag": PERCENTAGE, "enabled_by": SWITCH, "schedule": SCHEDULE,
    "watch_duration": WATCHED, "day_length": DAY,
}  # fmt: skip
"""The options that say what is brought to its users, and when."""
STEPS = [0, *(one["percentage"] for one in SCHEDULE)]
SETTLE = QUIET = 120.0
"""Of the guard, in seconds."""
PRINT_FLAGS = ["print-flags"]
"""Which flags a process runs with, of those that have them from a volume."""
CONSUMERS = ("agent-core",)
GATE: t.Mapping[str, float] = {
    "duration": 120.0, "interval": 10.0, "initial_delay": 0.0, "hold_for": 120.0, "recover_for": 40.0, "max_gap": 60.0,
}  # fmt: skip
"""The times of the release's watch, in seconds."""
LIVENESS: t.Mapping[str, t.Any] = {
    "httpGet": {"path": "/livez", "port": 8080},
    "periodSeconds": 10, "failureThreshold": 3, "timeoutSeconds": 1,
}  # fmt: skip
"""The probe of services that have one."""
GOOD, BREACH = 0.01, 0.05
"""The metric is good up to the one, and a breach above the other."""


def image_of(service: str, version: str, plan: Plan) -> str:
    bad = plan.bad_images.get(service, "") if version == VERSION else ""
    return f"registry.example.com/shop/{service}:{version}{'-' + bad if bad else ''}"


def settle(world: World) -> None:
    """What stands before the first operator comes, up and ready."""
    store = world.store
    store.create("configmaps", _config_map(FLAGS, FLAGS_BEFORE))
    for service, replicas in world.plan.services.items():
        store.create("deployments", _deployment(service, replicas, world.plan))
    world.plane.settle()
    world.scheduler.run(until=60.0)


def _config_map(name: str, data: t.Mapping[str, str]) -> dict[str, t.Any]:
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "data": dict(data)}


def _deployment(name: str, replicas: int, plan: Plan) -> dict[str, t.Any]:
    rolls = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    container: dict[str, t.Any] = {"name": name, "image": image_of(name, OLD, plan)}
    pods: dict[str, t.Any] = {"containers": [container]}
    if plan.mounted:
        container["volumeMounts"] = [{"name": "flags", "mountPath": "/flags"}]
        pods["volumes"] = [{"name": "flags", "configMap": {"name": FLAGS}}]
    else:
        container["envFrom"] = [{"configMapRef": {"name": FLAGS}}]
    if name in plan.probed:
        container |= {"livenessProbe": LIVENESS, "readinessProbe": LIVENESS}
    return {
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"type": "Recreate"} if name in plan.recreated else rolls,
            "progressDeadlineSeconds": 120,
            "template": {"metadata": {"labels": {"app": name}}, "spec": pods},
        },
    }
