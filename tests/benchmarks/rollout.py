# SPDX-License-Identifier: GPL-3.0-or-later
"""Twelve services rolled in three batches against the critical path: the slowest rollout of each batch, added up."""

from __future__ import annotations

import itertools
import typing as t
from datetime import timedelta

from tests.benchmarks.measurement import Measurement, Size
from tests.benchmarks.stage import Event, busy_sandbox, when

PHASE = "Phase 4: microservices"
ROLLOUT = "easymo.deploy.rollout"


def rollout(size: Size = Size.FULL) -> t.Iterator[Measurement]:
    tags = size.of(small="microservices", full="preflight,database,microservices")
    with busy_sandbox() as place:
        run = place.play("deploy_v2.yml", "--tags", tags)
    rollouts = [event for event in run.finished(ROLLOUT) if event["play"] == PHASE]
    batches = batched(run.events, rollouts)
    critical = sum(max(float(event["duration"]) for event in batch) for batch in batches)
    one_by_one = sum(float(event["duration"]) for event in rollouts)
    ended = max(when(event) for event in rollouts)
    began = min(when(event) - timedelta(seconds=event["duration"]) for event in rollouts)
    span = (ended - began).total_seconds()
    wall = run.phases()[PHASE]
    sizes = "+".join(str(len(batch)) for batch in batches)
    yield Measurement("critical path", critical, "s", note=f"slowest of each batch, {sizes}")
    yield Measurement("one rollout after the other", one_by_one, "s")
    yield Measurement("first rollout's start to last's end", span, "s")
    yield Measurement("the whole phase", wall, "s", note="with its record and its checks")
    yield Measurement("rollouts beyond the critical path", span - critical, "s", target=10)
    yield Measurement("rollouts to critical path", span / critical, "ratio")
    yield Measurement("phase to critical path", wall / critical, "ratio")


def batched(events: t.Iterable[Event], rollouts: t.Sequence[Event]) -> list[list[Event]]:
    """The rollouts by the batch that they ended in: each batch is a play_started of its own."""
    starts = [when(event) for event in events if event["event"] == "play_started"]

    def batch(rolled: Event) -> int:
        return sum(start <= when(rolled) for start in starts)

    return [list(group) for _key, group in itertools.groupby(rollouts, batch)]
