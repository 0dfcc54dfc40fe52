"""Ansible in one process: each task runs where it was queued.

Of a deployment's CPU half goes to a fork for each task, and to what each fork does anew: templates are compiled,
filters looked up, and modules that run as a process of their own import their libraries. Here such a module is a fork.
The tasks of several hosts run one after the other, in the order of the hosts.
"""

import copy
import importlib
import operator
import os
import sys
import typing as t

from ansible._internal import _task
from ansible._internal._templating import _jinja_bits
from ansible._internal._templating._jinja_plugins import JinjaPluginIntercept
from ansible._internal._templating._lazy_containers import _AnsibleLazyTemplateMixin
from ansible._internal._templating._utils import TemplateContext
from ansible.executor.process import worker as workers
from ansible.executor.process.worker import WorkerProcess
from ansible.executor.task_executor import TaskExecutor
from ansible.module_utils._internal import _datatag
from ansible.module_utils.testing import patch_module_args
from ansible.plugins import strategy
from ansible.vars import manager as variables

CAN_RUN_INLINE = hasattr(_task.TaskContext, "create")
"""Before ansible-core 2.20 a task's context is made otherwise: there each task is a fork."""


class InlineWorker(WorkerProcess):  # type: ignore[misc]
    """Carries its task out where it is started, and has ended then; WorkerProcess._run has the same steps."""

    exitcode = 0

    def start(self) -> None:
        task = self._task.copy(exclude_parent=True, exclude_tasks=True)
        task._parent, task._uuid = self._task._parent, self._task._uuid
        host = copy.copy(self._host)
        with _task.TaskContext.create(task=task, task_vars=self._task_vars, host_name=host.name):
            task.squash()
            self.spoil(task)
            executor = TaskExecutor(
                host,
                self._play_context,
                self._loader,
                self._shared_loader_obj,
                self._final_q,
                self._variable_manager,
            )
            result = executor.run()
            result.finalize_registered_values()
            host.vars, host.groups = {}, []
            task.ignore_errors = result.ignore_errors
            task.ignore_unreachable = result.ignore_unreachable
            self._final_q.send_task_result(host, task, result)

    def spoil(self, task: t.Any) -> None:
        """A test may make it another task here."""

    def is_alive(self) -> bool:
        return False

    def join(self, timeout: float | None = None) -> None:
        """There is nothing to wait for."""

    def close(self) -> None:
        """There is nothing to close."""


ACTION_MODULE = "ansible_collections.easymo.deploy.plugins.plugin_utils._action_module"


def find_once() -> None:
    """Filters by one memory for all environments, where each would begin anew; and constants by themselves."""
    _share_constants()
    remembered: dict[str, dict[str, t.Any]] = {"filter": {}, "test": {}}
    begin = JinjaPluginIntercept.__init__

    def begin_with_known(self: t.Any, builtins: t.Any, loader: t.Any) -> None:
        begin(self, builtins, loader)
        self._wrapped_funcs = remembered[loader.type]

    JinjaPluginIntercept.__init__ = begin_with_known


class _TaggedOnce:
    """A tag that puts itself on what it has tagged before by looking that up, where each task has a thousand of it."""

    MOST = 10_000

    def __init__(self, tag: t.Any) -> None:
        self._tag = tag
        self._known: dict[int, tuple[t.Any, t.Any]] = {}

    def tag(self, value: t.Any) -> t.Any:
        if isinstance(value, (dict, list, set)):
            return self._tag.tag(value)
        if len(self._known) > self.MOST:
            self._known.clear()  # each run reads its files anew
        # With the value, so that no other gets its id.
        _value, tagged = self._known.get(id(value)) or (None, self._tag.tag(value))
        self._known[id(value)] = (value, tagged)
        return tagged


class _Rendered:
    """Variables with what was rendered of them, for as long as nobody has changed them.

    Ansible wraps a thousand variables anew for each template, and renders again what the template before has rendered.
    """

    MOST = 8

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], tuple[t.Any, t.Any, list[t.Any], list[t.Any], t.Any]] = {}

    def wrapped(self, mapping: t.Any) -> t.Any:
        """As `_AnsibleLazyTemplateMixin._try_create` makes them."""
        templar = TemplateContext.current().templar
        key = (id(mapping), id(templar))
        if key in self._kept:
            _mapping, _templar, names, values, lazy = self._kept[key]
            if (
                len(mapping) == len(names)
                and all(map(operator.is_, mapping, names))
                and all(map(operator.is_, mapping.values(), values))
            ):
                return lazy
            del self._kept[key]
        while len(self._kept) >= self.MOST:
            del self._kept[next(iter(self._kept))]
        lazy = _AnsibleLazyTemplateMixin._try_create(mapping)
        # Kept with what its key names, so that no other object gets these ids.
        self._kept[key] = (mapping, templar, list(mapping), list(mapping.values()), lazy)
        return lazy

    def install(self) -> None:
        flatten = _jinja_bits._flatten_and_lazify_vars

        def flattened(mapping: t.Any) -> t.Iterator[t.Any]:
            if type(mapping) is dict and mapping:
                yield self.wrapped(mapping)
            else:
                yield from flatten(mapping)

        # The product's own copies less, and leaves one that wraps another as it is.
        flattened.__wrapped__ = flatten  # type: ignore[attr-defined]
        _jinja_bits._flatten_and_lazify_vars = flattened


def _share_constants() -> None:
    """Tags, and the scalars that have some, are never written to: whoever copies YAML copies containers alone."""
    scalars = (_datatag._AnsibleTaggedStr, _datatag._AnsibleTaggedInt, _datatag._AnsibleTaggedFloat)
    for constant in (_datatag.AnsibleDatatagBase, *scalars):
        constant.__deepcopy__ = lambda self, _copied: self


def execute_module(action: t.Any, task_vars: t.Any = None, **_more: t.Any) -> dict[str, t.Any]:
    """`ActionBase._execute_module` for a module of the collection: its `main` in a fork of this process."""
    name = action._task.resolved_action
    arguments = {**action._task.args}
    action._update_module_args(name, arguments, task_vars)
    folder, _, module = name.rpartition(".")
    main = importlib.import_module(f"ansible_collections.{folder}.plugins.modules.{module}").main
    reading, writing = os.pipe()
    sys.stdout.flush()
    if (pid := os.fork()) == 0:
        os.dup2(writing, 1)
        try:
            with patch_module_args(arguments):
                main()
        except SystemExit:
            pass
        finally:
            sys.stdout.flush()
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        printed = pipe.read()
    os.waitpid(pid, 0)
    result = action._parse_returned_data({"stdout": printed, "stderr": "", "rc": 0}, "legacy")
    result.remove_internal_keys()
    return result.as_result_dict(for_round_trip=True)


def run_inline(worker: type[InlineWorker] = InlineWorker) -> None:
    """Have all that this process plays from now on run so, where Ansible can."""
    if not CAN_RUN_INLINE:
        return
    find_once()
    variables._DEPRECATE_VARS = _TaggedOnce(variables._DEPRECATE_VARS)
    strategy.WorkerProcess = worker
    workers.WorkerQueue = lambda ctx: None  # nobody answers a task that has ended
    _Rendered().install()
    base = sys.modules.get(ACTION_MODULE)
    if base is not None:
        base.WatchedActionBase._execute_module = execute_module  # type: ignore[attr-defined]
