# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports all plugins of the collections path that is named, where nothing is but what ansible-core brings.

A module says which library is missing, once it is imported. Sanity's `import` tries each file alone, by night.
"""

from __future__ import annotations

import importlib
import os
import sys
import typing as t
from pathlib import Path

OF_MODULES = "_vendor", "_internal", "module_utils", "release"
"""All that a module may import of Ansible."""
OF_CORE = {"jinja2", "markupsafe", "packaging", "yaml", "_yaml", "cryptography", "_cffi_backend"}
COLLECTION = "ansible_collections/easymo/deploy/plugins"


class Refusal:
    """Before all others on sys.meta_path."""

    known: t.ClassVar = {*sys.stdlib_module_names, "ansible", "ansible_collections"}
    of_ansible: t.ClassVar[tuple[str, ...]] = OF_MODULES

    @classmethod
    def find_spec(cls, name: str, _path: object = None, _target: object = None) -> None:
        top, *rest = name.split(".")
        if top.startswith("_sysconfigdata"):
            return
        if top not in cls.known or (
            top == "ansible" and rest and cls.of_ansible and rest[0] not in cls.of_ansible
        ):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def begin(path: Path, *folders: str) -> bool:
    """Whether each plugin of these folders could be imported; what could not is printed."""
    whole = True
    for folder in folders:
        for file in sorted((path / COLLECTION / folder).rglob("*.py")):
            name = ".".join(file.relative_to(path).with_suffix("").parts).removesuffix(".__init__")
            try:
                importlib.import_module(name)
            except Exception as exc:
                print(f"{file.relative_to(path)}: {exc}", flush=True)
                whole = False
    return whole


def main(path: Path) -> int:
    sys.path.insert(0, str(path))
    sys.meta_path.insert(0, t.cast("t.Any", Refusal))
    # What a module did without is remembered, by Ansible too: plugins of the controller begin anew.
    child = os.fork()
    if not child:
        os._exit(not begin(path, "modules", "module_utils"))
    _pid, status = os.waitpid(child, 0)
    Refusal.known |= OF_CORE
    Refusal.of_ansible = ()
    whole = begin(path, "action", "callback", "doc_fragments", "filter", "plugin_utils")
    return bool(status) or not whole


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
