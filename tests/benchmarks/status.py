"""status.yml, which anybody types at any time: a release at 5 %."""

import typing as t

from tests.benchmarks.guard import look, ramp
from tests.benchmarks.kubectl import Kubectl
from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import SEED_MB, stage


def status(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    """The best: whatever else the machine did meanwhile is no part of it. The first one compiles."""
    with stage() as place:
        place.sandbox("up", "--seed-mb", SEED_MB)
        with ramp(Kubectl(place)):
            looks = [look(place, playbook="status.yml") for _ in range(size.of(small=2, full=6))]
    yield Measurement("status.yml", min(looks[1:]), "s", 1.8, "of CPU", "CPU of status.yml")
