# SPDX-License-Identifier: GPL-3.0-or-later
"""One task of the module release_page: the page once, and a process that writes it again as long as the run lives."""

from __future__ import annotations

import gc
import typing as t
from dataclasses import dataclass, replace
from pathlib import Path

from .._cluster import MonotonicClock
from .._kubernetes import KubernetesCluster
from .._kubernetes_client import Connection
from .._messages.redactor import Redactor
from .._report.asked import asked_of
from .._run_process import Run, detach, wait_for_end
from .._story.record import Record
from .._time import now
from .places import FilePlace, Place, Published, places_of
from .see import Observer
from .writer import PageWriter

FILE = "report.html"
UNDO = "undo"
SECRETS = ("api_key", "access_key", "secret_key", "session_token")


@dataclass(frozen=True)
class Outcome:
    changed: bool
    places: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def write_pages(params: t.Mapping[str, t.Any], run: Run | None, *, check_mode: bool) -> Outcome:
    """What cannot be written is a warning: no run fails for its page."""
    connection = Connection.from_params(params)
    own = FilePlace(Path(params["dest"]) / FILE)
    others = places_of(params, FILE)
    named = tuple(one.name for one in (own, *others))
    if check_mode:
        return Outcome(True, named)
    if run is None:
        return Outcome(
            False,
            (),
            ("Only ansible-playbook's own machine writes the page: use a local connection.",),
        )
    first = writer_of(params, own, others)
    first.look(KubernetesCluster(connection))
    kept = [first.mine, *first.others]
    problems = tuple(
        f"The release's page at {one.place.name} is not written, and tried again. {one.problem}"
        for one in kept
        if one.problem
    )
    detach(lambda: _stay(params, connection, run))
    return Outcome(True, named, problems)


def writer_of(
    params: t.Mapping[str, t.Any], own: FilePlace, others: t.Sequence[Place]
) -> PageWriter:
    s3 = params["s3"] or {}
    redact = Redactor(
        str(one) for name in SECRETS for one in (params.get(name), s3.get(name)) if one
    )
    without_journal = {**params, "journal": None}
    undo = params["purpose"] == UNDO
    return PageWriter(
        observer=Observer(params["release"]),
        services=params["services"],
        asked=lambda sight: replace(asked_of(params, sight.record, redact), undo=undo),
        live=replace(asked_of(without_journal, Record(), redact), undo=undo),
        own=own,
        others=[Published(one) for one in others],
        redact=redact,
        clock=MonotonicClock(),
        wall=now,
        every=params["interval"],
    )


def _stay(params: t.Mapping[str, t.Any], connection: Connection, run: Run) -> None:
    """The life of the writer: a process of its own, with connections of its own."""
    # What came with the fork is not to be looked through again and again: that would copy it, page by page.
    gc.freeze()
    writer = writer_of(params, FilePlace(Path(params["dest"]) / FILE), places_of(params, FILE))
    writer.run(KubernetesCluster(connection), lambda seconds: wait_for_end(run, seconds))
