"""Ansible's own engine in the simulated world: parser, iterator, strategy, templating and callbacks are the real ones.

Each run of ansible-playbook is a process of the world and goes on in its greenlet. A task runs where it was queued, as
in `tests/inline_tasks.py`, a module's code is called where the engine would fork, and time is the world's.
"""

from __future__ import annotations

import errno
import functools
import gc
import importlib
import tempfile
import types
import typing as t
from datetime import UTC, datetime

from ansible import context
from ansible._internal._templating import _jinja_bits
from ansible.cli import CLI
from ansible.cli.playbook import PlaybookCLI
from ansible.executor import task_queue_manager
from ansible.executor.playbook_executor import PlaybookExecutor
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins import strategy
from ansible.utils.context_objects import CLIArgs
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars, load_options_vars
from ansible.vars.manager import VariableManager

from ... import inline_tasks
from .. import plan, substitutes
from ..scheduler import Event
from . import PLUGINS

Handler = t.Callable[[t.Any], None]
FAILED = "made to fail by a test"
_NO_ARGUMENTS = CLIArgs({})
_DISPLAY = Display.display


class Play:
    """One run of ansible-playbook. `shown`: called with each line of its screen."""

    arguments: t.Any = _NO_ARGUMENTS
    place = ""
    """The task that runs and its host, as `TASK|HOST`."""

    def __init__(
        self,
        observed: t.Callable[..., t.Any],
        shown: t.Callable[[str], None],
        ran: t.Callable[..., None],
    ) -> None:
        """`observed` is called with a module's name, what its `run` gets, and `run`. It returns the result.

        `ran`: called with each task as it ended: its name, its host, and counts of its calls until then and now.
        """
        self.observed, self.shown, self.ran = observed, shown, ran
        self.handlers: list[Handler] = []

    def run(self, *arguments: str) -> int:
        """The program's exit code. Raises what ends it without one."""
        vars(Display()).pop("display", None)  # of a run that was killed
        # Ansible reads them once a process.
        load_extra_vars.extra_vars = load_options_vars.options_vars = None
        substitutes.current.scheduler.step.process.play = self
        cli = PlaybookCLI(["ansible-playbook", *arguments])
        cli.parse()
        loader = DataLoader()
        loader.set_vault_secrets([])
        inventory = InventoryManager(loader=loader, sources=self.arguments["inventory"])
        version = CLI.version_info(gitinfo=False)
        variables = VariableManager(loader=loader, inventory=inventory, version_info=version)
        cli.get_host_list(inventory, self.arguments["subset"])
        playbooks = self.arguments["args"]
        try:
            return int(PlaybookExecutor(playbooks, inventory, variables, loader, {}).run())
        except SystemExit as refused:
            return t.cast("int", refused.code)


def _play() -> Play | None:
    world = getattr(substitutes, "current", None)
    process = world.scheduler.process if world else None
    return process.play if process else None


class _Arguments:
    """Of the command line, of the run that asks: Ansible knows of one."""

    def __getattr__(self, name: str) -> t.Any:
        play = _play()
        return getattr(play.arguments if play else _NO_ARGUMENTS, name)

    def __getitem__(self, name: str) -> t.Any:
        return self.__getattr__("__getitem__")(name)

    def __iter__(self) -> t.Iterator[str]:
        return iter(self.__getattr__("keys")())


class Worker(inline_tasks.InlineWorker):
    """A task, which a plan's faults befall as it begins and as it has ended."""

    def start(self) -> None:
        play = _play()
        name, host = self._task.get_name(), self._host.name
        play.place, world = f"{name}|{host}", substitutes.current
        nth = self._calls(play.place)[plan.BEGINS] + 1
        world.task_begins(world.scheduler.step.process.name, play.place, nth)
        self._befalls(plan.BEGINS)
        before = self._calls(play.place)
        super().start()
        play.ran(name, host, before, self._calls(play.place))
        self._befalls(plan.ENDS)
        play.place = ""

    def _calls(self, place: str) -> dict[str, int]:
        world = substitutes.current
        by = world.scheduler.process.name
        kinds = (plan.BEGINS, plan.CALL, plan.WRITE)
        return {kind: world.counts.get((by, f"{kind} in {place}"), 0) for kind in kinds}

    def spoil(self, task: t.Any) -> None:
        if self._befalls(plan.TASK):
            task.action, task.args, task.when = "ansible.builtin.fail", {"msg": FAILED}, []
            task.loop = task.loop_with = None
            task.async_val = 0

    def _befalls(self, what: str) -> plan.Fault | None:
        world = substitutes.current
        fault = world.fault_at(what)
        if fault is not None and fault.kind in (plan.KILL_BEFORE, plan.KILL_AFTER):
            world.kill(world.scheduler.process)
        return fault


class _Queue:
    """What comes back from tasks, without a pipe and a thread that reads it."""

    strategy: t.Any = None

    def send_task_result(self, host: t.Any, task: t.Any, utr: t.Any) -> None:
        self.strategy._results.append(self._result(host, task, utr))

    def send_callback(self, method_name: str, host: t.Any, task: t.Any, utr: t.Any) -> None:
        self.strategy._tqm.send_callback(method_name, self._result(host, task, utr))

    def _result(self, host: t.Any, task: t.Any, utr: t.Any) -> t.Any:
        wire = task_queue_manager.WireTaskResult.create(host=host, task=task, utr=utr)
        return self.strategy._convert_wire_task_result_to_host_task_result(wire)

    def put(self, _sentinel: t.Any) -> None:
        """Nobody waits for an end."""

    def close(self) -> None:
        """Nor has it one."""


class _ResultsThread:
    """Not needed: results are there when a task has ended."""

    def __init__(self, *, target: t.Any, args: tuple[t.Any, ...]) -> None:
        del target
        args[0]._final_q.strategy = args[0]

    def start(self) -> None: ...

    def join(self) -> None: ...


class _Thread:
    def __init__(self, *, target: t.Callable[[], None], **_more: t.Any) -> None:
        self._target = target

    def start(self) -> None:
        substitutes.current.spawn(self._target)


def _display(self: t.Any, msg: str, *args: t.Any, log_only: bool = False, **named: t.Any) -> None:
    play = _play()
    if play is None:
        _DISPLAY(self, msg, *args, log_only=log_only, **named)
    elif not log_only:
        for line in str(msg).splitlines():
            play.shown(line)


def _keep_arguments(options: t.Any) -> None:
    play = _play()
    if play:
        play.arguments = CLIArgs.from_options(options)


def _subscribe(handler: Handler) -> t.Callable[[], None]:
    play = _play()
    if play is None:
        raise AssertionError("nobody plays")
    play.handlers.append(handler)
    return lambda: play.handlers.remove(handler)


def _observed(name: str, run: t.Callable[[t.Any], t.Any]) -> t.Callable[[t.Any], t.Any]:
    @functools.wraps(run)
    def observed(module: t.Any) -> t.Any:
        play = _play()
        if play is None:
            return run(module)
        return play.observed(name, module, run)

    return observed


def _now(utc: bool = False, fmt: str | None = None) -> t.Any:
    """What templates take for the time; it is always UTC's."""
    del utc
    now = datetime.fromtimestamp(substitutes.current.wall(), UTC).replace(tzinfo=None)
    return now.strftime(fmt) if fmt else now


def _refuse(_address: t.Any, **_more: t.Any) -> t.NoReturn:
    """Nothing of this world is connected to by a socket."""
    raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


def install(acting: t.Mapping[str, types.ModuleType]) -> None:
    """Once in a process, when the world's substitutes are in place."""
    plugin = functools.partial(importlib.import_module, package=PLUGINS)
    progress, process = plugin(".module_utils._progress"), plugin(".plugin_utils._process")
    inline_tasks.run_inline(Worker)
    # A program freezes what lives as its run begins: here that is all of the runs before.
    gc.freeze = lambda: None
    # What is a process of its own for its memory is called here as the others are.
    backup, shared = (
        plugin(".action.pg_backup").ActionModule,
        plugin(".plugin_utils._action_module"),
    )
    backup.__bases__, backup.module = (shared.ControllerActionBase,), acting["pg_backup"]
    plugin(".plugin_utils._compiled").CompiledTemplates().install()
    context.CLIARGS = _Arguments()
    context._init_global_context = _keep_arguments
    strategy.threading = substitutes.instead(strategy.threading, Thread=_ResultsThread)
    task_queue_manager.FinalQueue = _Queue
    # A file for each run would be open until the last of its greenlets goes, and nobody locks it.
    lock = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
    task_queue_manager.tempfile = types.SimpleNamespace(TemporaryFile=lambda: lock)
    task_queue_manager._rpc_host = types.SimpleNamespace(
        LocalManager=types.SimpleNamespace(shared_instance=lambda: None)
    )
    Display.display = _display
    _jinja_bits._now = _now
    run = plugin(".module_utils._terminal.run")
    run.threading = substitutes.instead(
        run.threading, Thread=_Thread, Event=lambda: Event(substitutes.current.scheduler)
    )

    def report(event: str, host: str, text: str, data: dict[str, t.Any] | None = None) -> None:
        play = _play()
        for handler in play.handlers if play else ():
            handler(progress.Progress(event, host, text, data or {}))

    substitutes.put(
        {
            progress.report: report,
            progress.subscribe: _subscribe,
            process.when_cut_short: lambda _hook: None,
        }
    )
    # It asks each second, for hours: here no prober starts, which a run tells and goes on.
    plugin(".module_utils._availability.task").detach = lambda _probe: None
    web = plugin(".module_utils._checks.web")
    web.socket = substitutes.instead(web.socket, create_connection=_refuse)
    for name, module in acting.items():
        module.run = _observed(name, module.run)
