# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at edge functions from both sides: what the Management API lists and logs, and what a call of each answers."""

from __future__ import annotations

import time
import typing as t
from datetime import timedelta

from .._errors import DeployError, UnreachableError
from .._functions.api import LogEntry, SupabaseFunctionsApi
from .._functions.probe import FunctionProbe, platform_code, verdict
from .._http import Answer
from .._threads import side_by_side
from .._time import of_epoch
from .evidence import Notebook, file_name
from .kubernetes import ERROR_LINE
from .rules import LastWords, LinePlace

HEADERS = (
    "sb-error-code",
    "sb-request-id",
    "x-sb-error",
    "x-deno-execution-id",
    "content-type",
    "retry-after",
)
ANSWERS = "supabase/answers.txt"
SHOWN = 300
SINCE = timedelta(hours=1)
AT_ONCE = 8


def look_at_list(
    notes: Notebook, api: SupabaseFunctionsApi, policy: t.Mapping[str, bool | None]
) -> None:
    """`policy`: by function whether the gateway should ask for a JWT, None where that does not matter."""
    file = "supabase/functions.txt"
    listed = {entry.slug: entry for entry in api.list()}
    for name, wanted in policy.items():
        if name not in listed:
            notes.see("not_listed", name, file=file)
            continue
        entry = listed[name]
        version, status, verified = entry.version, entry.status, entry.verify_jwt
        notes.see("listed", name, file=file, version=version, status=status, verify_jwt=verified)
        if status != "ACTIVE":
            notes.see("not_active", name, file=file, status=status)
        if wanted is not None and verified is not wanted:
            notes.see("jwt_policy", name, file=file, on="on" if verified else "off")


def look_at_secrets(notes: Notebook, api: SupabaseFunctionsApi, required: t.Sequence[str]) -> None:
    there = api.secrets()
    notes.write("supabase/functions.txt", f"The project has {len(there)} secrets.")
    for name in required:
        if name not in there:
            notes.see("no_secret", name, file="supabase/functions.txt")


def look_at_logs(notes: Notebook, api: SupabaseFunctionsApi, names: t.Sequence[str]) -> None:
    """Each log may fail alone; what the others tell is worth having."""
    listed = {entry.slug: entry for entry in api.list()}
    for name in filter(listed.__contains__, names):
        try:
            entries = api.log_of(listed[name], limit=notes.limits.lines, since=SINCE)
        except DeployError as exc:
            notes.blind(f"The log of function {name} could not be read: {exc}")
        else:
            _tell_log(notes, name, entries)


def _tell_log(notes: Notebook, name: str, entries: t.Sequence[LogEntry]) -> None:
    file = f"supabase/{file_name(name)}.log"
    # An entry may have several lines, as each object that is printed has.
    lines = [
        f"{of_epoch(entry.at)} {entry.level or '-'} {' '.join(entry.message.split())}"
        for entry in entries
    ]
    stored = notes.keep_log(file, lines)
    sentences = [
        line for line in stored if line.split(" ", 2)[1] == "error" or ERROR_LINE.search(line)
    ]
    if sentences:
        number, text = len(stored) - stored[::-1].index(sentences[-1]), sentences[-1]
        notes.see(
            "function_errors",
            name,
            file="supabase/errors.txt",
            last=LastWords(LinePlace(file, number), text),
            count=len(sentences),
            line=text.split(" ", 2)[2],
        )


def look_at_answers(
    notes: Notebook,
    probes: t.Sequence[FunctionProbe],
    call: t.Callable[[FunctionProbe], Answer],
) -> None:
    """Call each function once, as anybody would."""
    answers = side_by_side(lambda probe: _ask(call, probe), probes, at_once=AT_ONCE)
    silent = [entry for entry in answers if isinstance(entry, str)]
    for probe, answer in zip(probes, answers, strict=True):
        if isinstance(answer, str):
            notes.see("function_silent", probe.slug, file=ANSWERS, answer=answer)
        else:
            _tell_answer(notes, probe, *answer)
    if silent and len(silent) == len(probes):
        notes.see("gateway_silent", "the functions' gateway", file=ANSWERS, answer=silent[0])


def _ask(
    call: t.Callable[[FunctionProbe], Answer], probe: FunctionProbe
) -> tuple[Answer, float] | str:
    began = time.monotonic()
    try:
        return call(probe), time.monotonic() - began
    except UnreachableError as exc:
        return str(exc)


def _tell_answer(notes: Notebook, probe: FunctionProbe, answer: Answer, seconds: float) -> None:
    problem = verdict(probe, answer)
    stated = " ".join(answer.text[: 4 * SHOWN].split())[:SHOWN]
    notes.see(
        "function_fails" if problem else "answer",
        probe.slug,
        file=ANSWERS,
        status=answer.status,
        seconds=seconds,
        code=platform_code(answer),
        problem=problem,
        body=stated,
    )
    for name in HEADERS:
        if name in answer.headers:
            notes.write(ANSWERS, f"  {name}: {answer.headers[name]}")
    notes.write(ANSWERS, f"  {stated or '(no body)'}")
