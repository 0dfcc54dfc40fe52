"""Python imports this first where PYTHONPATH names its folder: a run of ansible-playbook then notes what it does.

A letter for each thing, with the time, in the file that COUNTS names: F the fork of a task, T a template or condition
that is rendered, R a request to Kubernetes with its verb and address. A fork looks for what to count, because by then
the run has imported it.
"""

import functools
import os
import sys
import time
import typing as t
from pathlib import Path

WATCHED = {
    "R": ("kubernetes.client.rest", "RESTClientObject", "request"),
    "T": ("ansible._internal._templating._jinja_bits", "AnsibleEnvironment", "from_string"),
    "F": ("ansible.executor.process.worker", "WorkerProcess", "start"),
}


def note(letter: str, what: str) -> None:
    # Opened anew: a process that goes on alone closes all files, and may have a connection by that number.
    with Path(os.environ["COUNTS"]).open("a", encoding="utf-8") as file:
        file.write(f"{letter} {time.time()} {what}\n")


def counted(letter: str, function: t.Any) -> t.Any:
    @functools.wraps(function)
    def noted(*arguments: t.Any, **options: t.Any) -> t.Any:
        note(letter, " ".join(arguments[1:3]) if letter == "R" else "")
        return function(*arguments, **options)

    return noted


def look() -> None:
    for letter, (module, owner, name) in [*WATCHED.items()]:
        if module in sys.modules:
            watched = getattr(sys.modules[module], owner)
            setattr(watched, name, counted(letter, getattr(watched, name)))
            del WATCHED[letter]


if "COUNTS" in os.environ:
    os.register_at_fork(before=look)
