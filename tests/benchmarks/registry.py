"""Every benchmark by name. A new one is a file beside this one and a line here."""

from tests.benchmarks.availability import availability
from tests.benchmarks.backup import backup
from tests.benchmarks.deployment import deployment
from tests.benchmarks.fleet import fleet
from tests.benchmarks.gates import gates
from tests.benchmarks.guard import guard
from tests.benchmarks.kill_switch import kill_switch
from tests.benchmarks.measurement import Benchmark
from tests.benchmarks.microservices import microservices
from tests.benchmarks.migrations import migrations
from tests.benchmarks.round_trips import round_trips
from tests.benchmarks.sandbox_start import sandbox_start
from tests.benchmarks.status import status

BENCHMARKS: dict[str, Benchmark] = {
    "sandbox": sandbox_start,
    "deployment": deployment,
    "kill_switch": kill_switch,
    "guard": guard,
    "status": status,
    "microservices": microservices,
    "fleet": fleet,
    "backup": backup,
    "round_trips": round_trips,
    "migrations": migrations,
    "gates": gates,
    "availability": availability,
}

GOALS = ("deployment", "status", "guard", "microservices", "fleet")
"""Those that measure what `make bench-goals` tells."""
