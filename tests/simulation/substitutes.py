"""What product and sandbox ask of the system, answered by the world that runs: time, chance, threads, processes.

Set once in a process, in every module that imported the real thing, so that the code itself stays as it is.
"""

from __future__ import annotations

import datetime as datetimes
import getpass
import importlib
import json
import pkgutil
import queue
import random
import secrets
import sys
import time
import types
import typing as t
import uuid

import boto3
import orjson
import psycopg2

from ansible_collections.easymo.deploy.plugins import modules
from ansible_collections.easymo.deploy.plugins.module_utils import (
    _child_process,
    _http,
    _kubernetes,
    _kubernetes_calls,
    _run_process,
    _threads,
)
from ansible_collections.easymo.deploy.plugins.module_utils._messages.apply import deliver
from ansible_collections.easymo.deploy.plugins.module_utils._run_process import Run

from . import bucket, programs
from .client import Execution
from .platform import PRINT_FLAGS
from .psql import SimpleQueue
from .scheduler import Event, Lock
from .web import in_world

if t.TYPE_CHECKING:
    from .stores import Stores
    from .world import World

COLLECTION = "ansible_collections.easymo.deploy.plugins."
ACTING = (
    *("announce", "deploy_lock", "edge_functions"),
    *("feature_flags", "feature_guard", "feature_ramp"),
    *("health_check", "kill_switch", "metrics_gate", "migrations"),
    *("person_check", "pg_backup", "pg_restore"),
    *("release", "release_info", "release_rollback", "release_run", "rollout", "rollout_wave"),
)
SIMULATED = (COLLECTION, "sandbox.kubernetes.", "sandbox.node.status", "sandbox.supabase.")
_OPENED = _http._session
current: World
"""The one that runs."""


def _instance_of_a_datetime(_cls: type, one: object) -> bool:
    return isinstance(one, datetimes.datetime)


class _AnyDatetime(type):
    __instancecheck__ = _instance_of_a_datetime


class Datetime(datetimes.datetime, metaclass=_AnyDatetime):
    """datetime, whose now is the process's own."""

    @classmethod
    def now(cls, tz: datetimes.tzinfo | None = None) -> t.Any:
        return datetimes.datetime.fromtimestamp(current.wall(), tz)


def instead(module: types.ModuleType, **functions: t.Any) -> t.Any:
    """The module, but for these."""

    class Instead:
        def __getattr__(self, name: str) -> t.Any:
            return getattr(module, name)

    instead = Instead()
    instead.__dict__.update(functions)
    return instead


def _side_by_side(
    act: t.Callable[[t.Any], t.Any], items: t.Collection[t.Any], *, at_once: int | None = None
) -> list[t.Any]:
    if len(items) < 2:
        return [act(one) for one in items]
    return current.side_by_side(act, [*items], at_once or len(items))


def _uuid() -> uuid.UUID:
    return uuid.UUID(int=current.chance.getrandbits(128), version=4)


def _run_of(process: t.Any) -> Run:
    return Run(machine=process.machine, pid=process.pid, started=str(process.pid))


def _http_session(**adapting: t.Any) -> t.Any:
    return in_world(_OPENED(**adapting), lambda: current)


def _executed(
    _client: t.Any, path: str, _container: str, command: t.Sequence[str], _headers: t.Any
) -> t.Any:
    assert [*command] == (PRINT_FLAGS if current.plan.mounted else ["env"])
    return 0, Execution(current, path).go(), ""


def _stores() -> Stores:
    assert current.stores is not None
    return current.stores


_AS_DEFAULTS: t.Mapping[t.Any, t.Any] = {
    time.monotonic: lambda: current.monotonic(),
    time.time: lambda: current.wall(),
    time.sleep: lambda seconds: current.sleep(seconds),
    random.random: lambda: current.chance.random(),
}


def _replace_defaults(module: types.ModuleType) -> None:
    """A clock that a function takes when it is given none was bound when it was defined."""
    owners = [module, *(one for one in vars(module).values() if isinstance(one, type))]
    for owner in owners:
        for found in [*vars(owner).values()]:
            function = getattr(found, "__wrapped__", found)
            function = getattr(function, "__func__", function)
            if not isinstance(function, types.FunctionType):
                continue
            for cell in function.__closure__ or ():  # as of a dataclass's default_factory
                cell.cell_contents = _instead_of_default(cell.cell_contents)
            if function.__defaults__:
                function.__defaults__ = tuple(map(_instead_of_default, function.__defaults__))
            if function.__kwdefaults__:
                function.__kwdefaults__ = {
                    name: _instead_of_default(one) for name, one in function.__kwdefaults__.items()
                }


def _instead_of_default(value: t.Any) -> t.Any:
    try:
        instead = _AS_DEFAULTS.get(value)
    except TypeError:
        return value
    is_real = getattr(value, "__module__", "") == "time" or isinstance(
        getattr(value, "__self__", None), random.Random
    )
    if is_real and instead is None:
        raise AssertionError(f"{value} is the real one, for which nothing stands in")
    return value if instead is None else instead


def _substitutes() -> dict[t.Any, t.Any]:
    return {
        # Faster, and the same of what an API server sends.
        json: instead(json, loads=orjson.loads),
        time: instead(
            time,
            monotonic=lambda: current.monotonic(),
            time=lambda: current.wall(),
            time_ns=lambda: int(current.wall() * 1e9),
            localtime=lambda *_given: time.gmtime(current.wall()),
            sleep=lambda seconds: current.sleep(seconds),
        ),
        random: instead(
            random,
            random=lambda: current.chance.random(),
            uniform=lambda low, high: current.chance.uniform(low, high),
        ),
        secrets: instead(
            secrets,
            choice=lambda some: current.chance.choice(some),
            token_hex=lambda size: current.chance.randbytes(size).hex(),
        ),
        uuid: instead(uuid, uuid4=_uuid),
        getpass: instead(getpass, getuser=lambda: current.scheduler.step.process.name),
        datetimes.datetime: Datetime,
        _threads.Event: lambda: Event(current.scheduler),
        _threads.Lock: lambda: Lock(current.scheduler),
        _threads.side_by_side: _side_by_side,
        _threads.spawn: lambda work: current.spawn(work),
        _threads.begin: lambda work: current.begin(work),
        boto3: instead(boto3, Session=lambda **_options: bucket.Session(current, _stores().bucket)),
        queue: instead(queue, SimpleQueue=lambda: SimpleQueue(current)),
        _child_process.find_program: lambda name, _option: _stores().programs.find(name),
        _child_process.run: lambda argv, _env, **_more: _stores().programs.run(argv),
        _child_process.child: lambda argv, env, *, timeout, write=None: _stores().programs.child(
            argv, env, write
        ),
        _child_process.cleanup_process: lambda execute: programs.cleanup_process(current, execute),
        psycopg2: instead(
            psycopg2, connect=lambda **options: _stores().databases.connect(**options)
        ),
        _kubernetes_calls._Session: lambda _client: current.session(),
        _kubernetes_calls.connect: lambda _connection: None,
        _http._session: _http_session,
        deliver: _delivered,
        _kubernetes_calls.run_in_container: _executed,
        _run_process.current_run: lambda: _run_of(current.scheduler.step.process),
        _run_process.identified: lambda _pid: _run_of(current.scheduler.step.process),
        _run_process.alive: lambda run: current.is_alive(run),
        _run_process.wait_for_end: lambda run, seconds: current.wait_for_end(run, seconds),
        _run_process.detach: lambda work: current.detach(work),
        _run_process.end: lambda run: current.end_run(run),
    }


def _delivered(messages: t.Iterable[t.Any], **how: t.Any) -> t.Any:
    """To whom a world tells. Without any nobody is told, and no one misses it."""
    return deliver(messages, **how) if current.receivers else ([], [])


def install() -> dict[str, types.ModuleType]:
    """The modules that act, in this process for good."""
    acting = {name: importlib.import_module(f"{modules.__name__}.{name}") for name in ACTING}
    for package in ("sandbox.kubernetes", "sandbox.kubernetes.controllers", "sandbox.node"):
        found = importlib.import_module(package)
        for one in pkgutil.iter_modules(found.__path__, f"{package}."):
            if one.name.rpartition(".")[2] in ("lifecycle", "objects", "status"):
                importlib.import_module(one.name)
    bucket.install(lambda seconds: current.sleep(seconds), lambda: current.chance.random())
    for name, module in [*sys.modules.items()]:
        if name.startswith(COLLECTION):
            _replace_defaults(module)
    put(_substitutes())
    _kubernetes.socket = instead(
        _kubernetes.socket, gethostname=lambda: current.scheduler.step.process.machine
    )
    return acting


def put(substitutes: t.Mapping[t.Any, t.Any]) -> None:
    """In every module that imported what these stand in for."""
    for name, module in [*sys.modules.items()]:
        if not name.startswith(SIMULATED):
            continue
        for attribute, value in [*vars(module).items()]:
            try:
                other = substitutes.get(value)
            except TypeError:
                continue
            if other is not None:
                setattr(module, attribute, other)


def use(world: World) -> None:
    global current
    current = world


__all__ = ["ACTING", "_kubernetes", "install", "instead", "put", "use"]
