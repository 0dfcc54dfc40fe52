"""How much a deployment does: counts, not times, so that a busy machine changes nothing and a bound can only fall."""

import json
import re
import typing as t
from collections import Counter
from datetime import datetime
from pathlib import Path

from sandbox.names import SERVICES
from tests.stories.people import ROOT

PHASE = "Phase 4"


def counting(folder: Path) -> dict[str, str]:
    """The environment of a run that leaves its counts and its journal there."""
    return {
        "COUNTS": str(folder / "counts"),
        "PYTHONPATH": str(ROOT / "tests/stories/counting"),
        "EASYMO_DEPLOY_JOURNAL_PATH": str(folder / "journal.jsonl"),
    }


class Counts(t.NamedTuple):
    """Of a whole run, but for requests to Kubernetes, which are those of phase 4, for each of its services.

    Of those that are distinct, one that is repeated counts once: a lock or a Deployment is looked at more often in a
    run that takes longer.
    """

    forks: int
    templates: int
    distinct_requests: float
    requests: float = float("inf")

    @classmethod
    def of(cls, folder: Path) -> "Counts":
        lines = (folder / "counts").read_text("utf-8").splitlines()
        noted = [line.split(maxsplit=2) for line in lines]
        letters = Counter(letter for letter, *_rest in noted)
        began, ended = _phase(folder / "journal.jsonl")
        requests = [
            re.sub(r"(resourceVersion|timeoutSeconds)=\d+", "", what[0])
            for letter, at, *what in noted
            if letter == "R" and began <= float(at) < ended
        ]
        distinct, every = (
            round(len(which) / len(SERVICES), 1) for which in ({*requests}, requests)
        )
        return cls(letters["F"], letters["T"], distinct, every)

    def above(self, most: "Counts") -> dict[str, float]:
        """What is more than it may be."""
        return {
            name: count for name, count in self._asdict().items() if count > getattr(most, name)
        }


def _phase(journal: Path) -> tuple[float, float]:
    events = [json.loads(line) for line in journal.read_text("utf-8").splitlines()]
    plays = [event for event in events if event["event"] == "play_started"]
    at = [*(datetime.fromisoformat(play["at"]).timestamp() for play in plays), float("inf")]
    of_phase = [index for index, play in enumerate(plays) if play["play"].startswith(PHASE)]
    return (at[of_phase[0]], at[of_phase[-1] + 1]) if of_phase else (0.0, 0.0)
