# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that began this run, as callbacks may tell of it.

Extra variables are told by their names alone, for a value may be a secret.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import sys
import typing as t
from pathlib import Path

from ansible import context
from ansible.parsing.splitter import parse_kv
from ansible.parsing.utils.yaml import from_yaml

from ..module_utils._secret_forms import holds_secret

REPEATED = ("tags", "skip_tags", "subset", "start_at_task", "diff", "forks", "verbosity")
LIMIT = "subset"


def shown_options() -> dict[str, t.Any]:
    """What decides which hosts and tasks take part, by its name on the command line; what was not given is left out."""
    given = {name: context.CLIARGS.get(name) for name in REPEATED}
    messages = {name: list(v) if isinstance(v, tuple) else v for name, v in given.items() if v}
    if messages.get("tags") == ["all"]:
        del messages["tags"]
    if LIMIT in messages:
        messages["limit"] = messages.pop(LIMIT)
    if inventories := context.CLIARGS.get("inventory"):
        messages["inventory"] = [nearby(inventory) for inventory in inventories]
    return messages


def extra_variables(redact: t.Callable[[str], str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Each -e as it was typed, and the names of those whose values may be secrets and are not told."""
    shown: list[str] = []
    hidden: list[str] = []
    for typed in map(str, context.CLIARGS.get("extra_vars") or ()):
        names = [] if typed.startswith("@") else _names_in(typed)
        if redact(typed) == typed and not any(map(holds_secret, names)):
            shown.append(typed)
        else:
            hidden += names
    return tuple(shown), tuple(hidden)


def _names_in(typed: str) -> list[str]:
    """Of `name=value …`, or of a mapping in JSON or YAML."""
    if typed[:1] in "{[":
        loaded = from_yaml(typed)
        return [*map(str, loaded)] if isinstance(loaded, dict) else []
    return [*map(str, parse_kv(typed))]


def program() -> str:
    """ansible-playbook as it was typed; by its name alone where a shell finds it."""
    typed = sys.argv[0] if sys.argv else ""
    if os.path.basename(typed) != "ansible-playbook":  # noqa: PTH119 - compared as text
        return "ansible-playbook"
    if shutil.which("ansible-playbook") == typed:
        return "ansible-playbook"
    here = os.getcwd() + os.sep  # noqa: PTH109
    return typed.removeprefix(here)


def playbooks() -> list[str]:
    return [nearby(str(argument)) for argument in context.CLIARGS.get("args") or ()]


def playbooks_place() -> str:
    """Where the typed playbook is: a folder, "" for this one, or a collection's name with a dot behind it."""
    typed = playbooks()
    if typed and re.fullmatch(r"\w+\.\w+\.\w+", typed[0]) and not os.path.exists(typed[0]):  # noqa: PTH110
        return typed[0].rpartition(".")[0] + "."
    return os.path.dirname(typed[0]) if typed else ""  # noqa: PTH120 - as typed


def typed_here() -> dict[str, t.Any]:
    """What a module needs to tell a command as it is typed here."""
    inventories = [str(entry) for entry in shown_options().get("inventory") or ()]
    return {"playbooks": playbooks_place(), "inventories": inventories, "program": program()}


def nearby(path: str) -> str:
    """From here when it is below here; a list of hosts ("localhost,") is no path."""
    here = os.getcwd() + os.sep  # noqa: PTH109 - compared as text
    return path.removeprefix(here) if os.sep in path else path


@functools.cache
def collection_version() -> str:
    """From the metadata of an installed collection, or of a checkout."""
    for name in ("MANIFEST.json", "galaxy.yml"):
        with contextlib.suppress(OSError):
            text = (Path(__file__).parents[2] / name).read_text("utf-8")
            if match := re.search(r'^\s*"?version"?:\s*"?([^\s",]+)', text, re.MULTILINE):
                return match[1]
    return ""
