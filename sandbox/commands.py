# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands `status`, `logs`, `env` and `fault` do."""

from __future__ import annotations

import collections
import json
import re
import shlex
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import psutil

from sandbox.components import COMPONENTS, require_known
from sandbox.errors import SandboxError
from sandbox.faults import GENERIC_FAULTS, Fault, Faults, FaultsError, parameters_of
from sandbox.processes import SUPERVISOR, Phase, Record, records, tree
from sandbox.world import write_private

if t.TYPE_CHECKING:
    from sandbox.world import Facts, World


@dataclass(frozen=True)
class Status:
    folder: str
    records: t.Mapping[str, Record]
    memory_mb: t.Mapping[str, float]
    """The proportional set size of each component's processes."""

    @property
    def healthy(self) -> bool:
        phases = [record.phase for record in self.records.values()]
        return bool(phases) and all(phase is Phase.READY for phase in phases)


def nothing_up(folder: Path | str) -> str:
    return f"No sandbox is up in {folder}: start one with 'python -m sandbox up'."


def observe(world: World) -> Status:
    known = records(world)
    memory = {
        name: round(_memory_mb(record.process.pid, whole=name != SUPERVISOR), 1)
        for name, record in known.items()
        if record.process
    }
    return Status(str(world.directory), known, memory)


def _memory_mb(pid: int, *, whole: bool) -> float:
    total = 0
    for process in tree(pid) if whole else [psutil.Process(pid)]:
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 1e6


def as_json(status: Status) -> str:
    components = {
        name: {
            "phase": record.phase.value,
            "pid": record.process.pid if record.process else None,
            "seconds": record.seconds,
            "why": record.why,
            "memory_mb": status.memory_mb.get(name),
        }
        for name, record in status.records.items()
    }
    return json.dumps(
        {"state": status.folder, "healthy": status.healthy, "components": components}, indent=1
    )


def as_text(status: Status) -> str:
    if not status.records:
        return nothing_up(status.folder)
    lines = [
        f"{name:<12} {record.phase.value:<9} "
        f"{record.process.pid if record.process else '-':>8} "
        f"{status.memory_mb.get(name, 0):6.1f} MB  {record.why}".rstrip()
        for name, record in status.records.items()
    ]
    lines.append(f"{'in all':<31} {sum(status.memory_mb.values()):6.1f} MB")
    if not status.healthy:
        lines.append("Not all is well: see 'python -m sandbox logs COMPONENT', or 'down' and 'up'.")
    return "\n".join(lines)


Say = t.Callable[[str], None]


def tail(world: World, component: str, lines: int, report: Say) -> None:
    with _log(world, component).open(encoding="utf-8", errors="replace") as log:
        for line in collections.deque(log, maxlen=lines):
            report(line.rstrip("\n"))


def follow(world: World, component: str, report: Say) -> None:
    """What is added from now on, until interrupted or the sandbox goes down."""
    path = _log(world, component)
    with path.open(encoding="utf-8", errors="replace") as log:
        log.seek(0, 2)
        while path.exists():
            if line := log.readline():
                report(line.rstrip("\n"))
            else:
                time.sleep(0.2)


def _log(world: World, component: str) -> Path:
    path = world.run / component / "log.txt"
    if not path.is_file():
        known = sorted(log.parent.name for log in world.run.glob("*/log.txt"))
        raise SandboxError(
            f"There is no log of {component!r}: choose from {', '.join(known)}."
            if known
            else nothing_up(world.directory)
        )
    return path


def exports(world: World) -> str:
    components: Facts = world.state().get("components", {})
    if not components:
        raise SandboxError(nothing_up(world.directory))
    values = {"EASYMO_SANDBOX_STATE": str(world.directory)}
    for name, settings in _SETTINGS.items():
        if name in components:
            values |= settings(components[name])
    if "postgres" in components:
        values["PGPASSFILE"] = _passfile(world, components["postgres"])
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    # kubectl is a package of this environment.
    programs = [components["postgres"]["bin"]] if "postgres" in components else []
    programs.append(str(Path(sys.executable).parent))
    lines.append(f'export PATH={shlex.quote(":".join(programs))}:"$PATH"')
    return "\n".join(lines)


def _postgres(facts: Facts) -> dict[str, str]:
    database = facts["databases"]["supabase"]
    return {
        "PGHOST": facts["host"],
        "PGPORT": str(facts["port"]),
        "PGUSER": database["user"],
        "PGDATABASE": database["name"],
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": facts["ca_cert"],
    }


def _passfile(world: World, facts: Facts) -> str:
    path = world.folder("postgres") / "pgpass"
    lines = (
        f"{facts['host']}:{facts['port']}:*:{database['user']}:{database['password']}\n"
        for database in facts["databases"].values()
    )
    write_private(path, "".join(lines).encode())
    return str(path)


_SETTINGS: t.Mapping[str, t.Callable[[Facts], dict[str, str]]] = {
    "postgres": _postgres,
    "valkey": lambda facts: {
        "REDIS_HOST": facts["host"],
        "REDIS_PORT": str(facts["port"]),
        "REDISCLI_AUTH": facts["password"],
    },
    "seaweedfs": lambda facts: {
        "AWS_ENDPOINT_URL": facts["endpoint"],
        "AWS_ACCESS_KEY_ID": facts["access_key"],
        "AWS_SECRET_ACCESS_KEY": facts["secret_key"],
        "AWS_DEFAULT_REGION": facts["region"],
    },
    "kafka": lambda facts: {"KAFKA_BOOTSTRAP": facts["bootstrap"]},
    "kubernetes": lambda facts: {"KUBECONFIG": facts["kubeconfig"]},
    "supabase": lambda facts: {
        "SUPABASE_ACCESS_TOKEN": facts["access_token"],
        "SUPABASE_PROJECT_REF": facts["project_ref"],
        "SUPABASE_MANAGEMENT_URL": facts["management_url"],
        "SUPABASE_URL": facts["gateway_url"],
    },
    "gateway": lambda facts: {"EASYMO_URL": facts["url"]},
    "prometheus": lambda facts: {"PROMETHEUS_URL": facts["url"]},
    "alertmanager": lambda facts: {"ALERTMANAGER_URL": facts["url"]},
}


# A component whose fault `killed` is cleared starts anew.
APPLIED_WITHIN = 60.0

_PHASE_UNDER = {"paused": Phase.PAUSED, "killed": Phase.KILLED}


def known_faults() -> dict[str, dict[str, str]]:
    return {
        component.name: {
            name: text
            for name, text in {**component.faults, **GENERIC_FAULTS}.items()
            if component.survives_kill or name != "killed"
        }
        for component in COMPONENTS
    }


def parse(name: str, words: t.Sequence[str]) -> Fault:
    """`COMPONENT.FAULT` and `[TARGET] [key=value…]`."""
    component, _, fault = name.partition(".")
    known = known_faults()
    require_known([component], known)
    if fault not in known[component]:
        raise SandboxError(
            f"The component {component!r} has no fault {fault!r}: "
            f"choose from {', '.join(known[component])}."
        )
    targets = [word for word in words if "=" not in word]
    if len(targets) > 1:
        raise SandboxError(
            f"A fault has one target, not {len(targets)} ({', '.join(targets)}): set it once for each."
        )
    pairs = (word.partition("=") for word in words if "=" in word)
    parameters = {key: value for key, _, value in pairs}
    _require_parameters(name, parameters, parameters_of(known[component][fault]))
    return Fault(component, fault, targets[0] if targets else "", parameters)


def _require_parameters(fault: str, given: t.Mapping[str, str], known: t.Mapping[str, str]) -> None:
    for name, value in given.items():
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise SandboxError(f"The fault {fault!r} has no parameter {name!r}: {takes}.")
        if known[name] == "true":
            fits, wanted = value in ("true", "false"), "true or false"
        else:
            fits, wanted = re.fullmatch(r"\d+(\.\d+)?", value) is not None, "a number"
        if not fits:
            raise SandboxError(f"{name}={value!r} of the fault {fault!r} is not {wanted}.")


def set_fault(world: World, fault: Fault) -> None:
    known = _known(world)
    require_known([fault.component], known)
    for name in (SUPERVISOR, fault.component):
        if name in known and known[name].phase is Phase.DEAD:
            raise SandboxError(
                f"The {name} is dead and obeys no fault: run 'python -m sandbox down', then 'up'."
            )
    with world.locked():
        faults = Faults(world.faults_file)
        others = [other for other in faults.read() if _key(other) != _key(fault)]
        faults.write([*others, fault])
    if fault.name in _PHASE_UNDER:
        _await(world, fault.component, {_PHASE_UNDER[fault.name]})


def clear_faults(world: World, name: str, target: str) -> str:
    """Clear what matches; what was done, in a sentence."""
    _known(world)
    component, _, fault_name = name.partition(".")
    with world.locked():
        faults = Faults(world.faults_file)
        left: list[Fault] = []
        cleared: list[Fault] = []
        for fault in _readable(faults, clear_all=not name):
            same = (fault.component, fault.name) == (component, fault_name)
            matches = not name or (same and target in ("", fault.target))
            (cleared if matches else left).append(fault)
        faults.write(left)
    if name and not cleared:
        raise SandboxError(f"The fault {name} {target}".rstrip() + " is not set: see 'fault list'.")
    for fault in cleared:
        if fault.name in _PHASE_UNDER:
            _await(world, fault.component, {Phase.READY, Phase.DEAD})
    return f"{len(cleared)} {'fault' if len(cleared) == 1 else 'faults'} cleared."


def listing(world: World) -> str:
    lines = [
        f"{f'{component}.{name}':<32} {text}"
        for component, faults in known_faults().items()
        for name, text in faults.items()
    ]
    now = Faults(world.faults_file).read()
    lines += ["", "Set now:" if now else "None is set now."]
    for fault in now:
        parameters = (f"{key}={value}" for key, value in fault.parameters.items())
        words = [f"{fault.component}.{fault.name}", fault.target, *parameters]
        lines.append("  " + " ".join(word for word in words if word))
    return "\n".join(lines)


def _readable(faults: Faults, *, clear_all: bool) -> tuple[Fault, ...]:
    """The faults in the file; one that cannot be read holds nothing that clearing all would miss."""
    try:
        return faults.read()
    except FaultsError:
        if clear_all:
            return faults.all()
        raise


def _known(world: World) -> t.Mapping[str, Record]:
    known = records(world)
    if not known:
        raise SandboxError(nothing_up(world.directory))
    return known


def _key(fault: Fault) -> tuple[str, str, str]:
    return fault.component, fault.name, fault.target


def _await(world: World, component: str, phases: set[Phase]) -> None:
    """Wait until the supervisor has applied the fault, so that the next command sees its effect."""
    deadline = time.monotonic() + APPLIED_WITHIN
    while (now := records(world)[component].phase) not in phases:
        if time.monotonic() > deadline:
            raise SandboxError(
                f"The supervisor has not applied the fault within {APPLIED_WITHIN:.0f} s, and {component} is "
                f"still {now.value}: see 'python -m sandbox status'."
            )
        time.sleep(0.03)
