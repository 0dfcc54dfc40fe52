"""An hour of watching at ten seconds, without the sleep: CPU of all its looks, and memory at its end.

The module runs as in production, in a process of its own with real requests to a Prometheus on loopback and to the
API of a sandbox, which keeps each look. Only its clock is quick: a second of it passes for each that it would sleep.
"""

import json
import typing as t

from sandbox.names import NAMESPACE
from sandbox.world import World
from tests.benchmarks.measurement import BenchmarkError, Measurement, Size
from tests.benchmarks.stage import SEED_MB, collection_output, stage
from tests.fakes.prometheus import prometheus

HOUR, INTERVAL, METRICS = 3600, 10, 8
RELEASE = "2.0.0-bench-watch"

_PROGRAM = """
import json, resource, sys, time
from unittest import mock
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.easymo.deploy.plugins.module_utils._gate import watch
from ansible_collections.easymo.deploy.plugins.modules import metrics_gate, release
from ansible_collections.easymo.deploy.plugins.plugin_utils._action_module import ControllerModule

def face(module, params):
    spec = module.module_spec()
    checked = ArgumentSpecValidator(**spec).validate(params)
    assert not checked.error_messages, checked.error_messages
    values = {name: checked.validated_parameters.get(name) for name in spec["argument_spec"]}
    return ControllerModule(values, check_mode=False, diff=False, host="localhost")

order = json.load(sys.stdin)
release.run(face(release, order["record"]))
slept = [0.0]
def sleep(seconds): slept[0] += seconds
class Quick(watch.Watcher):
    def __init__(self, *given, **named):
        clock = lambda: time.monotonic() + slept[0]
        super().__init__(*given, **named, clock=clock, sleep=sleep)
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
before = cpu()
with mock.patch.object(metrics_gate, "Watcher", Quick):
    result = metrics_gate.run(face(metrics_gate, order["gate"]))
used = cpu() - before
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
counts = [one["count"] for one in result["samples"]]
print("\\n" + json.dumps({"cpu": used, "peak": peak, "counts": counts, "verdict": result["verdict"]}))
"""


def watch(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    duration = size.of(small=120, full=HOUR)
    with stage() as place, prometheus() as server:
        place.sandbox("up", "--seed-mb", SEED_MB)
        kubeconfig = World(place.state).facts("kubernetes")["kubeconfig"]
        metrics = [_metric(number) for number in range(METRICS)]
        for one in metrics:
            server.says(str(one["query"]), 0.5)
        found = _watched(
            server.url, {"kubeconfig": kubeconfig, "namespace": NAMESPACE}, metrics, duration
        )
    looks = min(found["counts"])
    if found["verdict"] != "proceed" or looks < duration / INTERVAL / 2:
        raise BenchmarkError(f"The watch took {looks} looks and ended with {found['verdict']}.")
    # A busy machine's looks may come late: what counts is what each costs.
    used = found["cpu"] / looks * (HOUR / INTERVAL + 1)
    note = f"{METRICS} metrics, {looks} looks, each kept in the record; 1 % of an hour is 36 s"
    yield Measurement("CPU of an hour at 10 s", used, "s", target=HOUR / 100, note=note)
    yield Measurement("memory at the most", found["peak"], "MB", target=100)


def _metric(number: int) -> dict[str, t.Any]:
    bounds = {"pass": {"max": 1}, "rollback": {"above": 5}}
    return {"name": f"metric_{number}", "query": f"query_{number}", **bounds}


def _watched(
    url: str, cluster: dict[str, str], metrics: list[dict[str, t.Any]], duration: int
) -> t.Any:
    record = {**cluster, "name": RELEASE, "phase": "monitoring", "phase_status": "running"}
    times = {"duration": duration, "interval": INTERVAL}
    kept = {"release": RELEASE, "kubernetes": cluster, "prometheus": {"url": url}}
    order = json.dumps({"record": record, "gate": {"metrics": metrics, **kept, **times}})
    return json.loads(collection_output("-c", _PROGRAM, given=order).splitlines()[-1])
