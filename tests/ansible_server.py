"""Runs of ansible-playbook that are forked from a process which has imported Ansible and the collection before.

A run is a process of its own still: exit code, output and environment are those of the program, as
`tests/integration/test_ansible_server.py` compares. What differs is its command line in /proc, that its start-up took
place earlier, and that its tasks run inline (`tests/inline_tasks.py`). Ansible reads its settings where it is imported:
there is a server for each file of settings and each set of them in the environment.

These go on with the program itself, with its start-up and a fork for each task: the green deployment
(`tests/stories/talkative.py`), what is killed, signalled or read while it runs (`tests/victims.py`), a machine that
never deployed (`Operator.elsewhere`), the installed collection, and what ansible-rulebook or molecule start.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = str(Path(sys.executable).with_name("ansible-playbook"))
PLUGINS = "ansible_collections.easymo.deploy.plugins"
READ_AT_IMPORT = ("ANSIBLE_", "HOME", "LANG", "LC_", "PYTHON", "TMPDIR")
"""How the names of variables begin that Ansible or Python reads once."""
READ_ANEW = ("ANSIBLE_CONFIG", "ANSIBLE_STDOUT_CALLBACK")
"""The key has the file of settings itself, and each run reads the screen."""
ENOUGH = 1 << 20
"""Bytes that a request has at most."""


def run(
    argv: t.Sequence[str | Path], *, cwd: Path, env: t.Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` returns of the same command, `argv[0]` being ansible-playbook, with nothing to read.

    Raises subprocess.TimeoutExpired after `timeout` seconds, when the run was killed.
    """
    words = [str(word) for word in argv]
    return _server(cwd, env).run(words, cwd, env, timeout)


_servers: dict[tuple[str, ...], _Server] = {}


def _server(cwd: Path, env: t.Mapping[str, str]) -> _Server:
    config = Path(env.get("ANSIBLE_CONFIG") or cwd / "ansible.cfg")
    names = sorted(n for n in env if n.startswith(READ_AT_IMPORT) and n not in READ_ANEW)
    key = (str(config) if config.exists() else "", *(f"{name}={env[name]}" for name in names))
    if key not in _servers:
        _servers[key] = _Server(cwd, env)
        atexit.register(_servers[key].close)
    return _servers[key]


class _Server:
    """The client's end of one server, which ends with this process."""

    def __init__(self, cwd: Path, env: t.Mapping[str, str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self._socket, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ENOUGH)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def close(self) -> None:
        self._socket.close()
        self._process.wait()

    def run(
        self, argv: list[str], cwd: Path, env: t.Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        pipes = {name: os.pipe() for name in ("stdout", "stderr", "outcome")}
        request = json.dumps({"argv": argv, "cwd": str(cwd), "env": dict(env)}).encode()
        nothing = os.open(os.devnull, os.O_RDONLY)
        theirs = [nothing, *(writing for _reading, writing in pipes.values())]
        try:
            socket.send_fds(self._socket, [request], theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        readers = {name: _Reader(reading) for name, (reading, _writing) in pipes.items()}
        first = readers["outcome"].line()
        if not first:
            raise RuntimeError(f"The server of {cwd} ended: see its standard error.")
        pid = int(first)
        ended = readers["outcome"].ended(timeout)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        printed = {name: readers[name].text() for name in ("stdout", "stderr")}
        if not ended:
            raise subprocess.TimeoutExpired(argv, timeout, printed["stdout"], printed["stderr"])
        status = os.waitstatus_to_exitcode(int(readers["outcome"].text().split()[1]))
        return subprocess.CompletedProcess(argv, status, printed["stdout"], printed["stderr"])


class _Reader(threading.Thread):
    """Takes what comes through a pipe until nobody holds its other end."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True)
        self._file = open(descriptor, "rb")  # noqa: SIM115 - closed at the end of the thread
        self._first = threading.Event()
        self._content = bytearray()
        self.start()

    def run(self) -> None:
        with self._file:
            while piece := self._file.read1(ENOUGH):
                self._content += piece
                self._first.set()
        self._first.set()

    def line(self) -> bytes:
        """The first line, once it came."""
        self._first.wait()
        return bytes(self._content).split(b"\n")[0]

    def ended(self, seconds: float) -> bool:
        self.join(seconds)
        return not self.is_alive()

    def text(self) -> str:
        self.join()
        return self._content.decode()


@dataclass
class _Runs:
    """The server's side: the runs that go on, each with the pipe that is told how it ended."""

    selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    pids: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, pid: int, outcome: int) -> None:
        os.write(outcome, f"{pid}\n".encode())
        watched = os.pidfd_open(pid)
        self.pids[watched] = (pid, outcome)
        self.selector.register(watched, selectors.EVENT_READ)

    def ended(self, watched: int) -> None:
        """Tells it."""
        pid, outcome = self.pids.pop(watched)
        self.selector.unregister(watched)
        os.close(watched)
        os.write(outcome, f"{os.waitpid(pid, 0)[1]}\n".encode())
        os.close(outcome)


def _preload() -> None:
    """Import what a playbook of the collection imports, and leave nothing that a run would not do itself."""
    importlib.import_module("ansible.cli.playbook")
    from ansible.plugins.loader import init_plugin_loader  # noqa: PLC0415
    from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder  # noqa: PLC0415

    init_plugin_loader()
    importlib.import_module("ansible.plugins.strategy.linear")
    # A working directory whose settings do not lead to the collection has none to import.
    with contextlib.suppress(ModuleNotFoundError):
        for folder in ("action", "callback", "filter", "modules"):
            for path in sorted((ROOT / "plugins" / folder).glob("*.py")):
                importlib.import_module(f"{PLUGINS}.{folder}.{path.stem}")
    _AnsibleCollectionFinder._remove()
    _read_service_of_s3()
    _parse_yaml()


def _parse_yaml() -> None:
    """The project's own: a run's loader begins with those of its files that are as they were."""
    loaders = importlib.import_module("ansible.parsing.dataloader")
    parsed, begin = loaders.DataLoader(), loaders.DataLoader.__init__
    roles = ROOT / "playbooks/collections/ansible_collections/easymo/deploy/roles"
    for folder in (ROOT / "playbooks", roles, ROOT / "inventories"):
        for path in folder.rglob("*.yml"):
            parsed.load_from_file(str(path), trusted_as_template=True)
    written = {path: _written(path) for path in parsed._FILE_CACHE}

    def begin_with_parsed(loader: t.Any) -> None:
        begin(loader)
        for path, content in parsed._FILE_CACHE.items():
            if _written(path) == written[path]:
                loader._FILE_CACHE[path] = content

    loaders.DataLoader.__init__ = begin_with_parsed


def _written(path: str) -> int:
    """When, in nanoseconds; 0 of a file that is gone."""
    with contextlib.suppress(OSError):
        return Path(path).stat().st_mtime_ns
    return 0


def _read_service_of_s3() -> None:
    """boto3 reads half a megabyte of JSON for each client; sessions of one loader share what it read."""
    sessions = importlib.import_module("botocore.session")
    sessions.create_loader = functools.cache(sessions.create_loader)
    # Unsigned, or it would look for credentials on the network.
    unsigned = importlib.import_module("botocore.config").Config(
        signature_version=importlib.import_module("botocore").UNSIGNED
    )
    sessions.Session().create_client("s3", region_name="us-east-1", config=unsigned)


def _serve(templates: t.Any) -> list[str] | None:
    """Until nobody may ask any more: then None. In a child: what it has to run."""
    control = socket.socket(fileno=int(sys.argv[1]))
    runs = _Runs()
    runs.selector.register(control, selectors.EVENT_READ)
    while True:
        for key, _events in runs.selector.select():
            if key.fileobj is not control:
                runs.ended(key.fd)
                if templates:
                    templates.take()
                continue
            request, descriptors, _flags, _address = socket.recv_fds(control, ENOUGH, 4)
            if not request:
                return None
            *streams, outcome = descriptors
            if pid := os.fork():
                for descriptor in streams:
                    os.close(descriptor)
                runs.add(pid, outcome)
                continue
            os.close(outcome)
            control.close()
            runs.selector.close()
            for number, descriptor in enumerate(streams):
                os.dup2(descriptor, number)
                os.close(descriptor)
            # The program flushes before each fork, so one that is killed has shown what it printed until then.
            sys.stdout.reconfigure(line_buffering=True)
            asked = json.loads(request)
            os.chdir(asked["cwd"])
            os.environ.clear()
            os.environ.update(asked["env"])
            return asked["argv"]


def _own_temporary_folder() -> None:
    """Ansible makes it where it is imported, and each run removes it at its end."""
    constants = importlib.import_module("ansible.constants")
    cleanup = importlib.import_module("ansible.utils.path").cleanup_tmp_file
    shared = Path(constants.DEFAULT_LOCAL_TMP)
    shared.parent.mkdir(parents=True, exist_ok=True)
    own = tempfile.mkdtemp(prefix=f"ansible-local-{os.getpid()}", dir=shared.parent)
    atexit.register(cleanup, own)
    constants.DEFAULT_LOCAL_TMP = own


def main() -> None:
    _preload()
    compiled = sys.modules.get(f"{PLUGINS}.plugin_utils._compiled")
    # What one run compiles, those to come have from the start.
    templates = compiled.CompiledTemplates() if compiled and CAN_RUN_INLINE else None
    if templates:
        templates.install()
    run_inline()
    gc.collect()
    gc.freeze()
    argv = _serve(templates)
    if argv is None:
        return
    sys.argv = argv
    _own_temporary_folder()
    constants = importlib.import_module("ansible.constants")
    constants.DEFAULT_STDOUT_CALLBACK = constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK")
    importlib.import_module("ansible.cli.playbook").main()


if __name__ == "__main__":
    # As the program has it, whose folder is not where modules come from.
    sys.path[0] = str(ROOT)
    from tests.inline_tasks import CAN_RUN_INLINE, run_inline

    sys.path.pop(0)
    main()
