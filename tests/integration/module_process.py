"""A module in a process of its own, which a test may watch, limit and kill. Its arguments go through a pipe."""

import contextlib
import json
import os
import subprocess
import sys
import typing as t
import uuid
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
MARK = "EASYMO_TEST_MODULE_PROCESS"
Result = dict[str, t.Any]

_PROGRAM = """
import importlib, json, resource, sys
from ansible.module_utils.testing import patch_module_args
order = json.load(sys.stdin)
if order["largest_file"]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"],) * 2)
module = importlib.import_module("ansible_collections.easymo.deploy.plugins.modules." + order["module"])
with patch_module_args(order["args"]):
    module.main()
"""


class ModuleProcess:
    def __init__(self, module: str, args: dict[str, t.Any], *, largest_file: int = 0) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "playbooks" / "collections")])
        self._mark = uuid.uuid4().hex
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            env={**os.environ, "PYTHONPATH": path, MARK: self._mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        order = {"module": module, "args": args, "largest_file": largest_file}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode())
        self._process.stdin.close()
        self._process.stdin = None

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def family(self) -> list[psutil.Process]:
        """This process and all it started, also those that left it: a fork has its environment."""
        this = psutil.Process(self._process.pid)
        children = this.children(recursive=True)
        return [this, *children, *(one for one in self._marked() if one not in (this, *children))]

    def _marked(self) -> t.Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == self._mark:
                    yield process

    def kill(self) -> None:
        """By SIGKILL, as the kernel does when memory is short; its children are left to themselves."""
        self._process.kill()
        self._process.wait(timeout=60)

    def wait(self, timeout: float = 60) -> None:
        """Until it has ended, however it did."""
        self._process.wait(timeout)

    def result(self, timeout: float = 60) -> Result:
        output, _nothing = self._process.communicate(timeout=timeout)
        return json.loads(output)


@contextlib.contextmanager
def started(
    module: str, args: dict[str, t.Any], *, largest_file: int = 0
) -> t.Iterator[ModuleProcess]:
    """`largest_file` in bytes, 0 for no limit. Whatever is left of it is killed at the end."""
    process = ModuleProcess(module, args, largest_file=largest_file)
    try:
        yield process
    finally:
        if process.running:
            for one in process.family():
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            process.kill()
