"""A deployment, phase by phase, and again with nothing to do."""

import typing as t

from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import Run, busy_sandbox, products

# Enough for every rate to be known; what the watch takes is told apart from the rest.
WATCH = ("-e", "release_watch_duration=20", "-e", "release_watch_interval=2")
WATCHING = "easymo.deploy.metrics_gate"
PLAIN = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}


def deployment(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    some = ("--tags", "microservices", "--limit", "agent-core,localhost")
    words = (*WATCH, *size.of(small=some, full=()))
    for product, checkout in products().items():
        # In its own sandbox: another version may not get on with this one's databases.
        with busy_sandbox(checkout=checkout) as place:
            first, *others = (
                place.play("deploy_v2.yml", *words, checkout=checkout)
                for _run in range(1 + size.of(small=1, full=3))
            )
            plain = place.play("deploy_v2.yml", *words, checkout=checkout, environment=PLAIN)
        yield from told(product, first, min(others, key=working))
        goal = f"headings of a deployment{product}"
        yield Measurement(goal, plain.printed.count("\nTASK ["), "count", 80, goal=goal)


def told(product: str, first: Run, again: Run) -> t.Iterator[Measurement]:
    for name, took in first.phases().items():
        idle = again.phases().get(name, 0.0)
        note = f"again, with nothing to do: {idle:.1f} s"
        yield Measurement(name + product, took, "s", note=note)
    yield Measurement(f"the first{product}", working(first), "s", note=apart(first))
    goal = f"a deployment with nothing to do{product}"
    yield Measurement(f"nothing to do{product}", working(again), "s", 7, apart(again), goal)
    ratio = working(again) / working(first)
    yield Measurement(f"nothing to do to the first{product}", ratio, "ratio")
    for name, run, target, goal in (
        ("the first's CPU", first, 12, f"CPU of a first deployment{product}"),
        ("CPU with nothing to do", again, None, ""),
    ):
        share = f"{run.cpu / run.seconds:.2f} of a core"
        yield Measurement(f"{name}{product}", run.cpu, "s", target, share, goal)


def working(run: Run) -> float:
    return run.seconds - watched(run)


def watched(run: Run) -> float:
    return sum(float(event["duration"]) for event in run.finished(WATCHING))


def apart(run: Run) -> str:
    return f"apart from a watch of {watched(run):.0f} s"
