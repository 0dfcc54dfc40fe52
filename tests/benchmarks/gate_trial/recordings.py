"""What was recorded of the sandbox under faults, and where: `record.py` writes the files, `traces.py` reads them."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("traces")
COLUMNS = (
    "seconds",
    "treated_seen",
    "treated_failed",
    "control_seen",
    "control_failed",
    "requests",
    "errors",
)


@dataclass(frozen=True)
class Trace:
    """`percent` of messages fail, and `treated` percent of those of the `share` of users who have the feature."""

    name: str
    told: str
    percent: float
    treated: float
    seconds: int
    share: float = 0.05

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.name}.csv"


TRACES = (
    Trace("well", "nobody fails", 0, 0, 60),
    Trace("twice", "4 % of messages fail, 8 % of treated users'", 4, 8, 120),
    Trace("everybody", "4 % of all messages fail", 4, 4, 120),
    Trace("breakdown", "12 % of all messages fail", 12, 12, 60),
)
